//! Where a key stands in the tree.

use std::cmp::Ordering;
use std::fmt;
use std::sync::Arc;

use equivalent::{Comparable, Equivalent};

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
        check(text)?;
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
        // Names are short: from byte to byte is quicker than a search.
        let at = self.0.bytes().rposition(|byte| byte == b'/').map_or(0, |at| at + 1);
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

    /// The path of this name in this directory.
    ///
    /// # Panics
    /// If it is not a name: empty, dots, or with a slash in it.
    pub fn child(&self, name: &str) -> Self {
        let text = if self.is_root() { format!("/{name}") } else { format!("{self}/{name}") };
        Self::new(&text).unwrap_or_else(|error| panic!("{name:?} is not a name: {error:?}"))
    }

    /// Every directory above it but the root, topmost first.
    pub fn ancestors(&self) -> impl Iterator<Item = Self> {
        self.directories().map(|text| Self(text.into()))
    }

    /// As [`Path::ancestors`], without making paths of them.
    pub(super) fn directories(&self) -> impl DoubleEndedIterator<Item = &str> {
        self.0.match_indices('/').map(|(at, _)| &self.0[..at]).filter(|text| !text.is_empty())
    }

    /// Whether this is `directory` or lies below it.
    pub fn is_within(&self, directory: &Self) -> bool {
        within(&self.0, &directory.0)
    }

    /// Whether the key is hidden: some component below `from` begins with `_`.
    pub fn is_hidden_below(&self, from: &Self) -> bool {
        let skip = if from.is_root() { 0 } else { from.0.len() };
        self.0[skip..].contains("/_")
    }
}

impl TryFrom<Arc<str>> for Path {
    type Error = PathError;

    /// As [`Path::new`], without a copy.
    fn try_from(text: Arc<str>) -> Result<Self, PathError> {
        check(&text)?;
        Ok(Self(text))
    }
}

fn check(text: &str) -> Result<(), PathError> {
    if text == "/" {
        return Ok(());
    }
    let names = text.strip_prefix('/').ok_or(PathError::Relative)?;
    for name in names.split('/') {
        match name {
            "" => return Err(PathError::Empty),
            "." | ".." => return Err(PathError::Dots),
            _ => {}
        }
    }
    Ok(())
}

/// A place in the order of paths, to look up and seek without making a path.
#[derive(Clone, Copy, Debug)]
pub(super) enum Place<'a> {
    /// Where this path stands.
    At(&'a str),
    /// Right behind this path and everything below it.
    Past(&'a str),
}

impl Equivalent<Path> for Place<'_> {
    fn equivalent(&self, key: &Path) -> bool {
        self.compare(key).is_eq()
    }
}

impl Comparable<Path> for Place<'_> {
    fn compare(&self, key: &Path) -> Ordering {
        match *self {
            Self::Past(text) if within(&key.0, text) => Ordering::Greater,
            Self::At(text) | Self::Past(text) => order(text, &key.0),
        }
    }
}

fn within(text: &str, directory: &str) -> bool {
    directory == "/"
        || (text.starts_with(directory)
            && matches!(text.as_bytes().get(directory.len()), None | Some(b'/')))
}

fn order(a: &str, b: &str) -> Ordering {
    // The root is the empty path: below everything.
    let names = |text| if text == "/" { &[] } else { str::as_bytes(text) };
    let (a, b) = (names(a), names(b));
    let same = common_prefix(a, b);
    match (a.get(same), b.get(same)) {
        (Some(b'/'), Some(_)) => Ordering::Less,
        (Some(_), Some(b'/')) => Ordering::Greater,
        (x, y) => x.cmp(&y),
    }
}

/// Bytes that two paths share from their beginning. Paths of one directory share
/// most of them, and every look-up compares many: eight at a time.
fn common_prefix(a: &[u8], b: &[u8]) -> usize {
    let words = a.as_chunks::<8>().0.iter().zip(b.as_chunks::<8>().0);
    let same = 8 * words.take_while(|(x, y)| x == y).count();
    same + a[same..].iter().zip(&b[same..]).take_while(|(x, y)| x == y).count()
}

impl Ord for Path {
    fn cmp(&self, other: &Self) -> Ordering {
        order(&self.0, &other.0)
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
