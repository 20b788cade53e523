//! The operations, and what they answer in words that the cache and the model share.

use std::collections::BTreeSet;

pub(crate) const KEYS: [&str; 5] = ["a:1", "a:2", "b:1", "b:2", "b:10"];
pub(crate) const TAGS: [&str; 2] = ["red", "blue"];
pub(crate) const PATTERNS: [&str; 6] = ["*", "a:*", "?:1", "b:[12]", "b:1*", "*:[^1]*"];
/// Milliseconds: short ones, so that entries meet their deadlines.
pub(crate) const THROTTLE: u64 = 7;

#[derive(Clone, Copy, Debug)]
pub(crate) enum Knob {
    Plain,
    Stale(u64),
    Soft,
    FailSafe(u64),
    Failover,
    Hits(u32),
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Terms {
    pub(crate) ttl: u64,
    pub(crate) knob: Knob,
}

#[derive(Clone, Debug)]
pub(crate) enum Operation {
    Set(usize, i64, Terms, Vec<usize>, Option<bool>),
    SetMany(Vec<usize>, i64, Terms),
    Get(usize),
    GetMany(Vec<usize>),
    Load(usize, Option<i64>, Terms),
    Increment(usize, i64, u64),
    Touch(usize, u64),
    Exists(usize),
    Remaining(usize),
    Scan(usize),
    Delete(usize),
    DeletePrefix(usize, usize),
    DeletePattern(usize),
    DeleteTags(Vec<usize>),
    Clear,
    Wait(u64),
}

/// What an operation gave, in words that the cache and the model share.
#[derive(Debug, PartialEq)]
pub(crate) enum Answer {
    Done,
    Is(bool),
    Count(usize),
    Value(Option<i64>),
    Values(Vec<Option<i64>>),
    Keys(BTreeSet<String>),
    Left(Option<u64>),
    Failed,
}
