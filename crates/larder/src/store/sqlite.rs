//! Entries in an SQLite database: shared by the processes of one machine, and kept over restarts.
//!
//! | URL | where |
//! |---|---|
//! | `sqlite:///var/cache/app.db` | a file, by its absolute path |
//! | `sqlite://./app.db` | a file, by its path from the working directory |
//! | `sqlite://memory` | in memory, for this store alone |
//!
//! | parameter | default | meaning |
//! |---|---|---|
//! | `size` | `1gb`, in memory `64mb` | what the database may take, without its write-ahead log; beyond it entries go whose use is longest ago |
//! | `entries` | no such bound | how many entries there may be |
//! | `synchronous` | `normal` | `full`: a write that was acknowledged survives a loss of power; `normal`: it may be lost then, but the database is sound; `off`: neither is promised. [PRAGMA synchronous](https://sqlite.org/pragma.html#pragma_synchronous) |
//! | `busy_timeout` | `1s` | how long to wait for another process that writes |
//! | `sweep` | `1m` | how often what is past its life is removed |
//! | `readers` | `2` | threads that read, and connections lent to sync callers |
//! | `sync_reads` | `thread` | `inline`: sync callers read on their own thread, which saves two switches of threads; when a disk hangs, their time limits do not hold |
//! | `on_corrupt` | `error` | `replace`: a file that is damaged, or no database at all, is renamed to `<name>-broken-<number>` and a new one is made. A sound database of another application or of another version of the schema is never replaced |
//!
//! The file must be on a disk of this machine: the write-ahead log is [not for network file systems](https://sqlite.org/wal.html). All processes that share it should state the same bounds: the least wins.
//!
//! # How it works
//! One thread writes, and takes what waits together into one transaction; others read, and are not held up by it. All that an operation checks and changes happens in one transaction, so leases are
//! [`Atomic`](LeaseLevel::Atomic) for all processes. A hit writes nothing: that an entry was used is noted at most once a minute, with the next write. The threads start with the first operation and end with the store.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::error::{Error, ErrorKind, Result};
use crate::store::{
    Acquired, Address, Admission, Asked, Bits, Counters, Failure, Fill, Filling, Found, LeaseLevel,
    Life, Locks, Opening, Page, Quota, Read, Removal, Scan, Store, StoreFuture, TagVersions,
    Threads, Touch, Touching, Windows, Write, Writing, answer, end, wall,
};

mod bits;
mod fault;
mod locks;
mod options;
mod place;
mod read;
mod readers;
mod sweep;
mod tags;
mod windows;
mod write;
mod writer;

use options::Options;
use place::Place;
use readers::Readers;
use write::{Matching, Tx};
use writer::{Job, Uses, Work};

/// What it is called.
const NAME: &str = "sqlite";
/// How many keys one transaction removes at most.
const REMOVED_TOGETHER: usize = 2_000;

/// A store in an SQLite database.
///
/// ```
/// use larder::store::sqlite::Sqlite;
/// use larder::store::Store;
///
/// let store = Sqlite::open("sqlite://memory?size=10mb")?;
/// assert_eq!(store.name(), "sqlite");
/// # Ok::<(), larder::Error>(())
/// ```
pub struct Sqlite {
    place: Arc<Place>,
    uses: Arc<Uses>,
    writer: Threads<Box<dyn Job>>,
    /// A database in memory is known to one connection only, the writer's.
    readers: Option<Readers>,
    /// What the keys of this store begin with: no prefix means all of these.
    space: String,
}

impl Sqlite {
    /// The store of a URL. Opens nothing yet.
    ///
    /// # Errors
    /// [`ErrorKind::Config`] for a URL that says something else.
    pub fn open(url: &str) -> Result<Self> {
        let mut address = Address::parse(url)?;
        if address.scheme() != NAME {
            return Err(Error::new(
                ErrorKind::Config,
                NAME,
                "the URL of a database begins with `sqlite://`",
            ));
        }
        let store = Self::at(&mut address, "")?;
        address.finish()?;
        Ok(store)
    }

    fn at(address: &mut Address, space: &str) -> Result<Self> {
        let place = Arc::new(Place::new(Options::take(address)?));
        let uses = Arc::new(Uses::default());
        let of_writer = (Arc::clone(&place), Arc::clone(&uses));
        let readers = place.options.path.is_some().then(|| Readers::new(&place));
        Ok(Self {
            place,
            uses,
            readers,
            space: space.to_owned(),
            writer: Threads::new("larder-sqlite-w", 1, move |jobs| {
                writer::run(&of_writer.0, &of_writer.1, jobs);
            }),
        })
    }

    /// Has the writer's thread do something in a transaction.
    async fn change<T: Send + 'static>(
        &self,
        operation: &'static str,
        weight: usize,
        work: impl FnMut(&Tx<'_>) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T> {
        let (promise, answer) = answer();
        let job = Box::new(Work {
            work,
            done: None,
            promise,
        });
        let answered = match self.writer.push(job, weight).await {
            Ok(()) => answer.await.unwrap_or_else(|| Err(Failure::closed())),
            Err(failure) => Err(failure),
        };
        answered.map_err(|failure| failure.of(operation, NAME))
    }

    /// Has a thread look at something.
    async fn look<T: Send + 'static>(
        &self,
        operation: &'static str,
        mut work: impl FnMut(&rusqlite::Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T> {
        match &self.readers {
            None => self.change(operation, 0, move |tx| work(tx.db)).await,
            Some(readers) => match readers.lend() {
                Some(lent) => lent.look(work),
                None => readers.look(0, work).await,
            }
            .map_err(|failure| failure.of(operation, NAME)),
        }
    }

    /// The answers that need no lease, and which of the others are due.
    async fn look_up(&self, reads: &[Read<'_>]) -> Result<Vec<(Found, bool)>> {
        let Some(readers) = &self.readers else {
            let due = |_: &Read<'_>| (Found::default(), true);
            return Ok(reads.iter().map(due).collect());
        };
        let judged = match readers.lend() {
            Some(lent) => lent.look(|db| {
                let now = wall();
                let judge = |read| read::judge_and_note(db, read, now);
                reads
                    .iter()
                    .map(judge)
                    .collect::<rusqlite::Result<Vec<_>>>()
            }),
            None => {
                let asked: Vec<Asked> = reads.iter().map(Asked::of).collect();
                let weight = asked.iter().map(Asked::weight).sum();
                let look = move |db: &rusqlite::Connection| {
                    let now = wall();
                    let judge =
                        |asked: &Asked| asked.with(|read| read::judge_and_note(db, read, now));
                    asked.iter().map(judge).collect()
                };
                readers.look(weight, look).await
            }
        };
        let judged = judged.map_err(|failure| failure.of("read", NAME))?;
        let note = |(read, (found, due, old)): (&Read<'_>, (Found, bool, bool))| {
            if old {
                self.uses.note(read.key);
            }
            (found, due)
        };
        Ok(reads.iter().zip(judged).map(note).collect())
    }

    /// Whether what is to be kept can ever fit.
    fn fits(&self, operation: &'static str, bytes: usize) -> Result<()> {
        match bytes as u64 > self.place.options.size {
            false => Ok(()),
            true => Err(Error::new(
                ErrorKind::Encode,
                operation,
                format!(
                    "sqlite: an entry of {bytes} bytes, and the database may take {}: state a larger `size`",
                    self.place.options.size
                ),
            )),
        }
    }

    /// The keys that begin so, and match.
    fn matching(&self, prefix: &str, pattern: Option<&str>) -> Matching {
        let all = if prefix.is_empty() {
            &self.space
        } else {
            prefix
        };
        Matching::new(all, pattern)
    }

    async fn remove_keys(&self, keys: &[&str]) -> Result<u64> {
        let mut removed = 0;
        for keys in keys.chunks(REMOVED_TOGETHER) {
            let keys: Vec<String> = keys.iter().map(|key| (*key).to_owned()).collect();
            let weight = keys.iter().map(String::len).sum();
            let remove = move |tx: &Tx<'_>| {
                let lived = keys.iter().map(|key| tx.remove(key).map(u64::from));
                lived.sum::<rusqlite::Result<u64>>()
            };
            removed += self.change("remove", weight, remove).await?;
        }
        Ok(removed)
    }

    /// Leases first, all in one transaction: a fill is refused from then on, or its entry is there to be found.
    async fn remove_matching(&self, matching: Matching) -> Result<u64> {
        let leases = matching.clone();
        let slice = move |tx: &Tx<'_>| {
            tx.end_matching_leases(&leases)?;
            tx.remove_matching(&leases, None)
        };
        let (mut removed, mut next) = self.change("remove", 0, slice).await?;
        while let Some(after) = next {
            let entries = matching.clone();
            let slice = move |tx: &Tx<'_>| tx.remove_matching(&entries, Some(&after));
            let lived;
            (lived, next) = self.change("remove", 0, slice).await?;
            removed += lived;
        }
        Ok(removed)
    }
}

/// How `sqlite://` is opened.
pub(crate) fn open(opening: &mut Opening<'_>) -> Result<Arc<dyn Store>> {
    Ok(Arc::new(Sqlite::at(opening.address, opening.prefix)?))
}

impl fmt::Debug for Sqlite {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sqlite")
            .field("path", &self.place.options.path)
            .finish_non_exhaustive()
    }
}

impl Store for Sqlite {
    fn name(&self) -> &str {
        NAME
    }

    fn lease_level(&self) -> LeaseLevel {
        LeaseLevel::Atomic
    }

    fn read<'a>(&'a self, reads: &'a [Read<'a>]) -> StoreFuture<'a, Vec<Found>> {
        Box::pin(async move {
            let mut looked = self.look_up(reads).await?;
            let due = looked.iter().zip(reads).filter(|((_, due), _)| *due);
            let due: Vec<Asked> = due.map(|(_, read)| Asked::of(read)).collect();
            if !due.is_empty() {
                let weight = due.iter().map(Asked::weight).sum();
                let lease = move |tx: &Tx<'_>| {
                    let answers = due.iter().map(|asked| asked.with(|read| tx.read(read)));
                    answers.collect::<rusqlite::Result<Vec<_>>>()
                };
                let leased = self.change("read", weight, lease).await?;
                let places = looked.iter_mut().filter(|(_, due)| *due);
                places
                    .zip(leased)
                    .for_each(|(place, found)| place.0 = found);
            }
            Ok(looked.into_iter().map(|(found, _)| found).collect())
        })
    }

    fn fill<'a>(&'a self, fills: &'a [Fill<'a>]) -> StoreFuture<'a, Vec<bool>> {
        Box::pin(async move {
            for fill in fills {
                self.fits("fill", fill.bytes.len())?;
            }
            let owned: Vec<Filling> = fills.iter().map(Filling::of).collect();
            let weight = owned.iter().map(Filling::weight).sum();
            let fill = move |tx: &Tx<'_>| {
                let filled = owned.iter().map(|fill| fill.with(|fill| tx.fill(fill)));
                filled.collect()
            };
            self.change("fill", weight, fill).await
        })
    }

    fn write<'a>(&'a self, writes: &'a [Write<'a>]) -> StoreFuture<'a, Vec<bool>> {
        Box::pin(async move {
            for write in writes {
                self.fits("write", write.bytes.len())?;
            }
            let owned: Vec<Writing> = writes.iter().map(Writing::of).collect();
            let weight = owned.iter().map(Writing::weight).sum();
            let write = move |tx: &Tx<'_>| {
                let written = owned
                    .iter()
                    .map(|write| write.with(|write| tx.write(write)));
                written.collect()
            };
            self.change("write", weight, write).await
        })
    }

    fn touch<'a>(&'a self, touch: &'a Touch<'a>) -> StoreFuture<'a, bool> {
        Box::pin(async move {
            let owned = Touching::of(touch);
            let touch = move |tx: &Tx<'_>| owned.with(|touch| tx.touch(touch));
            self.change("touch", 0, touch).await
        })
    }

    fn remaining<'a>(&'a self, keys: &'a [&'a str]) -> StoreFuture<'a, Vec<Option<Life>>> {
        Box::pin(async move {
            let keys: Vec<String> = keys.iter().map(|key| (*key).to_owned()).collect();
            let look = move |db: &rusqlite::Connection| {
                let now = wall();
                keys.iter()
                    .map(|key| read::remaining(db, key, now))
                    .collect()
            };
            self.look("remaining", look).await
        })
    }

    fn remove<'a>(&'a self, removal: &'a Removal<'a>) -> StoreFuture<'a, u64> {
        Box::pin(async move {
            match removal {
                Removal::Keys(keys) => self.remove_keys(keys).await,
                Removal::Prefix(prefix) => self.remove_matching(self.matching(prefix, None)).await,
                Removal::Pattern { prefix, pattern } => {
                    let matching = self.matching(prefix, Some(pattern));
                    self.remove_matching(matching).await
                }
            }
        })
    }

    fn tag_versions<'a>(&'a self, tags: &'a [&'a str], life: Life) -> StoreFuture<'a, TagVersions> {
        Box::pin(async move {
            let names: Vec<String> = tags.iter().map(|tag| (*tag).to_owned()).collect();
            let asked = names.clone();
            let standing = move |db: &rusqlite::Connection| {
                let now = wall();
                let tags: Vec<&str> = asked.iter().map(String::as_str).collect();
                // The epoch last: it may be newer than a version, never older.
                let versions = tags::standing(db, &tags, end(now, life), now)?;
                Ok((versions, tags::epoch(db)?))
            };
            if self.readers.is_some()
                && let (Some(versions), epoch) = self.look("tag_versions", standing).await?
            {
                return Ok(TagVersions { versions, epoch });
            }
            let make = move |tx: &Tx<'_>| {
                let tags: Vec<&str> = names.iter().map(String::as_str).collect();
                Ok(TagVersions {
                    versions: tags::make(tx, &tags, end(tx.now, life))?,
                    epoch: tags::epoch(tx.db)?,
                })
            };
            self.change("tag_versions", 0, make).await
        })
    }

    fn forget_tags<'a>(&'a self, tags: &'a [&'a str]) -> StoreFuture<'a, ()> {
        Box::pin(async move {
            let names: Vec<String> = tags.iter().map(|tag| (*tag).to_owned()).collect();
            let forget = move |tx: &Tx<'_>| {
                let tags: Vec<&str> = names.iter().map(String::as_str).collect();
                tags::forget(tx, &tags)
            };
            self.change("forget_tags", 0, forget).await
        })
    }

    fn scan<'a>(&'a self, scan: &'a Scan<'a>) -> StoreFuture<'a, Page> {
        Box::pin(async move {
            let matching = self.matching(scan.prefix, Some(scan.pattern));
            let (cursor, limit) = (scan.cursor.map(str::to_owned), scan.limit);
            let look = move |db: &rusqlite::Connection| {
                read::scan(db, &matching, cursor.as_deref(), limit, wall())
            };
            self.look("scan", look).await
        })
    }

    fn ping(&self) -> StoreFuture<'_, ()> {
        Box::pin(self.change("ping", 0, |tx| tags::epoch(tx.db).map(drop)))
    }

    fn close(&self) -> StoreFuture<'_, ()> {
        Box::pin(async move {
            if let Some(readers) = &self.readers {
                readers.close().await;
            }
            // The writer last: the last connection to close works the log off.
            self.writer.close().await;
            Ok(())
        })
    }

    fn counters(&self) -> Option<&dyn Counters> {
        Some(self)
    }

    fn locks(&self) -> Option<&dyn Locks> {
        Some(self)
    }

    fn windows(&self) -> Option<&dyn Windows> {
        Some(self)
    }

    fn bits(&self) -> Option<&dyn Bits> {
        Some(self)
    }
}

impl Counters for Sqlite {
    fn add<'a>(&'a self, key: &'a str, by: i64, life: Life) -> StoreFuture<'a, i64> {
        Box::pin(async move {
            let key = key.to_owned();
            let add = move |tx: &Tx<'_>| tx.add(&key, by, life);
            let counted = self.change("increment", 0, add).await?;
            counted.map_err(|failure| failure.of("increment", NAME))
        })
    }
}

impl Locks for Sqlite {
    fn acquire<'a>(
        &'a self,
        name: &'a str,
        owner: &'a str,
        ttl: Duration,
    ) -> StoreFuture<'a, Acquired> {
        let (name, owner) = (name.to_owned(), owner.to_owned());
        Box::pin(self.change("lock", 0, move |tx| locks::acquire(tx, &name, &owner, ttl)))
    }

    fn renew<'a>(&'a self, name: &'a str, owner: &'a str, ttl: Duration) -> StoreFuture<'a, bool> {
        let (name, owner) = (name.to_owned(), owner.to_owned());
        Box::pin(self.change("renew", 0, move |tx| locks::renew(tx, &name, &owner, ttl)))
    }

    fn release<'a>(&'a self, name: &'a str, owner: &'a str) -> StoreFuture<'a, bool> {
        let (name, owner) = (name.to_owned(), owner.to_owned());
        Box::pin(self.change("unlock", 0, move |tx| locks::release(tx, &name, &owner)))
    }

    fn held<'a>(&'a self, name: &'a str) -> StoreFuture<'a, Option<Duration>> {
        let name = name.to_owned();
        Box::pin(self.look("is_locked", move |db| locks::held(db, &name, wall())))
    }
}

impl Windows for Sqlite {
    fn admit<'a>(&'a self, key: &'a str, quota: &'a Quota) -> StoreFuture<'a, Admission> {
        let (key, quota) = (key.to_owned(), *quota);
        Box::pin(self.change("admit", 0, move |tx| windows::admit(tx, &key, &quota)))
    }
}

impl Bits for Sqlite {
    fn set<'a>(&'a self, key: &'a str, positions: &'a [u32], life: Life) -> StoreFuture<'a, u64> {
        let (key, positions) = (key.to_owned(), positions.to_vec());
        let set = move |tx: &Tx<'_>| bits::set(tx, &key, &positions, life);
        Box::pin(self.change("set_bits", 0, set))
    }

    fn test<'a>(&'a self, key: &'a str, positions: &'a [u32]) -> StoreFuture<'a, Vec<bool>> {
        let (key, positions) = (key.to_owned(), positions.to_vec());
        let test = move |db: &rusqlite::Connection| bits::test(db, &key, &positions, wall());
        Box::pin(self.look("test_bits", test))
    }

    fn clear<'a>(&'a self, key: &'a str) -> StoreFuture<'a, bool> {
        let key = key.to_owned();
        Box::pin(self.change("clear_bits", 0, move |tx| bits::clear(tx, &key)))
    }
}
