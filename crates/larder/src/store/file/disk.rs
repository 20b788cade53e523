//! Directories and files: making them, putting one in the place of another, and what errors mean.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, ErrorKind as Kind};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use parking_lot::Mutex;

use super::name::{Name, Space};
use super::options::{Options, Sync};
use super::record::{self, Record};
use super::shard::Shard;
use crate::error::ErrorKind;
use crate::store::{Failure, unique};

/// How names of files begin that are not finished yet. No key's name does.
pub(super) const UNFINISHED: &str = ".larder-";
/// Says what the directory is.
const LABEL: &str = "larder.txt";
const LABELLED: &str = "Entries of a cache, kept by larder. Layout 1.\n";

/// The directory of a store.
#[derive(Debug)]
pub(super) struct Disk {
    pub(super) options: Options,
    pub(super) mutexes: Box<[Mutex<()>]>,
    is_labelled: AtomicBool,
    /// What was put since the sweeper last looked.
    pub(super) put: Put,
}

/// How much was put.
#[derive(Debug, Default)]
pub(super) struct Put {
    entries: AtomicU64,
    bytes: AtomicU64,
}

impl Put {
    /// Bytes and entries.
    pub(super) fn so_far(&self) -> (u64, u64) {
        let bytes = self.bytes.load(Ordering::Relaxed);
        (bytes, self.entries.load(Ordering::Relaxed))
    }

    /// So much was looked at.
    pub(super) fn forget(&self, bytes: u64, entries: u64) {
        self.bytes.fetch_sub(bytes, Ordering::Relaxed);
        self.entries.fetch_sub(entries, Ordering::Relaxed);
    }

    fn count(&self, bytes: u64) {
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
        self.entries.fetch_add(1, Ordering::Relaxed);
    }
}

/// A record that is on the disk and not yet at its place.
pub(super) struct Unfinished {
    path: Option<PathBuf>,
    size: u64,
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        if let Some(path) = &self.path {
            drop(std::fs::remove_file(path));
        }
    }
}

impl Disk {
    pub(super) fn new(options: Options) -> Self {
        Self {
            options,
            mutexes: (0..256).map(|_| Mutex::new(())).collect(),
            is_labelled: AtomicBool::new(false),
            put: Put::default(),
        }
    }

    pub(super) fn root(&self) -> &Path {
        &self.options.root
    }

    /// Reads what stands under a name.
    pub(super) fn read(&self, name: &Name, key: &str) -> Result<Option<Record>, Failure> {
        record::read(&name.path(self.root()), key, self.options.size).map_err(failure)
    }

    /// Writes a record beside its place.
    pub(super) fn prepare(
        &self,
        name: &Name,
        key: &str,
        content: &[u8],
        expires: i64,
    ) -> Result<Unfinished, Failure> {
        self.label()?;
        let directory = name.directory(self.root());
        self.check_directories(&directory)?;
        let path = directory.join(format!(
            "{UNFINISHED}{}-{:016x}",
            std::process::id(),
            unique()
        ));
        let file = match create(&path) {
            Err(error) if error.kind() == Kind::NotFound => {
                self.make_directory(&directory)?;
                create(&path)
            }
            created => created,
        };
        let mut file = file.map_err(failure)?;
        let unfinished = Unfinished {
            path: Some(path),
            size: content.len() as u64,
        };
        record::write(&mut file, key, content, expires).map_err(failure)?;
        if self.options.sync != Sync::Nothing {
            file.sync_all().map_err(failure)?;
        }
        Ok(unfinished)
    }

    /// Puts a record in the place of what stands there, in one step.
    pub(super) fn finish(
        &self,
        mut unfinished: Unfinished,
        name: &Name,
        shard: &mut Shard<'_>,
    ) -> Result<(), Failure> {
        let path = name.path(self.root());
        let before = std::fs::symlink_metadata(&path);
        let before = before.map_or(0, |metadata| metadata.len() as i64);
        let Some(from) = unfinished.path.take() else {
            return Ok(());
        };
        let renamed = std::fs::rename(&from, &path);
        if renamed.is_err() {
            unfinished.path = Some(from);
        }
        renamed.map_err(failure)?;
        if self.options.sync == Sync::FileAndDirectory {
            self.force(&path)?;
        }
        if name.is_entry() {
            let now = std::fs::symlink_metadata(&path).map_err(failure)?.len() as i64;
            shard.change(i64::from(before == 0), now - before)?;
            self.put.count(unfinished.size);
        }
        Ok(())
    }

    /// Takes a file away that is ours; whether it was there.
    pub(super) fn take_away(&self, path: &Path) -> Result<bool, Failure> {
        match std::fs::remove_file(path) {
            Ok(()) if self.options.sync == Sync::FileAndDirectory => {
                self.force(path)?;
                Ok(true)
            }
            Ok(()) => Ok(true),
            Err(error) if matches!(error.kind(), Kind::NotFound | Kind::NotADirectory) => Ok(false),
            Err(error) => Err(failure(error)),
        }
    }

    /// That a name points to a file, or does not any more, is kept by its directory.
    fn force(&self, path: &Path) -> Result<(), Failure> {
        if cfg!(unix)
            && let Some(directory) = path.parent()
        {
            let directory = File::open(directory).map_err(failure)?;
            directory.sync_all().map_err(failure)?;
        }
        Ok(())
    }

    /// Makes a directory and those above it, for its owner only.
    pub(super) fn make_directory(&self, path: &Path) -> Result<(), Failure> {
        let mut builder = DirBuilder::new();
        builder.recursive(true);
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        builder.create(path).map_err(failure)
    }

    /// No directory of ours is a link: who can make one would have us write elsewhere.
    fn check_directories(&self, leaf: &Path) -> Result<(), Failure> {
        for directory in leaf.ancestors().take_while(|above| *above != self.root()) {
            let is_link = std::fs::symlink_metadata(directory).is_ok_and(|m| m.is_symlink());
            if is_link {
                return Err(Failure::new(
                    ErrorKind::Store,
                    format!("`{}` is a symbolic link", directory.display()),
                ));
            }
        }
        Ok(())
    }

    /// Whether the directory is there, or can be made, and can be listed.
    pub(super) fn probe(&self) -> Result<(), Failure> {
        self.make_directory(self.root())?;
        self.label()?;
        std::fs::read_dir(self.root()).map(drop).map_err(failure)
    }

    /// Says what the directory is, once, or that another layout is there.
    pub(super) fn label(&self) -> Result<(), Failure> {
        if self.is_labelled.load(Ordering::Acquire) {
            return Ok(());
        }
        self.make_directory(self.root())?;
        let path = self.root().join(LABEL);
        match std::fs::read(&path) {
            Ok(found) if found == LABELLED.as_bytes() => {}
            // Empty: another process is about to write it.
            Ok(found) if found.is_empty() => return Ok(()),
            Ok(_) => {
                return Err(Failure::new(
                    ErrorKind::Store,
                    format!(
                        "`{}` says that another layout is there: use another directory, or delete this one",
                        path.display()
                    ),
                ));
            }
            Err(error) if error.kind() == Kind::NotFound => match create(&path) {
                Ok(mut file) => {
                    io::Write::write_all(&mut file, LABELLED.as_bytes()).map_err(failure)?;
                }
                Err(error) if error.kind() == Kind::AlreadyExists => {}
                Err(error) => return Err(failure(error)),
            },
            Err(error) => return Err(failure(error)),
        }
        self.is_labelled.store(true, Ordering::Release);
        Ok(())
    }
}

impl Name {
    fn is_entry(&self) -> bool {
        self.space() == Space::Entries
    }
}

fn create(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

/// What an error of a file means for a caller.
pub(super) fn failure(error: io::Error) -> Failure {
    let kind = match error.kind() {
        // The disk answered, and waiting will not change what it says.
        Kind::NotFound
        | Kind::PermissionDenied
        | Kind::NotADirectory
        | Kind::IsADirectory
        | Kind::ReadOnlyFilesystem
        | Kind::StorageFull
        | Kind::QuotaExceeded
        | Kind::FileTooLarge
        | Kind::InvalidInput => ErrorKind::Store,
        _ => ErrorKind::Unavailable,
    };
    Failure::new(kind, error.to_string())
}
