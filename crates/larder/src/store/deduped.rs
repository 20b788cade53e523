//! A store that is not sent again what it has.

use std::collections::{HashMap, VecDeque};
use std::hash::BuildHasher;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use foldhash::quality::RandomState;
use parking_lot::Mutex;

use super::{
    Bits, Counters, Fill, Found, Head, Invalidations, LeaseLevel, Life, Locks, Page, Read, Removal,
    Scan, Store, StoreFuture, TagVersions, Token, Touch, Windows, Write,
};
use crate::error::Result;

/// How many entries are remembered by default: a few MB.
const REMEMBERED: usize = 10_000;

/// A [`Store`] that moves a refreshed entry's times without moving its body, when that has not changed.
///
/// What a reading with a lease found is remembered by 128 bits of a keyed hash, for at most so many keys (10 000 by default). A fill under that lease with an equal body and a
/// head of the same length then becomes a [`touch`](Store::touch); one that is refused is a whole fill. Bodies that are encrypted are never equal.
/// Writes are always whole: they have to end leases.
///
/// When another process fills the same key under the same lease with another body in between, that body stays, with this head; a signed entry is then a
/// miss.
#[derive(Debug)]
pub struct Deduped {
    store: Arc<dyn Store>,
    seen: Mutex<Seen>,
    hashers: [RandomState; 2],
    most: usize,
    saved: AtomicU64,
}

/// What readings with a lease found, the oldest first.
#[derive(Debug, Default)]
struct Seen {
    bodies: HashMap<String, Body, foldhash::fast::RandomState>,
    order: VecDeque<(String, u64)>,
    arrivals: u64,
}

#[derive(Debug)]
struct Body {
    lease: Token,
    head: Shape,
    hash: [u64; 2],
    length: usize,
    arrival: u64,
}

/// How a body is to be read, and where it begins.
#[derive(Debug, PartialEq, Eq)]
struct Shape {
    format: u8,
    compression: u8,
    sealing: u8,
    fingerprint: u64,
    length: usize,
}

impl Deduped {
    /// Remembers 10 000 entries.
    pub fn new(store: Arc<dyn Store>) -> Self {
        Self {
            store,
            seen: Mutex::default(),
            hashers: [RandomState::default(), RandomState::default()],
            most: REMEMBERED,
            saved: AtomicU64::new(0),
        }
    }

    /// Remembers at most so many entries.
    #[must_use]
    pub fn remembered(self, most: usize) -> Self {
        Self { most, ..self }
    }

    /// How many bytes of bodies were not sent.
    #[must_use]
    pub fn saved(&self) -> u64 {
        self.saved.load(Ordering::Relaxed)
    }

    fn body(&self, bytes: &[u8], lease: &Token) -> Option<Body> {
        let (head, length) = Head::parse(bytes)?;
        let body = &bytes[length..];
        Some(Body {
            lease: lease.clone(),
            head: Shape {
                format: head.format,
                compression: head.compression,
                sealing: head.sealing,
                fingerprint: head.fingerprint,
                length,
            },
            hash: [0, 1].map(|n| self.hashers[n].hash_one(body)),
            length: body.len(),
            arrival: 0,
        })
    }

    async fn read_and_see(&self, reads: &[Read<'_>]) -> Result<Vec<Found>> {
        let found = self.store.read(reads).await?;
        for (read, found) in reads.iter().zip(&found) {
            let lease = found.lease.as_ref();
            let body = lease.zip(found.bytes.as_deref());
            if let Some(body) = body.and_then(|(lease, bytes)| self.body(bytes, lease)) {
                self.seen.lock().see(read.key, body, self.most);
            }
        }
        Ok(found)
    }

    async fn fill_what_changed(&self, fills: &[Fill<'_>]) -> Result<Vec<bool>> {
        let mut filled = vec![false; fills.len()];
        let mut whole = Vec::new();
        for (number, fill) in fills.iter().enumerate() {
            // Two fills of one key in a batch keep their order when both are whole.
            let is_again = fills[..number].iter().any(|other| other.key == fill.key);
            filled[number] = !is_again && self.touched(fill).await?;
            if !filled[number] {
                whole.push(number);
            }
        }
        if whole.is_empty() {
            return Ok(filled);
        }
        let rest: Vec<Fill<'_>> = whole.iter().map(|number| fills[*number]).collect();
        for (number, done) in whole.into_iter().zip(self.store.fill(&rest).await?) {
            filled[number] = done;
        }
        Ok(filled)
    }

    /// Whether a new head was enough.
    async fn touched(&self, fill: &Fill<'_>) -> Result<bool> {
        let seen = self.seen.lock().take(fill.key);
        let Some(seen) = seen.filter(|seen| seen.lease == *fill.lease) else {
            return Ok(false);
        };
        let Some(body) = self.body(fill.bytes, fill.lease) else {
            return Ok(false);
        };
        let is_same = (&body.head, body.hash, body.length) == (&seen.head, seen.hash, seen.length);
        if !is_same {
            return Ok(false);
        }
        let touch = Touch {
            key: fill.key,
            head: &fill.bytes[..body.head.length],
            life: fill.life,
            lease: fill.lease,
        };
        let touched = self.store.touch(&touch).await?;
        if touched {
            self.saved.fetch_add(body.length as u64, Ordering::Relaxed);
        }
        Ok(touched)
    }
}

impl Seen {
    fn see(&mut self, key: &str, body: Body, most: usize) {
        self.arrivals += 1;
        let arrival = self.arrivals;
        self.order.push_back((key.to_owned(), arrival));
        self.bodies.insert(key.to_owned(), Body { arrival, ..body });
        // Also those that were taken: the queue is as bounded as the table.
        while self.order.len() > most {
            let Some((key, arrival)) = self.order.pop_front() else {
                return;
            };
            if self
                .bodies
                .get(&key)
                .is_some_and(|body| body.arrival == arrival)
            {
                self.bodies.remove(&key);
            }
        }
    }

    /// Once: whoever fills after this one may find another body there.
    fn take(&mut self, key: &str) -> Option<Body> {
        self.bodies.remove(key)
    }
}

#[deny(clippy::missing_trait_methods)]
impl Store for Deduped {
    fn name(&self) -> &str {
        self.store.name()
    }

    fn lease_level(&self) -> LeaseLevel {
        self.store.lease_level()
    }

    fn read<'a>(&'a self, reads: &'a [Read<'a>]) -> StoreFuture<'a, Vec<Found>> {
        Box::pin(self.read_and_see(reads))
    }

    fn fill<'a>(&'a self, fills: &'a [Fill<'a>]) -> StoreFuture<'a, Vec<bool>> {
        Box::pin(self.fill_what_changed(fills))
    }

    fn write<'a>(&'a self, writes: &'a [Write<'a>]) -> StoreFuture<'a, Vec<bool>> {
        self.store.write(writes)
    }

    fn touch<'a>(&'a self, touch: &'a Touch<'a>) -> StoreFuture<'a, bool> {
        self.store.touch(touch)
    }

    fn remaining<'a>(&'a self, keys: &'a [&'a str]) -> StoreFuture<'a, Vec<Option<Life>>> {
        self.store.remaining(keys)
    }

    fn remove<'a>(&'a self, removal: &'a Removal<'a>) -> StoreFuture<'a, u64> {
        self.store.remove(removal)
    }

    fn tag_versions<'a>(&'a self, tags: &'a [&'a str], life: Life) -> StoreFuture<'a, TagVersions> {
        self.store.tag_versions(tags, life)
    }

    fn forget_tags<'a>(&'a self, tags: &'a [&'a str]) -> StoreFuture<'a, ()> {
        self.store.forget_tags(tags)
    }

    fn scan<'a>(&'a self, scan: &'a Scan<'a>) -> StoreFuture<'a, Page> {
        self.store.scan(scan)
    }

    fn ping(&self) -> StoreFuture<'_, ()> {
        self.store.ping()
    }

    fn close(&self) -> StoreFuture<'_, ()> {
        self.store.close()
    }

    fn counters(&self) -> Option<&dyn Counters> {
        self.store.counters()
    }

    fn locks(&self) -> Option<&dyn Locks> {
        self.store.locks()
    }

    fn windows(&self) -> Option<&dyn Windows> {
        self.store.windows()
    }

    fn bits(&self) -> Option<&dyn Bits> {
        self.store.bits()
    }

    fn invalidations(&self) -> Option<&dyn Invalidations> {
        self.store.invalidations()
    }
}
