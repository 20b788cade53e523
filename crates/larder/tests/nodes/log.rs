//! What happened in a schedule, in the order in which it happened.

use std::collections::{BTreeMap, BTreeSet};

/// What an invalidation means.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum What {
    Key(usize),
    Group(usize),
    Tag(String),
    All,
}

/// Of what kind an acknowledged change was.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum By {
    Invalidation,
    /// Final against loads that were read earlier; of two writes nobody knows which came last.
    Write,
}

/// An acknowledged invalidation or write.
#[derive(Clone, Debug)]
pub(crate) struct Forgotten {
    pub(crate) what: What,
    pub(crate) by: By,
    pub(crate) node: usize,
    pub(crate) from: u64,
    pub(crate) acknowledged: u64,
    /// The virtual time of the acknowledgement.
    pub(crate) at: u64,
}

/// A load that runs as the flight of its key on a node.
#[derive(Clone, Debug)]
pub(crate) struct Running {
    pub(crate) id: u64,
    pub(crate) node: usize,
    pub(crate) key: usize,
    /// When the call began that leads it.
    pub(crate) since: u64,
}

#[derive(Debug, Default)]
pub(crate) struct Log {
    pub(crate) tick: u64,
    pub(crate) forgotten: Vec<Forgotten>,
    /// Changes on a node that part its flights: begun, and ended if they have.
    pub(crate) parted: BTreeMap<u64, (usize, What, Option<u64>)>,
    pub(crate) running: Vec<Running>,
    /// Where an error of another kind came up: who cannot share it asks the source without a flight.
    pub(crate) excused: BTreeSet<(usize, usize)>,
    /// When the writes ended that began at these ticks.
    pub(crate) ended: BTreeMap<u64, u64>,
    pub(crate) touched: BTreeSet<usize>,
    /// What counters were told to add, and what of that was acknowledged.
    pub(crate) attempted: i64,
    pub(crate) added: i64,
    pub(crate) loads: u64,
    pub(crate) violations: Vec<String>,
    pub(crate) trace: Option<Vec<String>>,
}

impl Log {
    pub(crate) fn tick(&mut self) -> u64 {
        self.tick += 1;
        self.tick
    }

    pub(crate) fn fail(&mut self, what: String) {
        if let Some(trace) = &mut self.trace {
            trace.push(format!("VIOLATION {what}"));
        }
        self.violations.push(what);
    }

    /// A change that began at `from` is acknowledged now.
    pub(crate) fn forget(&mut self, what: What, by: By, node: usize, from: u64, at: u64) {
        let acknowledged = self.tick();
        self.forgotten.push(Forgotten {
            what,
            by,
            node,
            from,
            acknowledged,
            at,
        });
    }

    /// A change begins that parts the flights of a node.
    pub(crate) fn parts(&mut self, node: usize, what: What) -> u64 {
        let tick = self.tick();
        self.parted.insert(tick, (node, what, None));
        tick
    }

    pub(crate) fn parted(&mut self, begun: u64) {
        let tick = self.tick();
        if let Some((.., ended)) = self.parted.get_mut(&begun) {
            *ended = Some(tick);
        }
    }
}

impl What {
    pub(crate) fn covers(&self, key: usize, tags: &[String]) -> bool {
        match self {
            Self::Key(k) => *k == key,
            Self::Group(group) => key / 2 == *group,
            Self::Tag(tag) => tags.contains(tag),
            Self::All => true,
        }
    }
}
