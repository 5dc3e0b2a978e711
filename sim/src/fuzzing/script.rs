//! A fuzzer's bytes, taken from the front.

/// What is left of a script.
#[derive(Clone, Copy, Debug)]
pub(super) struct Script<'a>(pub &'a [u8]);

impl<'a> Script<'a> {
    /// The next byte; none at the end.
    pub fn next(&mut self) -> Option<u8> {
        let (first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(*first)
    }

    /// The next byte; 0 behind the end.
    pub fn byte(&mut self) -> u8 {
        self.next().unwrap_or(0)
    }

    /// Two bytes, little-endian.
    pub fn short(&mut self) -> usize {
        usize::from(u16::from_le_bytes([self.byte(), self.byte()]))
    }

    /// So many bytes, or as many as there are.
    pub fn take(&mut self, len: usize) -> &'a [u8] {
        let (taken, rest) = self.0.split_at(len.min(self.0.len()));
        self.0 = rest;
        taken
    }

    /// One of these; none if there are none.
    pub fn pick<'b, T>(&mut self, from: &'b [T]) -> Option<&'b T> {
        let at = usize::from(self.byte());
        from.get(at.checked_rem(from.len())?)
    }
}
