//! What a configuration comes to: plain data, checked, with nothing opened yet.

use std::fmt;
use std::time::Duration;

use super::origin::Origin;
use crate::policy::Policy;
use crate::store::Address;

/// What one cache is to be.
///
/// Made by [`Configuration::plans`](super::Configuration::plans). Nothing was opened or connected to, and no secret was read.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Plan {
    /// What it is called; `default` is the default cache.
    pub name: String,
    /// What all its keys begin with.
    pub prefix: String,
    /// Whether it is switched off: nothing is opened, every call goes to its source.
    pub off: bool,
    /// The tier in this process, if there is one.
    pub memory: Option<Memory>,
    /// The stores, from near to far; with none, values are kept in memory only.
    pub levels: Vec<Level>,
    /// Other stores for keys that begin so; the longest prefix wins. No prefix stands here twice.
    pub routes: Vec<Route>,
    /// The policy of calls that give no ttl; counts only together with a `ttl`.
    pub defaults: Policy,
    /// Whether `get_or_load` fails when a store does, instead of going to its source; a cached function says `strict` itself.
    pub strict: bool,
    /// How many loads may run behind at once; `None` is the default of [`Builder`](crate::Builder::background_loads).
    pub background_loads: Option<usize>,
    /// What the codec is told.
    pub(crate) codec: Described,
}

/// The tier in this process.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Memory {
    /// How many entries it holds at most.
    pub size: Option<u64>,
    /// How much they weigh at most, in bytes.
    pub weight: Option<u64>,
    /// For how long it keeps an entry at most.
    pub ttl_cap: Option<Duration>,
}

/// One store of a cache.
#[derive(Clone, PartialEq)]
#[non_exhaustive]
pub struct Level {
    /// For how long it keeps an entry at most.
    pub ttl_cap: Option<Duration>,
    /// Whether writes of what is there already are spared.
    pub dedupe: bool,
    /// What its operations may cost.
    pub limits: Limits,
    /// Where its password is read, if it does not stand in the URL.
    pub password: Option<SecretAt>,
    pub(crate) store: Described,
}

/// What operations of one store may cost, and what happens when it fails; `None` is the default.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// How long one operation may take.
    pub timeout: Option<Duration>,
    /// How long a removal by prefix or pattern may take.
    pub sweep_timeout: Option<Duration>,
    /// After how many operations in a row without an answer the store is left alone; 0 is never.
    pub breaker: Option<u64>,
    /// For how long it is left alone, the first time, before it is asked again.
    pub probe: Option<Duration>,
    /// For how long removals that did not reach it are remembered.
    pub remember: Option<Duration>,
    /// How many removals that did not reach it are remembered one by one.
    pub remembered: Option<u64>,
    /// How many operations may be under way at once.
    pub in_flight: Option<u64>,
}

/// Stores for keys that begin in a certain way.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Route {
    /// How the keys begin, after the prefix of the cache.
    pub prefix: String,
    /// The stores, from near to far.
    pub levels: Vec<Level>,
}

/// Where a secret is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SecretAt {
    /// In a variable of the environment.
    Variable(String),
    /// In a file.
    File(String),
}

impl Plan {
    /// What its keys begin with in stores, where a cache never has none.
    pub(crate) fn key_prefix(&self) -> &str {
        match self.prefix.as_str() {
            "" => "larder:",
            prefix => prefix,
        }
    }
}

impl Level {
    /// The scheme of its URL.
    #[must_use]
    pub fn scheme(&self) -> &str {
        self.store.address.scheme()
    }

    /// The URL without user, password and parameters: what may be shown.
    #[must_use]
    pub fn place(&self) -> String {
        format!("{:?}", self.store.address)
    }
}

impl fmt::Debug for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Level")
            .field("place", &self.store.address)
            .field("ttl_cap", &self.ttl_cap)
            .field("dedupe", &self.dedupe)
            .field("limits", &self.limits)
            .finish_non_exhaustive()
    }
}

/// Parameters for something that reads them itself, and where each was said.
#[derive(Clone)]
pub(crate) struct Described {
    pub(crate) address: Address,
    pub(crate) at: Origin,
    /// Where the name and the value of each parameter stand that does not stand in the URL.
    pub(crate) said: Vec<(String, Origin, Origin)>,
}

impl Described {
    /// Where the name of a parameter stands.
    pub(crate) fn named(&self, name: &str) -> &Origin {
        let found = self.said.iter().find(|(said, ..)| said == name);
        found.map_or(&self.at, |(_, named, _)| named)
    }

    /// Where the value of a parameter stands.
    pub(crate) fn valued(&self, name: &str) -> &Origin {
        let found = self.said.iter().find(|(said, ..)| said == name);
        found.map_or(&self.at, |(_, _, at)| at)
    }
}

impl PartialEq for Described {
    fn eq(&self, other: &Self) -> bool {
        self.address == other.address
    }
}

impl fmt::Debug for Described {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.address.fmt(f)
    }
}
