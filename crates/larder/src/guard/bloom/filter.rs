//! One filter on one cache: what is asked of its bits.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use super::fill::{Fill, Lost, Mark};
use super::size::{HEADER, READY, Size};
use super::{Mode, Place, Settings};
use crate::error::{Error, ErrorKind, Result};
use crate::event::Event;
use crate::guard::Ground;
use crate::guard::states::State;
use crate::key::{Key, KeyBuf};
use crate::runtime::Timestamp;
use crate::store::Bits;

/// What a filter says of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Said {
    No,
    /// Nobody has said yet what it holds.
    NotReady,
    Maybe,
    /// Only of a pair: the function has said so, or something that looks like it.
    Yes,
}

/// A filter, its bits and its row.
pub(crate) struct Filter<'a> {
    ground: &'a dyn Ground,
    bits: &'a dyn Bits,
    /// Who keeps the bits.
    keeper: &'a str,
    settings: Settings,
    size: Size,
    row: String,
}

/// How many keys go into one round trip.
const BATCH: usize = 1_000;

impl<'a> Filter<'a> {
    pub(super) fn new(
        ground: &'a dyn Ground,
        settings: Settings,
        (prefix, name): (&str, &str),
    ) -> Result<Self> {
        let size = settings
            .size()
            .map_err(|fault| Error::invalid("bloom", format!("the filter `{name}`: {fault}")))?;
        let (bits, keeper): (&dyn Bits, _) = match (settings.place, ground.store()) {
            (Place::Process, _) | (_, None) => (ground.here(), "this process"),
            (Place::Store, Some(store)) => {
                let why = "it keeps no bits; add `local` to keep the filter in this process";
                let lacks = || Error::unsupported("bloom", store.name(), why);
                (store.bits().ok_or_else(lacks)?, store.name())
            }
        };
        let pair = match settings.mode {
            Mode::Pair => "2x",
            Mode::Checked | Mode::Unchecked => "",
        };
        let Size { bits: m, hashes: k } = size;
        Ok(Self {
            row: format!("{prefix}bloom:{name}:{pair}{m}x{k}"),
            ground,
            bits,
            keeper,
            settings,
            size,
        })
    }

    /// What it says of a key: one round trip.
    pub(crate) async fn ask(&self, key: &str) -> Result<Said> {
        match self.settings.mode {
            Mode::Pair => self.ask_pair(key).await,
            Mode::Checked | Mode::Unchecked => self.ask_one(key).await,
        }
    }

    async fn ask_one(&self, key: &str) -> Result<Said> {
        let mut positions = READY.to_vec();
        positions.extend(self.size.positions(HEADER, key));
        let set = self.test(&positions).await?;
        if set[..READY.len()].contains(&false) {
            self.tell_not_ready();
            return Ok(Said::NotReady);
        }
        Ok(match set.iter().all(|is_set| *is_set) {
            true => Said::Maybe,
            false => Said::No,
        })
    }

    async fn ask_pair(&self, key: &str) -> Result<Said> {
        let [yes, no] = [true, false].map(|is_yes| self.of_pair(key, is_yes));
        let positions: Vec<u32> = yes.chain(no).collect();
        let set = self.test(&positions).await?;
        let (yes, no) = set.split_at(self.size.hashes as usize);
        let all = |set: &[bool]| set.iter().all(|is_set| *is_set);
        Ok(match (all(yes), all(no)) {
            (true, false) => Said::Yes,
            (false, true) => Said::No,
            _ => Said::Maybe,
        })
    }

    fn of_pair(&self, key: &str, is_yes: bool) -> impl Iterator<Item = u32> + use<> {
        let start = if is_yes {
            HEADER
        } else {
            HEADER + self.size.bits
        };
        self.size.positions(start, key)
    }

    async fn test(&self, positions: &[u32]) -> Result<Vec<bool>> {
        let set = self.bits.test(&self.row, positions).await;
        let set = set.map_err(|error| self.at(error))?;
        if set.len() == positions.len() {
            return Ok(set);
        }
        let odd = "not one answer for each bit";
        Err(self.at(Error::store("bloom", self.keeper, odd)))
    }

    fn at(&self, error: Error) -> Error {
        error.at(&Key::from(&*self.row))
    }

    /// Adds a key, of a pair to those that are there; whether that has changed it.
    pub(crate) async fn add(&self, key: &KeyBuf) -> Result<bool> {
        // Apart from the key, of which is told whether it was there.
        if let Some(mark) = self.mark() {
            self.set(&mark.positions()).await?;
            self.heard().fill.is_marked(mark);
        }
        let positions: Vec<u32> = self.size.positions(HEADER, key.as_str()).collect();
        self.set(&positions).await
    }

    /// Adds keys, of a pair to those that are there.
    pub(crate) async fn add_many(&self, keys: &[KeyBuf]) -> Result<()> {
        for keys in keys.chunks(BATCH) {
            let mark = self.mark();
            let of = |key: &KeyBuf| self.size.positions(HEADER, key.as_str());
            let mut positions: Vec<u32> = keys.iter().flat_map(of).collect();
            positions.extend(mark.iter().flat_map(Mark::positions));
            self.set(&positions).await?;
            if let Some(mark) = mark {
                self.heard().fill.is_marked(mark);
            }
        }
        Ok(())
    }

    /// What has to be set with the next keys, so that the loss of the filter is seen. A pair is never said to be ready.
    fn mark(&self) -> Option<Mark> {
        let mark = || Mark::new(self.ground.runtime().random());
        (self.settings.mode != Mode::Pair)
            .then(|| self.heard().fill.begin(mark))
            .flatten()
    }

    async fn set(&self, positions: &[u32]) -> Result<bool> {
        let life = self.settings.life();
        let new = self.bits.set(&self.row, positions, life).await;
        let new = new.map_err(|error| self.at(error))?;
        if self.heard().has_set(new, self.size) {
            // What was to be set is set; whether the store still answers the next question says.
            drop(self.look_whether_full().await);
        }
        Ok(new > 0)
    }

    /// Remembers what the function has said of a key.
    pub(crate) async fn learn(&self, key: &str, is_yes: bool) -> Result<()> {
        let positions: Vec<u32> = self.of_pair(key, is_yes).collect();
        self.set(&positions).await.map(drop)
    }

    /// Says that all keys were added, if what this process has added is still there.
    pub(crate) async fn ready(&self) -> Result<()> {
        let heard = self.heard();
        let mark = heard.fill.mark().map_err(|Lost| self.was_lost())?;
        let Some(mark) = mark else {
            return self.set(&READY).await.map(drop);
        };
        let mut expected = mark.positions().to_vec();
        if !self.are_set(&expected).await? {
            heard.fill.is_lost(mark);
            return Err(self.was_lost());
        }
        for bit in READY {
            self.set(&[bit]).await?;
            expected.push(bit);
            if !self.are_set(&expected).await? {
                // Lost in between. One bit alone says nothing, but two processes may have set one each.
                heard.fill.is_lost(mark);
                self.clear().await?;
                return Err(self.was_lost());
            }
        }
        heard.fill.is_over(mark);
        Ok(())
    }

    async fn are_set(&self, positions: &[u32]) -> Result<bool> {
        let set = self.test(positions).await?;
        Ok(set.iter().all(|is_set| *is_set))
    }

    fn was_lost(&self) -> Error {
        let message = "the filter was lost while it was filled: add everything again";
        self.at(Error::new(ErrorKind::Store, "bloom", message))
    }

    async fn clear(&self) -> Result<bool> {
        let cleared = self.bits.clear(&self.row).await;
        cleared.map_err(|error| self.at(error))
    }

    pub(crate) async fn reset(&self) -> Result<bool> {
        let was_there = self.clear().await?;
        let heard = self.heard();
        heard.fill.is_reset();
        heard.is_full.store(false, Ordering::Relaxed);
        heard.is_not_ready.store(false, Ordering::Relaxed);
        Ok(was_there)
    }

    /// A filter that holds as many keys as it was made for is half full. How full it is tells a sample, whoever has filled it.
    async fn look_whether_full(&self) -> Result<()> {
        let heard = self.heard();
        let pair = (self.settings.mode == Mode::Pair).then_some(HEADER + self.size.bits);
        for start in [Some(HEADER), pair].into_iter().flatten() {
            if heard.is_full.load(Ordering::Relaxed) {
                return Ok(());
            }
            let set = self.test(&self.size.sample(start)).await?;
            let full = set.iter().filter(|set| **set).count() as f64;
            let count = set.len() as f64;
            // Three standard deviations of chance, so that a filter that is just full says nothing.
            let is_full = full > count / 2.0 + 1.5 * count.sqrt();
            if is_full && !heard.is_full.swap(true, Ordering::Relaxed) {
                self.tell_full(full / count, 0.5 / count);
            }
        }
        Ok(())
    }

    /// Of a share of bits that are set; `least` is the least share of others that can be told.
    fn tell_full(&self, full: f64, least: f64) {
        let capacity = self.settings.capacity;
        self.ground.tell(&Event::FilterFull {
            key: &self.row,
            capacity,
            holds: (capacity as f64 * -(1.0 - full).max(least).log2()) as u64,
        });
    }

    fn tell_not_ready(&self) {
        if !self.heard().is_not_ready.swap(true, Ordering::Relaxed) {
            self.ground.tell(&Event::FilterNotReady { key: &self.row });
        }
    }

    fn heard(&self) -> Arc<Heard> {
        let now = self.ground.runtime().clock().now();
        let heard = self.ground.states().of(&self.row, now, Heard::default);
        heard.at.store(now.0, Ordering::Relaxed);
        heard
    }
}

/// What this process knows of a filter.
#[derive(Default)]
struct Heard {
    fill: Fill,
    set: AtomicU64,
    is_full: AtomicBool,
    is_not_ready: AtomicBool,
    /// When it was last used.
    at: AtomicU64,
}

impl Heard {
    /// Counts new bits; whether it is time to look how full the filter is: sixteen times on the way to its capacity, when half of all are set.
    fn has_set(&self, new: u64, size: Size) -> bool {
        let step = u64::from(size.bits / 32);
        let before = self.set.fetch_add(new, Ordering::Relaxed);
        before / step != (before + new) / step
    }
}

impl State for Heard {
    /// What is forgotten is told once more.
    fn is_idle(&self, now: Timestamp) -> bool {
        let at = Timestamp(self.at.load(Ordering::Relaxed));
        // Who fills it may pause.
        let hours = if self.fill.is_open() { 24 } else { 1 };
        now.since(at) > std::time::Duration::from_secs(hours * 3_600)
    }
}
