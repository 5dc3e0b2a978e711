//! Why the tree refuses, in etcd's codes.

use std::fmt;

/// etcd v2's store errors (Documentation/v2/errorcode.md).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FaultCode {
    /// 100: the key does not exist.
    KeyNotFound,
    /// 101: a condition does not hold.
    CompareFailed,
    /// 102: it is a directory.
    NotFile,
    /// 104: a file stands where a directory must.
    NotDirectory,
    /// 105: the key exists.
    NodeExists,
    /// 107: the root cannot be changed.
    RootReadOnly,
    /// 108: the directory is not empty.
    DirectoryNotEmpty,
    /// 200: a file would be emptied by an update without a value. etcd has the code
    /// and empties the file.
    ValueRequired,
}

impl FaultCode {
    /// The number on the wire.
    pub fn number(self) -> u16 {
        match self {
            Self::KeyNotFound => 100,
            Self::CompareFailed => 101,
            Self::NotFile => 102,
            Self::NotDirectory => 104,
            Self::NodeExists => 105,
            Self::RootReadOnly => 107,
            Self::DirectoryNotEmpty => 108,
            Self::ValueRequired => 200,
        }
    }

    /// The `message` on the wire.
    pub fn message(self) -> &'static str {
        match self {
            Self::KeyNotFound => "Key not found",
            Self::CompareFailed => "Compare failed",
            Self::NotFile => "Not a file",
            Self::NotDirectory => "Not a directory",
            Self::NodeExists => "Key already exists",
            Self::RootReadOnly => "Root is read only",
            Self::DirectoryNotEmpty => "Directory not empty",
            Self::ValueRequired => "Value is Required in POST form",
        }
    }
}

/// One refusal by the tree. It changes nothing, not even the store index.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// What is wrong.
    pub code: FaultCode,
    /// etcd's `cause`: mostly the path concerned; may be empty.
    pub cause: String,
    /// The store index at which it was judged.
    pub index: u64,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} ({})", self.code.number(), self.code.message(), self.cause)
    }
}
