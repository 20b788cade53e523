//! What is measured: every case of every subject means the same work.

/// How many entries every cache is told to hold, where it can be told.
pub const CAPACITY: usize = 10_000;
/// How long every entry lives, where that can be said.
pub const TTL_SECONDS: u64 = 600;
/// Entries of the memory cases, and the bound given to the caches there: more, because a bound is
/// divided between shards that do not fill evenly.
pub const HELD: u64 = 100_000;
pub const HELD_CAPACITY: usize = 150_000;
/// Keys that a hit case goes round, for each thread.
pub const KEYS: u64 = 1024;

/// What the numbers of a case are, and how they come about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A loop over keys that are all present: the source must not run.
    Hit,
    /// A loop over keys that are never present: the source runs each time.
    Miss,
    /// A loop of writes.
    Write,
    /// One operation, timed by itself, in every round.
    Once,
    /// Bytes on the heap.
    Memory,
    /// Many callers of one cold key.
    Herd,
}

#[derive(Debug)]
pub struct Case {
    pub name: &'static str,
    pub about: &'static str,
    pub unit: &'static str,
    pub kind: Kind,
    pub threads: u64,
    /// Keys that one thread goes round. A miss case never comes round.
    pub keys: u64,
}

const fn hit(name: &'static str, about: &'static str) -> Case {
    Case {
        name,
        about,
        unit: "ns/op",
        kind: Kind::Hit,
        threads: 1,
        keys: KEYS,
    }
}

const fn one(name: &'static str, about: &'static str, unit: &'static str, kind: Kind) -> Case {
    Case {
        name,
        about,
        unit,
        kind,
        threads: 1,
        keys: KEYS,
    }
}

pub static HIT_U64: Case = hit("hit.u64", "hit, key `user:{id}` from a u64, value u64");
pub static HIT_U64_ARC: Case = hit("hit.u64.arc", "hit, key from a u64, value Arc<Payload>");
pub static HIT_STR: Case = hit("hit.str", "hit, key `user:{name}` from a &str, value u64");
pub static HIT_STR_ARC: Case = hit("hit.str.arc", "hit, key from a &str, value Arc<Payload>");
pub static HIT_2_DISTINCT: Case = Case {
    threads: 2,
    ..hit(
        "hit.2threads.distinct",
        "hit, 2 threads on their own keys, value u64; wall time by all operations",
    )
};
pub static HIT_2_SAME: Case = Case {
    threads: 2,
    keys: 1,
    ..hit(
        "hit.2threads.same",
        "hit, 2 threads on one key, value u64; wall time by all operations",
    )
};
pub static HIT_2_SAME_ARC: Case = Case {
    threads: 2,
    keys: 1,
    ..hit(
        "hit.2threads.same.arc",
        "hit, 2 threads on one key, value Arc<Payload>; wall time by all operations",
    )
};
pub static GET_OR_LOAD: Case = hit(
    "get_or_load",
    "hit through the direct operation that is given a loader, key from a u64",
);
pub static HIT_TAGGED: Case = hit(
    "hit.tagged",
    "hit on an entry with two tags, after a third tag was forgotten",
);
pub static MISS: Case = one(
    "miss",
    "a new key each time, trivial source, cache full",
    "ns/op",
    Kind::Miss,
);
pub static SET: Case = one(
    "set",
    "direct write of a key that is there already, key from a u64",
    "ns/op",
    Kind::Write,
);
pub static MEMORY_REQUESTED: Case = one(
    "memory.requested",
    "100 000 entries, key `user:{id}`, value u64: bytes asked for, per entry",
    "B/entry",
    Kind::Memory,
);
pub static MEMORY_USABLE: Case = one(
    "memory.usable",
    "the same, bytes as the allocator rounds them, per entry",
    "B/entry",
    Kind::Memory,
);
pub static TAG_1: Case = one(
    "tag.1",
    "forgetting a tag that covers 1 of 1 000 000 entries",
    "ns",
    Kind::Once,
);
pub static TAG_1M: Case = one(
    "tag.1000000",
    "forgetting a tag that covers 1 000 000 of 1 000 000 entries",
    "ns",
    Kind::Once,
);
pub static HERD_TIME: Case = one(
    "herd.time",
    "1 000 tasks and 100 threads ask for one cold key whose source takes 20 ms, until all have it",
    "ms",
    Kind::Herd,
);
pub static HERD_LOADS: Case = one(
    "herd.loads",
    "the same: how often the source ran",
    "loads",
    Kind::Herd,
);

/// All cases in the order of the report.
pub static ALL: [&Case; 17] = [
    &HIT_U64,
    &HIT_U64_ARC,
    &HIT_STR,
    &HIT_STR_ARC,
    &HIT_2_DISTINCT,
    &HIT_2_SAME,
    &HIT_2_SAME_ARC,
    &GET_OR_LOAD,
    &HIT_TAGGED,
    &MISS,
    &SET,
    &MEMORY_REQUESTED,
    &MEMORY_USABLE,
    &TAG_1,
    &TAG_1M,
    &HERD_TIME,
    &HERD_LOADS,
];

/// The numbers of the keys that one thread asks for in one run of a loop.
#[derive(Clone, Debug)]
pub struct Ids {
    base: u64,
    mask: u64,
    next: u64,
    end: u64,
}

impl Ids {
    /// `count` numbers of thread `thread`, from the `start`th on.
    pub fn of(case: &Case, thread: u64, start: u64, count: u64) -> Ids {
        let (base, mask) = match case.kind {
            Kind::Miss => (0, u64::MAX),
            _ if case.keys == 1 => (0, 0),
            _ => (thread * case.keys, case.keys - 1),
        };
        Ids {
            base,
            mask,
            next: start,
            end: start + count,
        }
    }
}

impl Iterator for Ids {
    type Item = u64;

    #[inline(always)]
    fn next(&mut self) -> Option<u64> {
        if self.next == self.end {
            return None;
        }
        let id = self.base + (self.next & self.mask);
        self.next += 1;
        Some(id)
    }
}
