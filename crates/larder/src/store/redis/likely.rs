//! What is likely to be there: a guess that only chooses between two right ways of reading.
//!
//! A script that looks and leases costs the server several times what GET does. So a key that was there a moment ago, and should be there still, is asked for with GET; if it is not there after all, the script
//! follows in a second round trip. A key of which nothing is known is asked for with the script at once.

use std::sync::LazyLock;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};

use foldhash::fast::RandomState;

use crate::store::{Life, MAGIC};

/// Keys that are remembered; of two in one place the later stays.
const PLACES: usize = 1 << 16;
/// How long bytes without a head are expected to stay, in milliseconds: nothing says it.
const A_WHILE: u64 = 10_000;

/// For each place a mark of the key (24 bits), the round of tags (8 bits; 0: no tags) and the second until which the entry can be served (32 bits).
pub(super) struct Likely {
    places: LazyLock<Box<[AtomicU64]>>,
    hasher: RandomState,
    round: AtomicU8,
}

/// What a look at an entry's first bytes tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Glance {
    /// In milliseconds since 1970.
    pub(super) stale_until: u64,
    pub(super) tags: u16,
    written: u64,
}

/// The times of an entry; `None` for one whose head cannot be read.
pub(super) fn glance(bytes: &[u8], now: u64) -> Option<Glance> {
    if bytes.first() != Some(&MAGIC) {
        return Some(Glance {
            stale_until: now.saturating_add(A_WHILE),
            tags: 0,
            written: now,
        });
    }
    if bytes.get(1) != Some(&1) {
        return None;
    }
    let number = |at: usize| {
        let bytes = bytes.get(at..at + 8)?.try_into().ok()?;
        Some(u64::from_be_bytes(bytes))
    };
    Some(Glance {
        stale_until: number(26)?,
        tags: u16::from_be_bytes(bytes.get(66..68)?.try_into().ok()?),
        written: number(10)?,
    })
}

impl Likely {
    pub(super) fn new() -> Self {
        Self {
            places: LazyLock::new(|| (0..PLACES).map(|_| AtomicU64::new(0)).collect()),
            hasher: RandomState::default(),
            round: AtomicU8::new(1),
        }
    }

    /// Whether the entry can probably be served at this time.
    pub(super) fn there(&self, key: &str, now: u64) -> bool {
        let (place, mark) = self.place(key);
        let known = place.load(Ordering::Relaxed);
        let round = (known >> 32) as u8;
        known >> 40 == mark
            && (known & 0xFFFF_FFFF) > now / 1_000
            && (round == 0 || round == self.round.load(Ordering::Relaxed))
    }

    /// It was served, and its tags were compared with those that were asked for.
    pub(super) fn seen(&self, key: &str, glance: Glance) {
        let round = match glance.tags {
            0 => 0,
            _ => self.round.load(Ordering::Relaxed),
        };
        let (place, mark) = self.place(key);
        let until = (glance.stale_until / 1_000).min(u64::from(u32::MAX));
        let known = mark << 40 | u64::from(round) << 32 | until;
        if place.load(Ordering::Relaxed) != known {
            place.store(known, Ordering::Relaxed);
        }
    }

    /// It was stored for so long. Which of its tags a reader will ask for is not known.
    pub(super) fn stored(&self, key: &str, bytes: &[u8], life: Life) {
        match glance(bytes, 0) {
            Some(glance) if glance.tags == 0 && bytes.first() == Some(&MAGIC) => {
                let life = life.map_or(u64::MAX, |life| {
                    u64::try_from(life.as_millis()).unwrap_or(u64::MAX)
                });
                let stale_until = glance.stale_until.min(glance.written.saturating_add(life));
                self.seen(
                    key,
                    Glance {
                        stale_until,
                        ..glance
                    },
                );
            }
            _ => self.gone(key),
        }
    }

    /// It is not there.
    pub(super) fn gone(&self, key: &str) {
        let (place, mark) = self.place(key);
        if place.load(Ordering::Relaxed) >> 40 == mark {
            place.store(0, Ordering::Relaxed);
        }
    }

    /// What has tags may be gone.
    pub(super) fn tags_gone(&self) {
        let next = |round: u8| Some(round.checked_add(1).unwrap_or(1));
        let _ = self
            .round
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, next);
    }

    /// Anything may be gone.
    pub(super) fn all_gone(&self) {
        for place in self.places.iter() {
            place.store(0, Ordering::Relaxed);
        }
    }

    fn place(&self, key: &str) -> (&AtomicU64, u64) {
        use std::hash::BuildHasher;
        let hash = self.hasher.hash_one(key);
        // Never 0, which marks an empty place.
        let mark = (hash >> 40) | 1;
        (&self.places[hash as usize % PLACES], mark)
    }
}
