//! Rows of bits in this process.

use parking_lot::RwLock;

use super::Here;
use crate::guard::states::State;
use crate::runtime::Timestamp;
use crate::store::{Bits, Life, StoreFuture};

/// A row, and when its life is over.
pub(super) struct Row(RwLock<Held>);

struct Held {
    words: Vec<u64>,
    /// `None` while no bit is set.
    until: Option<Timestamp>,
}

impl Default for Row {
    fn default() -> Self {
        Self(RwLock::new(Held::empty()))
    }
}

impl Held {
    const fn empty() -> Self {
        Self {
            words: Vec::new(),
            until: None,
        }
    }

    fn is_over(&self, now: Timestamp) -> bool {
        self.until.is_none_or(|until| until <= now)
    }

    fn has(&self, position: u32) -> bool {
        let word = self.words.get(position as usize / 64);
        word.is_some_and(|word| word >> (position % 64) & 1 == 1)
    }

    /// Whether the bit was not set before.
    fn set(&mut self, position: u32) -> bool {
        let at = position as usize / 64;
        if at >= self.words.len() {
            // Exactly: the next position that is higher is soon the last one.
            self.words.reserve_exact(at + 1 - self.words.len());
            self.words.resize(at + 1, 0);
        }
        let (before, bit) = (self.words[at], 1 << (position % 64));
        self.words[at] = before | bit;
        before & bit == 0
    }
}

impl State for Row {
    fn is_idle(&self, now: Timestamp) -> bool {
        self.0.read().is_over(now)
    }
}

impl Here {
    fn row(&self, key: &str) -> std::sync::Arc<Row> {
        self.rows.of(key, self.clock.now(), Row::default)
    }
}

impl Bits for Here {
    fn set<'a>(&'a self, key: &'a str, positions: &'a [u32], life: Life) -> StoreFuture<'a, u64> {
        let now = self.clock.now();
        let row = self.row(key);
        let mut held = row.0.write();
        let mut new = 0;
        if !positions.is_empty() {
            if held.is_over(now) {
                *held = Held::empty();
                held.until = Some(life.map_or(Timestamp::NEVER, |life| now.after(life)));
            }
            new = positions.iter().filter(|at| held.set(**at)).count() as u64;
        }
        Box::pin(std::future::ready(Ok(new)))
    }

    fn test<'a>(&'a self, key: &'a str, positions: &'a [u32]) -> StoreFuture<'a, Vec<bool>> {
        let row = self.row(key);
        let held = row.0.read();
        let is_over = held.is_over(self.clock.now());
        let is_set = |at: &u32| !is_over && held.has(*at);
        let set = positions.iter().map(is_set).collect();
        Box::pin(std::future::ready(Ok(set)))
    }

    fn clear<'a>(&'a self, key: &'a str) -> StoreFuture<'a, bool> {
        let row = self.row(key);
        let was = std::mem::replace(&mut *row.0.write(), Held::empty());
        let was_there = !was.is_over(self.clock.now());
        Box::pin(std::future::ready(Ok(was_there)))
    }
}
