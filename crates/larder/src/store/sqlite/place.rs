//! Opening the database: its settings, its schema, and what happens when the file is not what it should be.

use std::fs::{File, OpenOptions};
use std::io::ErrorKind as ErrorKindOfIo;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};

use super::fault::failure;
use super::options::{Broken, Options};
use crate::error::ErrorKind;
use crate::store::{Failure, unique};

/// `Lard`: who made the file.
const APPLICATION: i64 = 0x4C61_7264;
/// Of the schema.
const VERSION: i64 = 1;
/// What the write-ahead log shrinks to when it is worked off, in bytes.
const LOG: i64 = 16 << 20;

/// Keys are blobs, which compare byte by byte and may hold any character. Bodies are apart from keys, so that looking for keys, scanning them and
/// noting their use reads and writes none of the values.
const SCHEMA: &str = "
CREATE TABLE entry(key BLOB PRIMARY KEY, id INTEGER NOT NULL, expires INTEGER NOT NULL, used INTEGER NOT NULL) WITHOUT ROWID;
CREATE INDEX entry_expires ON entry(expires);
CREATE INDEX entry_used ON entry(used);
CREATE TABLE body(id INTEGER PRIMARY KEY, bytes BLOB NOT NULL);
CREATE TABLE lease(key BLOB PRIMARY KEY, token INTEGER NOT NULL, ends INTEGER NOT NULL) WITHOUT ROWID;
CREATE INDEX lease_ends ON lease(ends);
CREATE TABLE tag(name BLOB PRIMARY KEY, version INTEGER NOT NULL, ends INTEGER NOT NULL) WITHOUT ROWID;
CREATE INDEX tag_ends ON tag(ends);
CREATE TABLE lock(name BLOB PRIMARY KEY, owner BLOB NOT NULL, ends INTEGER NOT NULL) WITHOUT ROWID;
CREATE INDEX lock_ends ON lock(ends);
CREATE TABLE span(key BLOB PRIMARY KEY, longest INTEGER NOT NULL, last INTEGER NOT NULL, at INTEGER NOT NULL, ends INTEGER NOT NULL) WITHOUT ROWID;
CREATE INDEX span_ends ON span(ends);
CREATE TABLE admission(key BLOB NOT NULL, number INTEGER NOT NULL, at INTEGER NOT NULL, PRIMARY KEY(key, number)) WITHOUT ROWID;
CREATE INDEX admission_at ON admission(key, at);
CREATE TABLE row(name BLOB PRIMARY KEY, id INTEGER NOT NULL UNIQUE, ends INTEGER NOT NULL) WITHOUT ROWID;
CREATE INDEX row_ends ON row(ends);
CREATE TABLE bits(row INTEGER NOT NULL, page INTEGER NOT NULL, bytes BLOB NOT NULL, PRIMARY KEY(row, page)) WITHOUT ROWID;
CREATE TABLE meta(name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
";

/// Where the database is, for all connections of a store.
#[derive(Debug)]
pub(super) struct Place {
    pub(super) options: Options,
    /// A statement said that the file is damaged: the next connection looks at all of it.
    suspect: AtomicBool,
}

/// A connection, and the file that it is connected to.
pub(super) struct Connected {
    pub(super) db: Connection,
    file: Option<Identity>,
}

type Identity = (u64, u64);

impl Place {
    pub(super) fn new(options: Options) -> Self {
        Self {
            options,
            suspect: AtomicBool::new(false),
        }
    }

    /// Opens a connection; makes the file and its tables where they are missing.
    pub(super) fn connect(&self) -> Result<Connected, Failure> {
        let Some(path) = &self.options.path else {
            let db = Connection::open_in_memory().map_err(failure)?;
            self.prepare(&db)?;
            return Ok(Connected { db, file: None });
        };
        match self.connect_to(path) {
            Err(broken) if broken.kind == ErrorKind::Store && self.is_replaced(path) => {
                self.connect_to(path)
            }
            outcome => outcome,
        }
    }

    /// Notes what a failed statement says of the file.
    pub(super) fn note(&self, error: &rusqlite::Error) {
        if super::fault::is_corruption(error) {
            self.suspect.store(true, Ordering::Release);
        }
    }

    /// Whether the file of a connection is still the one at the path: somebody may have removed or replaced it.
    pub(super) fn is_current(&self, connected: &Connected) -> bool {
        match &self.options.path {
            Some(path) => identity(path) == connected.file,
            None => true,
        }
    }

    fn connect_to(&self, path: &Path) -> Result<Connected, Failure> {
        make_file(path)?;
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let file = identity(path);
        let db = Connection::open_with_flags(path, flags).map_err(failure)?;
        self.prepare(&db)?;
        if self.suspect.load(Ordering::Acquire) && self.options.broken == Broken::Replaced {
            check(&db)?;
        }
        Ok(Connected { db, file })
    }

    fn prepare(&self, db: &Connection) -> Result<(), Failure> {
        db.busy_timeout(self.options.busy).map_err(failure)?;
        db.set_prepared_statement_cache_capacity(64);
        // Else every statement that compares a range is planned anew for each value: five times the cost of a hit.
        db.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)
            .map_err(failure)?;
        // Both stay with the file, and asking for them again would wait for whoever writes.
        let is_ours = read_version(db)? == (APPLICATION, VERSION);
        if !is_ours {
            // Order: how the file is laid out can be chosen only before anything stands in it.
            db.pragma_update(None, "auto_vacuum", "INCREMENTAL")
                .map_err(failure)?;
            if self.options.path.is_some() {
                self.log_ahead(db)?;
            }
        }
        db.pragma_update(None, "synchronous", self.options.synchronous)
            .map_err(failure)?;
        db.pragma_update(None, "journal_size_limit", LOG)
            .map_err(failure)?;
        db.pragma_update(None, "trusted_schema", "OFF")
            .map_err(failure)?;
        if is_ours {
            return Ok(());
        }
        let made = db
            .execute_batch("BEGIN IMMEDIATE")
            .map_err(failure)
            .and_then(|()| make_schema(db));
        if made.is_err() && !db.is_autocommit() {
            drop(db.execute_batch("ROLLBACK"));
        }
        made
    }

    /// Switches to the write-ahead log. SQLite does not wait here when another process does the same.
    fn log_ahead(&self, db: &Connection) -> Result<(), Failure> {
        let until = Instant::now() + self.options.busy;
        loop {
            let mode = db.pragma_query_value(None, "journal_mode", |row| row.get::<_, String>(0));
            if mode.map_err(failure)? == "wal" {
                return Ok(());
            }
            let switched = db.pragma_update_and_check(None, "journal_mode", "WAL", |_| Ok(()));
            match switched {
                Ok(()) => return Ok(()),
                Err(error) if super::fault::is_busy(&error) && Instant::now() < until => {
                    std::thread::sleep(Duration::from_millis(2));
                }
                Err(error) => return Err(failure(error)),
            }
        }
    }

    /// Moves a broken file aside, if that is wanted and it is broken still when no other process can be doing the same.
    fn is_replaced(&self, path: &Path) -> bool {
        if self.options.broken != Broken::Replaced {
            return false;
        }
        let Ok(lock) = File::create(beside(path, "-replacing")) else {
            return false;
        };
        let until = Instant::now() + self.options.busy;
        while lock.try_lock().is_err() {
            if Instant::now() >= until {
                return false;
            }
            std::thread::sleep(Duration::from_millis(2));
        }
        let broken = match self.connect_to(path) {
            Ok(_) => return true,
            Err(failure) => failure,
        };
        // What somebody else made is not ours to move.
        if !broken.text.contains(BROKEN) {
            return false;
        }
        let aside = beside(path, &format!("-broken-{:016x}", unique()));
        let moved = std::fs::rename(path, aside).is_ok();
        if moved {
            // A log belongs to its file; it would be played into the new one.
            drop(std::fs::remove_file(beside(path, "-wal")));
            drop(std::fs::remove_file(beside(path, "-shm")));
            self.suspect.store(false, Ordering::Release);
        }
        moved
    }
}

/// What the message of a broken file says.
pub(super) const BROKEN: &str = "the file is no sound database";

fn check(db: &Connection) -> Result<(), Failure> {
    let said = db
        .query_row("PRAGMA quick_check(1)", [], |row| row.get::<_, String>(0))
        .map_err(failure)?;
    match said == "ok" {
        true => Ok(()),
        false => Err(Failure::new(ErrorKind::Store, format!("{BROKEN}: {said}"))),
    }
}

fn read_version(db: &Connection) -> Result<(i64, i64), Failure> {
    let number = |name| db.pragma_query_value(None, name, |row| row.get::<_, i64>(0));
    let application = number("application_id").map_err(failure)?;
    Ok((application, number("user_version").map_err(failure)?))
}

/// Within a transaction: another process may have been first.
fn make_schema(db: &Connection) -> Result<(), Failure> {
    match read_version(db)? {
        (APPLICATION, VERSION) => {}
        (APPLICATION, version) => {
            return Err(Failure::new(
                ErrorKind::Store,
                format!(
                    "the file has version {version} of the schema and this library knows {VERSION}: use another file, or delete this one"
                ),
            ));
        }
        _ => {
            let count = "SELECT count(*) FROM sqlite_schema";
            let tables = db.query_row(count, [], |row| row.get::<_, i64>(0));
            if tables.map_err(failure)? != 0 {
                return Err(Failure::new(
                    ErrorKind::Store,
                    "the file is a database of another application: a cache needs a file of its own",
                ));
            }
            db.execute_batch(SCHEMA).map_err(failure)?;
            let insert =
                "INSERT INTO meta(name, value) VALUES ('epoch', ?1), ('fence', 0), ('entries', 0)";
            db.execute(insert, [unique() as i64]).map_err(failure)?;
            db.pragma_update(None, "application_id", APPLICATION)
                .map_err(failure)?;
            db.pragma_update(None, "user_version", VERSION)
                .map_err(failure)?;
        }
    }
    db.execute_batch("COMMIT").map_err(failure)
}

/// Only its owner reads what an application keeps. SQLite gives its log the same rights.
///
/// A file that is there is not opened: closing it would end the locks that other connections of this process hold on it
/// ([How To Corrupt](https://sqlite.org/howtocorrupt.html), 2.2).
fn make_file(path: &Path) -> Result<(), Failure> {
    if path.exists() {
        return Ok(());
    }
    let unavailable = |error: std::io::Error| {
        Failure::new(
            ErrorKind::Unavailable,
            format!("the file cannot be made: {error}"),
        )
    };
    if let Some(directory) = path.parent().filter(|d| !d.as_os_str().is_empty()) {
        std::fs::create_dir_all(directory).map_err(unavailable)?;
    }
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    match options.open(path) {
        Err(error) if error.kind() == ErrorKindOfIo::AlreadyExists => Ok(()),
        opened => opened.map(drop).map_err(unavailable),
    }
}

fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

#[cfg(unix)]
fn identity(path: &Path) -> Option<Identity> {
    use std::os::unix::fs::MetadataExt;
    let metadata = std::fs::metadata(path).ok()?;
    Some((metadata.dev(), metadata.ino()))
}

/// Elsewhere a file that is open can be neither removed nor replaced.
#[cfg(not(unix))]
fn identity(_: &Path) -> Option<Identity> {
    None
}
