//! Entries as files, one for each: shared by the processes of one machine, and kept over restarts.
//!
//! | URL | where |
//! |---|---|
//! | `file:///var/cache/app` | a directory, by its absolute path |
//! | `file://./cache` | a directory, by its path from the working directory |
//!
//! | parameter | default | meaning |
//! |---|---|---|
//! | `size` | `1gb` | what the entries may take; beyond it those go whose use is longest ago, of a sample |
//! | `entries` | no such bound | how many entries there may be |
//! | `fsync` | `none` | `file`: an entry is forced to the disk before it takes its place; `full`: so is the directory. With `none` a loss of power may cost entries and bring removed ones back; the end of a process never does |
//! | `busy_timeout` | `1s` | how long to wait for another that changes names of the same shard |
//! | `sweep` | `5m` | how often what is past its life is removed |
//! | `threads` | `4` | threads that read and write, and reads of sync callers at a time |
//! | `sync_reads` | `thread` | `inline`: sync callers read on their own thread, which saves two switches of threads; when a disk hangs, their time limits do not hold |
//!
//! Beyond the bounds there may for a short time be up to a sixteenth more per process. All processes that share a directory should state the same bounds: the least wins.
//!
//! # How it works
//! An entry is written beside its place and renamed onto it, so it is there as a whole or not at all. Names are changed under the lock of one of 256 shards, which the operating system
//! ends when a process dies; the locked file holds the leases of the shard's keys, so checking a lease and storing are one step for all processes: leases are [`Atomic`](LeaseLevel::Atomic). A hit takes
//! no lock. Files that are partial, foreign, or links to elsewhere are nothing, and are left alone.
//!
//! Directories and files are made for their owner only. Locks are those of [`File::lock`](std::fs::File::lock): on a network file system they are as good as that is. The threads start with the first
//! operation and end with the store.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use crate::error::{Error, ErrorKind, Result};
use crate::runtime::is_parking;
use crate::store::{
    Acquired, Address, Admission, Asked, Counters, Failure, Fill, Filling, Found, LeaseLevel, Life,
    Locks, Opening, Page, Popped, Promise, Quota, Read, Removal, Scan, Store, StoreFuture,
    TagVersions, Threads, Touch, Touching, Windows, Write, Writing, answer, end, unwinding, wall,
};

mod disk;
mod entries;
mod locks;
mod name;
mod options;
mod record;
mod shard;
mod sweep;
mod tags;
mod walk;
mod windows;

use disk::Disk;
use options::{Options, SyncReads};
use walk::Matching;

/// What it is called.
const NAME: &str = "file";

type Job = Box<dyn FnOnce() + Send>;

/// A store in a directory.
///
/// ```
/// use larder::store::Store;
/// use larder::store::file::Files;
///
/// let store = Files::open("file:///var/cache/app?size=10gb&fsync=none")?;
/// assert_eq!(store.name(), "file");
/// # Ok::<(), larder::Error>(())
/// ```
pub struct Files {
    disk: Arc<Disk>,
    threads: Threads<Job>,
    sweeper: Threads<()>,
    /// Whether the sweeper was told that there may be too much.
    hinted: AtomicBool,
    /// How many sync callers read on their own threads.
    inline: AtomicUsize,
    closed: AtomicBool,
    /// What the keys of this store begin with: no prefix means all of these.
    space: String,
}

impl Files {
    /// The store of a URL. Touches no file yet.
    ///
    /// # Errors
    /// [`ErrorKind::Config`] for a URL that says something else.
    pub fn open(url: &str) -> Result<Self> {
        let mut address = Address::parse(url)?;
        if address.scheme() != NAME {
            return Err(Error::new(
                ErrorKind::Config,
                NAME,
                "the URL of a directory begins with `file://`",
            ));
        }
        let store = Self::at(&mut address, "")?;
        address.finish()?;
        Ok(store)
    }

    fn at(address: &mut Address, space: &str) -> Result<Self> {
        let disk = Arc::new(Disk::new(Options::take(address)?));
        let of_sweeper = Arc::clone(&disk);
        Ok(Self {
            threads: Threads::new("larder-file", disk.options.threads, |jobs| {
                while let Popped::Job(job) = jobs.pop(None) {
                    let job: Job = job;
                    unwinding(job);
                }
            }),
            sweeper: Threads::new("larder-file-s", 1, move |hints| {
                sweep::run(&of_sweeper, hints);
            }),
            disk,
            hinted: AtomicBool::new(false),
            inline: AtomicUsize::new(0),
            closed: AtomicBool::new(false),
            space: space.to_owned(),
        })
    }

    /// Has a thread do something.
    async fn work<T: Send + 'static>(
        &self,
        operation: &'static str,
        weight: usize,
        work: impl FnOnce(&Disk) -> Result<T, Failure> + Send + 'static,
    ) -> Result<T> {
        let (promise, answer) = answer();
        let promise: Promise<Result<T, Failure>> = promise;
        let disk = Arc::clone(&self.disk);
        let job: Job = Box::new(move || {
            if promise.is_wanted() {
                promise.keep(work(&disk));
            }
        });
        let answered = match self.threads.push(job, weight).await {
            Ok(()) => answer.await.unwrap_or_else(|| Err(Failure::closed())),
            Err(failure) => Err(failure),
        };
        answered.map_err(|failure| failure.of(operation, NAME))
    }

    /// As [`work`](Self::work), with something that may add to what is kept.
    async fn change<T: Send + 'static>(
        &self,
        operation: &'static str,
        weight: usize,
        work: impl FnOnce(&Disk) -> Result<T, Failure> + Send + 'static,
    ) -> Result<T> {
        let outcome = self.work(operation, weight, work).await;
        let due = self.disk.may_be_over() && !self.hinted.swap(true, Ordering::AcqRel);
        if due {
            // Only a closed store takes no hint.
            drop(self.sweeper.push((), 0).await);
            self.hinted.store(false, Ordering::Release);
        } else {
            drop(self.sweeper.start());
        }
        outcome
    }

    /// Has this thread do something, if it may be held up, or else another.
    ///
    /// Handing a read to another thread and waiting for it costs more than the read. A caller that parks its thread until the answer comes loses nothing by reading
    /// itself, except that nobody can call it back when the disk hangs; so no more callers than there are threads do that at a time.
    fn lend(&self) -> Option<Lent<'_>> {
        let inline = self.disk.options.sync_reads == SyncReads::Inline && is_parking();
        if !inline || self.closed.load(Ordering::Acquire) {
            return None;
        }
        let most = self.disk.options.threads;
        let one_more = |lent| (lent < most).then_some(lent + 1);
        self.inline
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, one_more)
            .ok()
            .map(|_| Lent(&self.inline))
    }

    async fn look_up(&self, reads: &[Read<'_>]) -> Result<Vec<(Found, bool)>> {
        if let Some(_lent) = self.lend() {
            let looked = reads.iter().map(|read| entries::look(&self.disk, read));
            let looked: Result<Vec<_>, Failure> = looked.collect();
            return looked.map_err(|failure| failure.of("read", NAME));
        }
        let asked: Vec<Asked> = reads.iter().map(Asked::of).collect();
        let weight = asked.iter().map(Asked::weight).sum();
        let look = move |disk: &Disk| {
            let looked = asked
                .iter()
                .map(|asked| asked.with(|read| entries::look(disk, read)));
            looked.collect()
        };
        self.work("read", weight, look).await
    }

    /// Whether what is to be kept can ever fit.
    fn fits(&self, operation: &'static str, bytes: usize) -> Result<()> {
        match bytes as u64 > self.disk.options.size {
            false => Ok(()),
            true => Err(Error::new(
                ErrorKind::Encode,
                operation,
                format!(
                    "file: an entry of {bytes} bytes, and all together may take {}: state a larger `size`",
                    self.disk.options.size
                ),
            )),
        }
    }

    fn matching(&self, prefix: &str, pattern: Option<&str>) -> Matching {
        let all = if prefix.is_empty() {
            &self.space
        } else {
            prefix
        };
        Matching {
            prefix: all.to_owned(),
            pattern: pattern.filter(|p| *p != "*").map(str::to_owned),
        }
    }

    async fn remove_matching(&self, matching: Matching) -> Result<u64> {
        let mut removed = 0;
        for shard in 0..=u8::MAX {
            let matching = matching.clone();
            let remove = move |disk: &Disk| walk::remove(disk, &matching, shard);
            removed += self.work("remove", 0, remove).await?;
        }
        Ok(removed)
    }
}

/// See [`Files::lend`].
struct Lent<'a>(&'a AtomicUsize);

impl Drop for Lent<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

/// How `file://` is opened.
pub(crate) fn open(opening: &mut Opening<'_>) -> Result<Arc<dyn Store>> {
    Ok(Arc::new(Files::at(opening.address, opening.prefix)?))
}

impl fmt::Debug for Files {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Files")
            .field("root", &self.disk.options.root)
            .finish_non_exhaustive()
    }
}

impl Store for Files {
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
                let lease = move |disk: &Disk| {
                    let leased = due
                        .iter()
                        .map(|asked| asked.with(|read| entries::look_and_lease(disk, read)));
                    leased.collect::<Result<Vec<_>, Failure>>()
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
            let fill = move |disk: &Disk| {
                let filled = owned
                    .iter()
                    .map(|fill| fill.with(|fill| entries::fill(disk, fill)));
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
            let write = move |disk: &Disk| {
                let written = owned
                    .iter()
                    .map(|write| write.with(|write| entries::write(disk, write)));
                written.collect()
            };
            self.change("write", weight, write).await
        })
    }

    fn touch<'a>(&'a self, touch: &'a Touch<'a>) -> StoreFuture<'a, bool> {
        Box::pin(async move {
            let owned = Touching::of(touch);
            let touch = move |disk: &Disk| owned.with(|touch| entries::touch(disk, touch));
            self.change("touch", 0, touch).await
        })
    }

    fn remaining<'a>(&'a self, keys: &'a [&'a str]) -> StoreFuture<'a, Vec<Option<Life>>> {
        Box::pin(async move {
            let keys: Vec<String> = keys.iter().map(|key| (*key).to_owned()).collect();
            let look = move |disk: &Disk| {
                keys.iter()
                    .map(|key| entries::remaining(disk, key))
                    .collect()
            };
            self.work("remaining", 0, look).await
        })
    }

    fn remove<'a>(&'a self, removal: &'a Removal<'a>) -> StoreFuture<'a, u64> {
        Box::pin(async move {
            let (prefix, pattern) = match *removal {
                Removal::Prefix(prefix) => (prefix, None),
                Removal::Pattern { prefix, pattern } => (prefix, Some(pattern)),
                Removal::Keys(keys) => {
                    let keys: Vec<String> = keys.iter().map(|key| (*key).to_owned()).collect();
                    let weight = keys.iter().map(String::len).sum();
                    let remove = move |disk: &Disk| {
                        let lived = keys.iter().map(|key| entries::remove(disk, key));
                        lived.map(|lived| lived.map(u64::from)).sum()
                    };
                    return self.work("remove", weight, remove).await;
                }
            };
            self.remove_matching(self.matching(prefix, pattern)).await
        })
    }

    fn tag_versions<'a>(&'a self, tags: &'a [&'a str], life: Life) -> StoreFuture<'a, TagVersions> {
        Box::pin(async move {
            let names: Vec<String> = tags.iter().map(|tag| (*tag).to_owned()).collect();
            let make = move |disk: &Disk| {
                let tags: Vec<&str> = names.iter().map(String::as_str).collect();
                Ok(TagVersions {
                    versions: tags::make(disk, &tags, end(wall(), life))?,
                    epoch: tags::epoch(disk)?,
                })
            };
            self.change("tag_versions", 0, make).await
        })
    }

    fn forget_tags<'a>(&'a self, tags: &'a [&'a str]) -> StoreFuture<'a, ()> {
        Box::pin(async move {
            let names: Vec<String> = tags.iter().map(|tag| (*tag).to_owned()).collect();
            let forget = move |disk: &Disk| {
                let tags: Vec<&str> = names.iter().map(String::as_str).collect();
                tags::forget(disk, &tags)
            };
            self.work("forget_tags", 0, forget).await
        })
    }

    fn scan<'a>(&'a self, scan: &'a Scan<'a>) -> StoreFuture<'a, Page> {
        Box::pin(async move {
            let matching = self.matching(scan.prefix, Some(scan.pattern));
            let (cursor, limit) = (scan.cursor.map(str::to_owned), scan.limit);
            let look = move |disk: &Disk| walk::scan(disk, &matching, cursor.as_deref(), limit);
            self.work("scan", 0, look).await
        })
    }

    fn ping(&self) -> StoreFuture<'_, ()> {
        Box::pin(self.work("ping", 0, Disk::probe))
    }

    fn close(&self) -> StoreFuture<'_, ()> {
        Box::pin(async move {
            self.closed.store(true, Ordering::Release);
            self.threads.close().await;
            self.sweeper.close().await;
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
}

impl Counters for Files {
    fn add<'a>(&'a self, key: &'a str, by: i64, life: Life) -> StoreFuture<'a, i64> {
        let key = key.to_owned();
        let add = move |disk: &Disk| entries::add(disk, &key, by, life);
        Box::pin(self.change("increment", 0, add))
    }
}

impl Locks for Files {
    fn acquire<'a>(
        &'a self,
        name: &'a str,
        owner: &'a str,
        ttl: Duration,
    ) -> StoreFuture<'a, Acquired> {
        let (name, owner) = (name.to_owned(), owner.to_owned());
        Box::pin(self.change("lock", 0, move |disk| {
            locks::acquire(disk, &name, &owner, ttl)
        }))
    }

    fn renew<'a>(&'a self, name: &'a str, owner: &'a str, ttl: Duration) -> StoreFuture<'a, bool> {
        let (name, owner) = (name.to_owned(), owner.to_owned());
        Box::pin(self.change("renew", 0, move |disk| {
            locks::renew(disk, &name, &owner, ttl)
        }))
    }

    fn release<'a>(&'a self, name: &'a str, owner: &'a str) -> StoreFuture<'a, bool> {
        let (name, owner) = (name.to_owned(), owner.to_owned());
        Box::pin(self.change("unlock", 0, move |disk| locks::release(disk, &name, &owner)))
    }

    fn held<'a>(&'a self, name: &'a str) -> StoreFuture<'a, Option<Duration>> {
        let name = name.to_owned();
        Box::pin(self.work("is_locked", 0, move |disk| locks::held(disk, &name)))
    }
}

impl Windows for Files {
    fn admit<'a>(&'a self, key: &'a str, quota: &'a Quota) -> StoreFuture<'a, Admission> {
        let (key, quota) = (key.to_owned(), *quota);
        Box::pin(self.change("admit", 0, move |disk| windows::admit(disk, &key, &quota)))
    }
}
