//! Where a key stands in the tree.

use std::cmp::Ordering;
use std::fmt;
use std::sync::Arc;

/// A clean absolute path: `/` or `/a/b`, no empty, `.` or `..` component, no
/// trailing slash.
///
/// Ordered with `/` below every other byte, so that a directory is directly
/// followed by all that lies below it, and siblings stand in byte order of
/// their names.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Path(Arc<str>);

/// Why a text is not a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PathError {
    /// It does not begin with `/`.
    Relative,
    /// It has an empty component or ends with `/`.
    Empty,
    /// It has a component `.` or `..`.
    Dots,
}

impl Path {
    /// The root, `/`.
    pub fn root() -> Self {
        Self("/".into())
    }

    /// Takes a path that is already clean.
    pub fn new(text: &str) -> Result<Self, PathError> {
        if text == "/" {
            return Ok(Self::root());
        }
        let names = text.strip_prefix('/').ok_or(PathError::Relative)?;
        for name in names.split('/') {
            match name {
                "" => return Err(PathError::Empty),
                "." | ".." => return Err(PathError::Dots),
                _ => {}
            }
        }
        Ok(Self(text.into()))
    }

    /// The path as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether this is `/`.
    pub fn is_root(&self) -> bool {
        self.0.len() == 1
    }

    /// The last component; empty for the root.
    pub fn name(&self) -> &str {
        let at = self.0.rfind('/').map_or(0, |at| at + 1);
        &self.0[at..]
    }

    /// Components below the root.
    pub fn depth(&self) -> usize {
        if self.is_root() { 0 } else { self.0.bytes().filter(|&byte| byte == b'/').count() }
    }

    /// The directory it stands in; the root has none.
    pub fn parent(&self) -> Option<Self> {
        if self.is_root() {
            return None;
        }
        match self.0.rfind('/') {
            Some(0) | None => Some(Self::root()),
            Some(at) => Some(Self(self.0[..at].into())),
        }
    }

    /// Every directory above it but the root, topmost first.
    pub fn ancestors(&self) -> impl Iterator<Item = Self> {
        let text = self.0.clone();
        let cuts: Vec<usize> = text.match_indices('/').map(|(at, _)| at).skip(1).collect();
        cuts.into_iter().map(move |at| Self(text[..at].into()))
    }

    /// Whether this is `directory` or lies below it.
    pub fn is_within(&self, directory: &Self) -> bool {
        directory.is_root()
            || (self.0.starts_with(&*directory.0)
                && matches!(self.0.as_bytes().get(directory.0.len()), None | Some(b'/')))
    }

    /// Whether the key is hidden: some component below `from` begins with `_`.
    pub fn is_hidden_below(&self, from: &Self) -> bool {
        let skip = if from.is_root() { 0 } else { from.0.len() };
        self.0[skip..].contains("/_")
    }
}

impl Ord for Path {
    fn cmp(&self, other: &Self) -> Ordering {
        let (a, b) = (self.0.as_bytes(), other.0.as_bytes());
        // The root is the empty path: below everything.
        let (a, b) = (if a.len() == 1 { &[] } else { a }, if b.len() == 1 { &[] } else { b });
        match a.iter().zip(b).find(|(x, y)| x != y) {
            None => a.len().cmp(&b.len()),
            Some((b'/', _)) => Ordering::Less,
            Some((_, b'/')) => Ordering::Greater,
            Some((x, y)) => x.cmp(y),
        }
    }
}

impl PartialOrd for Path {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
