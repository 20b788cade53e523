//! The table of who does what: a subject registers one closure for each case it has a part in.

use std::time::Duration;

use crate::alloc::Heap;
use crate::case::{Case, Ids};

pub type Loop = Box<dyn Fn(Ids) + Send + Sync>;

/// What a subject does in a case.
pub enum Work {
    /// Runs the operation once for every number.
    Loop(Loop),
    /// Times one operation by itself. The argument is the round.
    Once(Box<dyn FnMut(u64) -> Duration>),
    /// Fills a cache, says what it holds and how much memory that took.
    Fill(Box<dyn Fn() -> Filled>),
    /// Sends a herd to a cold key, the number of which is the argument.
    Herd(Box<dyn Fn(u64) -> Herd>),
}

#[derive(Clone, Copy, Debug)]
pub struct Filled {
    pub entries: u64,
    pub heap: Heap,
}

#[derive(Clone, Copy, Debug)]
pub struct Herd {
    pub time: Duration,
    pub loads: u64,
}

/// A subject's part in a case. It is set up only when the case is run.
pub struct Entry {
    pub case: &'static Case,
    pub subject: &'static str,
    pub set_up: Box<dyn Fn() -> Work>,
}

#[derive(Default)]
pub struct Board {
    pub entries: Vec<Entry>,
}

impl Board {
    fn add(
        &mut self,
        case: &'static Case,
        subject: &'static str,
        set_up: impl Fn() -> Work + 'static,
    ) {
        self.entries.push(Entry {
            case,
            subject,
            set_up: Box::new(set_up),
        });
    }

    /// A loop: `set_up` builds and fills the cache and returns the closure that is timed.
    pub fn timed<L>(
        &mut self,
        case: &'static Case,
        subject: &'static str,
        set_up: impl Fn() -> L + 'static,
    ) where
        L: Fn(Ids) + Send + Sync + 'static,
    {
        self.add(case, subject, move || Work::Loop(Box::new(set_up())));
    }

    /// One operation in every round; the closure takes the time itself.
    pub fn once<O>(
        &mut self,
        case: &'static Case,
        subject: &'static str,
        set_up: impl Fn() -> O + 'static,
    ) where
        O: FnMut(u64) -> Duration + 'static,
    {
        self.add(case, subject, move || Work::Once(Box::new(set_up())));
    }

    /// Both memory cases: `fill` returns the cache and how many entries it really holds.
    pub fn memory<T>(
        &mut self,
        subject: &'static str,
        fill: impl Fn() -> (T, u64) + Copy + 'static,
    ) {
        for case in [&crate::case::MEMORY_REQUESTED, &crate::case::MEMORY_USABLE] {
            self.add(case, subject, move || {
                Work::Fill(Box::new(move || {
                    let ((cache, entries), heap) = crate::alloc::count(fill);
                    drop(cache);
                    Filled { entries, heap }
                }))
            });
        }
    }

    /// Both herd cases. `ask` is called once for every round with the number of a key that is cold.
    pub fn herd(&mut self, subject: &'static str, ask: impl Fn(u64) -> Herd + Copy + 'static) {
        for case in [&crate::case::HERD_TIME, &crate::case::HERD_LOADS] {
            self.add(case, subject, move || Work::Herd(Box::new(ask)));
        }
    }
}
