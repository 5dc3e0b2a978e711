//! The data directory: the engine's disk operations on real files.

use std::collections::BTreeMap;
use std::fs::{self, DirEntry, File, OpenOptions, TryLockError};
use std::io::{self, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use quorate_engine::{DiskError, DiskOp, FileName, Image};

use crate::discard::discard;

/// The file whose lock says that a process uses the directory.
const LOCK: &str = "lock";

/// A snapshot that was removed: its blocks are there already for the next one, and none
/// is given back. Where freed blocks are discarded at once, log writes wait for that.
const SPARE: &str = "spare";

/// Files kept open: the log's newest segments and a snapshot, and some to spare.
const MOST_OPEN: usize = 16;

/// Zeros are written this many at a time.
const ZEROS: usize = 1 << 20;

/// A data directory, locked for as long as this lives.
#[derive(Debug)]
pub struct DataDir {
    path: PathBuf,
    /// To sync names with.
    directory: File,
    open: BTreeMap<FileName, File>,
    /// How far each file that was made of the spare one was written: what is behind that
    /// was another's.
    drafts: BTreeMap<FileName, u64>,
    _lock: File,
}

impl DataDir {
    /// Whether a directory is there and holds files of the engine's. Nothing is made.
    ///
    /// # Errors
    /// One line that names what could not be read.
    pub fn holds_data(path: &Path) -> Result<bool, String> {
        let wrong = |error: io::Error| format!("data directory {}: {error}", path.display());
        let entries = match fs::read_dir(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
            entries => entries.map_err(wrong)?,
        };
        for entry in entries {
            if engine_file(&entry.map_err(wrong)?).map_err(wrong)?.is_some() {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Makes the directory if it is not there, and locks it.
    ///
    /// # Errors
    /// One line, among others when another process holds the lock.
    pub fn open(path: &Path) -> Result<Self, String> {
        let wrong = |error: io::Error| format!("data directory {}: {error}", path.display());
        if !path.is_dir() {
            make(path).map_err(wrong)?;
        }
        let lock = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .open(path.join(LOCK))
            .map_err(wrong)?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(format!(
                    "data directory {} is in use by another process",
                    path.display()
                ));
            }
            Err(TryLockError::Error(error)) => return Err(wrong(error)),
        }
        let directory = File::open(path).map_err(wrong)?;
        let (open, drafts) = Default::default();
        Ok(Self { path: path.to_owned(), directory, open, drafts, _lock: lock })
    }

    /// Every file, whole. The names are made durable first: a process that was
    /// killed may have left a rename in the page cache.
    ///
    /// # Errors
    /// One line that names what could not be read.
    pub fn image(&self) -> Result<Image, String> {
        let wrong = |error: io::Error| format!("data directory {}: {error}", self.path.display());
        self.directory.sync_all().map_err(wrong)?;
        let mut image = Image::new();
        for entry in fs::read_dir(&self.path).map_err(wrong)? {
            let entry = entry.map_err(wrong)?;
            let Some(name) = engine_file(&entry).map_err(wrong)? else { continue };
            let bytes = fs::read(entry.path())
                .map_err(|error| format!("{}: {error}", entry.path().display()))?;
            image.insert(name, Bytes::from(bytes));
        }
        Ok(image)
    }

    /// Performs one operation; `Ok` only when all that it promises is true.
    ///
    /// # Errors
    /// What the operating system said.
    pub fn perform(&mut self, op: &DiskOp) -> Result<(), DiskError> {
        let done = match op {
            DiskOp::Create { file, size } => self.create(file, *size),
            DiskOp::Write { file, offset, bytes, sync } => self.write(file, *offset, bytes, *sync),
            DiskOp::Rename { from, to } => self.rename(from, to),
            DiskOp::Truncate { file, len } => self.truncate(file, *len),
            DiskOp::Remove { file } => self.remove(file),
        };
        done.map_err(|error| DiskError(format!("{op}: {error}")))
    }

    /// The zeros are really written: a sync of blocks that exist is cheaper than
    /// one that must also allocate them. An empty file may be made of the spare one, whose
    /// bytes go when it is renamed.
    fn create(&mut self, name: &FileName, size: u64) -> io::Result<()> {
        let path = self.path_of(name)?;
        self.open.remove(name);
        self.drafts.remove(name);
        if size == 0 && found(fs::rename(self.path.join(SPARE), &path))? {
            self.drafts.insert(name.clone(), 0);
            return self.directory.sync_all();
        }
        found(fs::remove_file(&path))?;
        let mut file = OpenOptions::new().write(true).create_new(true).open(&path)?;
        let zeros = vec![0; ZEROS.min(usize::try_from(size).unwrap_or(ZEROS))];
        let mut rest = size;
        while rest > 0 {
            let part = zeros.len().min(usize::try_from(rest).unwrap_or(ZEROS));
            file.write_all(&zeros[..part])?;
            rest -= part as u64;
        }
        file.sync_all()?;
        self.directory.sync_all()?;
        self.keep(name.clone(), file);
        Ok(())
    }

    fn write(&mut self, name: &FileName, offset: u64, bytes: &[u8], sync: bool) -> io::Result<()> {
        if let Some(written) = self.drafts.get_mut(name) {
            *written = (*written).max(offset + bytes.len() as u64);
        }
        let file = self.file(name)?;
        file.write_all_at(bytes, offset)?;
        if sync { file.sync_data() } else { Ok(()) }
    }

    fn rename(&mut self, from: &FileName, to: &FileName) -> io::Result<()> {
        if let Some(written) = self.drafts.get(from) {
            self.truncate(from, *written)?;
        }
        fs::rename(self.path_of(from)?, self.path_of(to)?)?;
        self.open.remove(to);
        if let Some(file) = self.open.remove(from) {
            self.keep(to.clone(), file);
        }
        self.directory.sync_all()
    }

    fn truncate(&mut self, name: &FileName, len: u64) -> io::Result<()> {
        self.drafts.remove(name);
        let file = self.file(name)?;
        file.set_len(len)?;
        file.sync_all()
    }

    /// A snapshot is kept as the spare file. Of any other only the name goes here: to give
    /// back the blocks of a large file takes milliseconds, and that is due when its last
    /// handle goes.
    fn remove(&mut self, name: &FileName) -> io::Result<()> {
        self.file(name)?;
        self.drafts.remove(name);
        let (path, spare) = (self.path_of(name)?, self.path.join(SPARE));
        if name.is_snapshot() && !spare.exists() {
            fs::rename(path, spare)?;
            self.open.remove(name);
            return self.directory.sync_all();
        }
        fs::remove_file(path)?;
        discard(self.open.remove(name));
        self.directory.sync_all()
    }

    fn file(&mut self, name: &FileName) -> io::Result<&File> {
        if !self.open.contains_key(name) {
            let file = OpenOptions::new().write(true).open(self.path_of(name)?)?;
            self.keep(name.clone(), file);
        }
        Ok(&self.open[name])
    }

    fn keep(&mut self, name: FileName, file: File) {
        if self.open.len() >= MOST_OPEN {
            self.open.pop_first();
        }
        self.open.insert(name, file);
    }

    fn path_of(&self, name: &FileName) -> io::Result<PathBuf> {
        let name = name.as_str();
        if name.is_empty() || name.contains('/') || matches!(name, "." | ".." | LOCK | SPARE) {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "not a file of the engine's"));
        }
        Ok(self.path.join(name))
    }
}

/// Whether there was a file to do this to.
fn found(done: io::Result<()>) -> io::Result<bool> {
    match done {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        done => done.map(|()| true),
    }
}

/// The name of a file that may be the engine's: any but the lock and the spare one.
fn engine_file(entry: &DirEntry) -> io::Result<Option<FileName>> {
    let name = entry.file_name();
    let name = name.to_str().filter(|name| ![LOCK, SPARE].contains(name)).map(FileName::new);
    Ok(if entry.file_type()?.is_file() { name } else { None })
}

/// Makes a directory and makes its name durable.
fn make(path: &Path) -> io::Result<()> {
    fs::create_dir_all(path)?;
    match path.parent().filter(|parent| !parent.as_os_str().is_empty()) {
        Some(parent) => File::open(parent)?.sync_all(),
        None => File::open(".")?.sync_all(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> FileName {
        FileName::new(text)
    }

    fn write(file: &str, offset: u64, bytes: &'static [u8]) -> DiskOp {
        DiskOp::Write { file: name(file), offset, bytes: bytes.into(), sync: true }
    }

    fn contents(dir: &DataDir) -> Vec<(String, Vec<u8>)> {
        let image = dir.image().unwrap();
        image.iter().map(|(name, bytes)| (name.to_string(), bytes.to_vec())).collect()
    }

    #[test]
    fn operations_do_what_they_promise() {
        let temp = tempfile::tempdir().unwrap();
        let mut dir = DataDir::open(&temp.path().join("a/b")).unwrap();
        let mut perform = |op| dir.perform(&op).unwrap();
        perform(DiskOp::Create { file: name("x"), size: 4 });
        perform(write("x", 1, b"ab"));
        perform(DiskOp::Create { file: name("y"), size: 0 });
        perform(write("y", 2, b"c"));
        perform(DiskOp::Create { file: name("z"), size: 3 << 20 });
        perform(DiskOp::Truncate { file: name("z"), len: 1 });
        perform(DiskOp::Rename { from: name("y"), to: name("w") });
        perform(write("w", 0, b"d"));
        perform(DiskOp::Create { file: name("v"), size: 9 });
        perform(DiskOp::Remove { file: name("v") });
        let expected: [(&str, &[u8]); 3] = [("w", b"d\0c"), ("x", b"\0ab\0"), ("z", b"\0")];
        let expected = expected.map(|(name, bytes)| (name.to_owned(), bytes.to_vec()));
        assert_eq!(contents(&dir), expected);
    }

    #[test]
    fn a_created_file_replaces_what_bore_its_name() {
        let temp = tempfile::tempdir().unwrap();
        let mut dir = DataDir::open(temp.path()).unwrap();
        dir.perform(&DiskOp::Create { file: name("x"), size: 2 }).unwrap();
        dir.perform(&write("x", 0, b"ab")).unwrap();
        dir.perform(&DiskOp::Create { file: name("x"), size: 1 }).unwrap();
        assert_eq!(contents(&dir), [("x".to_owned(), vec![0])]);
    }

    #[test]
    fn a_snapshot_is_made_of_a_removed_one_and_nothing_of_that_stays() {
        let temp = tempfile::tempdir().unwrap();
        let (old, draft, new) = (name("snap-0000000000000001"), name("draft"), name("x"));
        let mut dir = DataDir::open(temp.path()).unwrap();
        dir.perform(&DiskOp::Create { file: old.clone(), size: 9_000 }).unwrap();
        dir.perform(&DiskOp::Remove { file: old.clone() }).unwrap();
        assert!(contents(&dir).is_empty());
        assert!(!DataDir::holds_data(temp.path()).unwrap());
        drop(dir);
        let mut dir = DataDir::open(temp.path()).unwrap();
        dir.perform(&DiskOp::Create { file: draft.clone(), size: 0 }).unwrap();
        dir.perform(&write("draft", 2, b"cd")).unwrap();
        dir.perform(&write("draft", 0, b"ab")).unwrap();
        assert_eq!(contents(&dir)[0].1.len(), 9_000, "it is the old one");
        dir.perform(&DiskOp::Rename { from: draft, to: new.clone() }).unwrap();
        assert_eq!(contents(&dir), [("x".to_owned(), b"abcd".to_vec())]);
        dir.perform(&DiskOp::Create { file: new, size: 0 }).unwrap();
        assert_eq!(contents(&dir), [("x".to_owned(), vec![])], "there is no second one");
    }

    #[test]
    fn one_removed_snapshot_is_kept_and_no_draft() {
        let temp = tempfile::tempdir().unwrap();
        let mut dir = DataDir::open(temp.path()).unwrap();
        for file in ["draft", "snap-0000000000000001", "snap-0000000000000002"] {
            dir.perform(&DiskOp::Create { file: name(file), size: 1 }).unwrap();
            dir.perform(&DiskOp::Remove { file: name(file) }).unwrap();
        }
        let mut left: Vec<_> =
            fs::read_dir(temp.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        left.sort();
        assert_eq!(left, [LOCK, SPARE]);
    }

    #[test]
    fn failures_are_reported_and_name_the_operation() {
        let temp = tempfile::tempdir().unwrap();
        let mut dir = DataDir::open(temp.path()).unwrap();
        for op in [
            write("absent", 0, b"x"),
            DiskOp::Remove { file: name("absent") },
            DiskOp::Create { file: name("../outside"), size: 1 },
            DiskOp::Remove { file: name(LOCK) },
            DiskOp::Remove { file: name(SPARE) },
        ] {
            let error = dir.perform(&op).unwrap_err();
            assert!(error.0.contains(&op.to_string()), "{}", error.0);
        }
    }

    #[test]
    fn many_files_do_not_stay_open() {
        let temp = tempfile::tempdir().unwrap();
        let mut dir = DataDir::open(temp.path()).unwrap();
        for at in 0..3 * MOST_OPEN {
            dir.perform(&DiskOp::Create { file: name(&at.to_string()), size: 1 }).unwrap();
        }
        assert_eq!(dir.open.len(), MOST_OPEN);
        dir.perform(&write("0", 0, b"x")).unwrap();
        assert_eq!(contents(&dir).len(), 3 * MOST_OPEN);
    }

    #[test]
    fn a_directory_is_used_by_one_at_a_time() {
        let temp = tempfile::tempdir().unwrap();
        let first = DataDir::open(temp.path()).unwrap();
        assert!(DataDir::open(temp.path()).unwrap_err().contains("in use by another process"));
        drop(first);
        DataDir::open(temp.path()).unwrap();
    }
}
