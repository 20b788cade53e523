//! A store of one's own: entries on a shelf in this process, behind URLs like `shelf://main?records=1000`.

use std::collections::BTreeMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use larder::conformance::{self, Expect, Power, Subject};
use larder::runtime::{BoxFuture, Runtime, SystemRuntime};
use larder::store::*;
use larder::{Error, ErrorKind, Source, cached, detect_async};

/// Records of different kinds never meet: a key and a tag may be any text, also the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Entry,
    Lease,
    Tag,
}

/// What all handles of one place share; a server would hold it.
#[derive(Debug)]
struct Shelf {
    records: BTreeMap<(Kind, String), Record>,
    epoch: u64,
}

#[derive(Debug)]
struct Record {
    bytes: Vec<u8>,
    end: Option<Instant>,
}

fn random() -> u64 {
    RandomState::new().hash_one(()).max(1)
}

/// `None`: never, and so also what no clock reaches.
fn end(life: Life) -> Option<Instant> {
    Instant::now().checked_add(life?)
}

impl Record {
    fn lives(&self) -> bool {
        self.end.is_none_or(|end| Instant::now() < end)
    }
}

impl Shelf {
    fn get(&self, kind: Kind, name: &str) -> Option<&Record> {
        let record = self.records.get(&(kind, name.to_owned()))?;
        record.lives().then_some(record)
    }

    fn put(&mut self, kind: Kind, name: &str, bytes: &[u8], end: Option<Instant>) {
        let bytes = bytes.to_vec();
        let name = (kind, name.to_owned());
        self.records.insert(name, Record { bytes, end });
    }

    /// The version of a tag; 0 where there is none.
    fn version(&self, tag: &str) -> u64 {
        let bytes = self.get(Kind::Tag, tag).map(|tag| &tag.bytes[..]);
        bytes.map_or(0, |bytes| bytes.try_into().map_or(0, u64::from_be_bytes))
    }

    /// The number of a lease or a tag, made where there is none, and living at least so long.
    fn lasting(&mut self, kind: Kind, name: &str, life: Life) -> [u8; 8] {
        let there = self.get(kind, name);
        let number = there.and_then(|there| there.bytes[..].try_into().ok());
        let longer = |there: &Record| there.end.zip(end(life)).map(|(a, b)| a.max(b));
        let until = there.map_or(end(life), longer);
        let number = number.unwrap_or_else(|| random().to_be_bytes());
        self.put(kind, name, &number, until);
        number
    }

    fn read(&mut self, read: &Read<'_>) -> Found {
        let entry = self.get(Kind::Entry, read.key);
        let bytes = entry.map(|entry| entry.bytes.clone());
        // Whether its tags stand is seen by the reader, who gets their versions.
        let served = bytes
            .as_deref()
            .is_some_and(|bytes| match Head::parse(bytes) {
                Some((head, _)) => head.can_be_served(read.now),
                // Anything without a head can be served, but 0xC1 begins one that broke off.
                None => bytes.first() != Some(&0xC1),
            });
        if read.ask == Ask::Entry || read.ask == Ask::EntryOrLease && served {
            let versions = read.tags.iter().map(|tag| self.version(tag)).collect();
            return Found {
                bytes,
                versions,
                ..Found::default()
            };
        }
        let life = read.life.and_then(|life| life.checked_add(read.lease));
        let version = |tag: &&str| u64::from_be_bytes(self.lasting(Kind::Tag, tag, life));
        let versions = read.tags.iter().map(version).collect();
        // Readers of one key share a token: a lease is a right, not a lock.
        let token = self.lasting(Kind::Lease, read.key, Some(read.lease));
        let (lease, epoch) = (Some(Token::new(token)), self.epoch);
        Found {
            bytes,
            versions,
            lease,
            epoch,
        }
    }

    fn fill(&mut self, fill: &Fill<'_>) -> bool {
        let lease = self.get(Kind::Lease, fill.key);
        let stands = lease.is_some_and(|lease| lease.bytes == fill.lease.as_bytes());
        if stands {
            self.put(Kind::Entry, fill.key, fill.bytes, end(fill.life));
        }
        stands
    }

    fn write(&mut self, write: &Write<'_>) -> bool {
        let is_there = self.get(Kind::Entry, write.key).is_some();
        let holds = write.condition == Condition::Always
            || is_there == (write.condition == Condition::Present);
        if holds {
            self.put(Kind::Entry, write.key, write.bytes, end(write.life));
            self.records.remove(&(Kind::Lease, write.key.to_owned()));
        }
        holds
    }

    /// Removes records; how many living entries there were.
    fn remove(&mut self, is_meant: impl Fn(Kind, &str) -> bool) -> u64 {
        let mut entries = 0;
        self.records.retain(|(kind, name), record| {
            let (lives, is_meant) = (record.lives(), is_meant(*kind, name));
            entries += u64::from(lives && is_meant && *kind == Kind::Entry);
            lives && !is_meant
        });
        entries
    }

    /// What ended goes. If more than half of what there may be is left, that goes too, which costs loads, never truth.
    fn make_room(&mut self, most: usize) {
        if self.records.len() > most {
            self.remove(|_, _| false);
            if self.records.len() > most / 2 {
                self.records.clear();
            }
        }
    }
}

/// One handle on a shelf, as one process has it.
#[derive(Debug)]
struct ShelfStore {
    shelf: Arc<Mutex<Shelf>>,
    prefix: String,
    most: usize,
    closed: AtomicBool,
}

impl ShelfStore {
    fn with<'a, T: 'a>(
        &'a self,
        operation: &'static str,
        work: impl FnOnce(&mut Shelf) -> T + Send + 'a,
    ) -> StoreFuture<'a, T> {
        Box::pin(async move {
            if self.closed.load(Ordering::Acquire) {
                let message = "the shelf was closed";
                return Err(Error::new(ErrorKind::Closed, operation, message));
            }
            let mut shelf = self.shelf.lock().unwrap_or_else(PoisonError::into_inner);
            let answer = work(&mut shelf);
            shelf.make_room(self.most);
            Ok(answer)
        })
    }
}

fn no<'a, T>(operation: &'static str) -> StoreFuture<'a, T> {
    Box::pin(async move {
        Err(Error::unsupported(
            operation,
            "shelf",
            "it knows no patterns",
        ))
    })
}

impl Store for ShelfStore {
    fn name(&self) -> &str {
        "shelf"
    }

    fn lease_level(&self) -> LeaseLevel {
        LeaseLevel::Atomic
    }

    fn read<'a>(&'a self, reads: &'a [Read<'a>]) -> StoreFuture<'a, Vec<Found>> {
        self.with("read", |shelf| {
            reads.iter().map(|read| shelf.read(read)).collect()
        })
    }

    fn fill<'a>(&'a self, fills: &'a [Fill<'a>]) -> StoreFuture<'a, Vec<bool>> {
        self.with("fill", |shelf| {
            fills.iter().map(|fill| shelf.fill(fill)).collect()
        })
    }

    fn write<'a>(&'a self, writes: &'a [Write<'a>]) -> StoreFuture<'a, Vec<bool>> {
        self.with("write", |shelf| {
            writes.iter().map(|write| shelf.write(write)).collect()
        })
    }

    fn touch<'a>(&'a self, _: &'a Touch<'a>) -> StoreFuture<'a, bool> {
        self.with("touch", |_| false) // The caller then writes the entry whole.
    }

    fn remaining<'a>(&'a self, keys: &'a [&'a str]) -> StoreFuture<'a, Vec<Option<Life>>> {
        self.with("remaining", |shelf| {
            let left = |end: Instant| end.saturating_duration_since(Instant::now());
            let entries = keys.iter().map(|key| shelf.get(Kind::Entry, key));
            entries.map(|entry| Some(entry?.end.map(left))).collect()
        })
    }

    fn remove<'a>(&'a self, removal: &'a Removal<'a>) -> StoreFuture<'a, u64> {
        let (keys, prefix): (&[&str], _) = match removal {
            Removal::Keys(keys) => (keys, None),
            Removal::Prefix("") => (&[], Some(&*self.prefix)), // All of this handle's.
            Removal::Prefix(prefix) => (&[], Some(*prefix)),
            Removal::Pattern { .. } => return no("remove"),
        };
        let is_meant =
            move |key: &str| keys.contains(&key) || prefix.is_some_and(|p| key.starts_with(p));
        // Leases go also where there is no entry: what is being computed now is not to be stored.
        let work =
            move |shelf: &mut Shelf| shelf.remove(|kind, key| kind != Kind::Tag && is_meant(key));
        self.with("remove", work)
    }

    fn tag_versions<'a>(&'a self, tags: &'a [&'a str], life: Life) -> StoreFuture<'a, TagVersions> {
        self.with("tag_versions", move |shelf| {
            let version = |tag: &&str| u64::from_be_bytes(shelf.lasting(Kind::Tag, tag, life));
            let versions = tags.iter().map(version).collect();
            TagVersions {
                versions,
                epoch: shelf.epoch,
            }
        })
    }

    fn forget_tags<'a>(&'a self, tags: &'a [&'a str]) -> StoreFuture<'a, ()> {
        self.with("forget_tags", |shelf| {
            shelf.remove(|kind, tag| kind == Kind::Tag && tags.contains(&tag));
            shelf.epoch = random();
        })
    }

    fn scan<'a>(&'a self, _: &'a Scan<'a>) -> StoreFuture<'a, Page> {
        no("scan")
    }

    fn ping(&self) -> StoreFuture<'_, ()> {
        self.with("ping", |_| ())
    }

    fn close(&self) -> StoreFuture<'_, ()> {
        self.closed.store(true, Ordering::Release);
        Box::pin(async { Ok(()) })
    }
}

/// Opens `shelf://name`.
fn open(opening: &mut Opening<'_>) -> larder::Result<Arc<dyn Store>> {
    static SHELVES: Mutex<BTreeMap<String, Arc<Mutex<Shelf>>>> = Mutex::new(BTreeMap::new());
    let most = opening.address.number("records")?.unwrap_or(100_000);
    let mut shelves = SHELVES.lock().unwrap_or_else(PoisonError::into_inner);
    let shelf = shelves
        .entry(opening.address.place().to_owned())
        .or_insert_with(|| {
            let records = BTreeMap::new();
            Arc::new(Mutex::new(Shelf {
                records,
                epoch: random(),
            }))
        });
    Ok(Arc::new(ShelfStore {
        shelf: shelf.clone(),
        prefix: opening.prefix.to_owned(),
        most: usize::try_from(most).unwrap_or(usize::MAX),
        closed: AtomicBool::new(false),
    }))
}

/// How the conformance suite opens it: each time a new handle on the same shelf.
struct Conforming;

impl Subject for Conforming {
    fn open<'a>(&'a self, prefix: &'a str) -> BoxFuture<'a, larder::Result<Arc<dyn Store>>> {
        Box::pin(async move {
            let mut address = Address::parse("shelf://conformance")?;
            let runtime: Arc<dyn Runtime> = Arc::new(SystemRuntime::new());
            let (address, runtime) = (&mut address, &runtime);
            larder::store::open(&mut Opening {
                address,
                prefix,
                runtime,
            })
        })
    }

    fn expect(&self) -> Expect {
        use Power::*;
        let lacks = [
            Scan,
            Patterns,
            Touch,
            Counters,
            Locks,
            Windows,
            Bits,
            Invalidations,
        ];
        lacks
            .into_iter()
            .fold(Expect::everything(), Expect::unsupported)
    }
}

#[cached(key = "square:{n}", ttl = "10m", tags = ["squares"])]
async fn square(n: u64) -> u64 {
    n * n
}

#[tokio::main]
async fn main() -> larder::Result<()> {
    larder::store::register("shelf", open)?;
    let cache = larder::setup("shelf://main?records=1000&prefix=demo:").await?;
    assert_eq!(square(7).await, 49);
    let (again, reads) = detect_async(square(7)).await;
    let tier = reads[0].tier.as_deref();
    assert_eq!(
        (again, reads[0].source, tier),
        (49, Source::Fresh, Some("shelf"))
    );
    println!("square(7) = {again}, answered by the shelf");
    cache.delete_tags(["squares"]).await?;
    let (_, reads) = detect_async(square(7)).await;
    assert_eq!(reads[0].source, Source::Loaded, "its tag was forgotten");

    let failures = conformance::check(&Conforming).await;
    assert!(failures.is_empty(), "{failures:#?}");
    println!(
        "{} cases of the conformance suite hold",
        conformance::cases().len()
    );
    Ok(())
}
