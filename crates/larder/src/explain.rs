//! Why the next call would hit or miss.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::cache::{Cache, Inner};
use crate::entry::Slot;
use crate::error::Result;
use crate::key::{Key, KeyBuf};
use crate::policy::{Deadlines, Verdict};
use crate::runtime::Timestamp;
use crate::switch::Operations;

/// What is known of a key. [`Display`](fmt::Display) tells it in words.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Explain {
    /// The full key, with the cache's prefix.
    pub key: Key,
    /// What is stored, if anything is.
    pub entry: Option<Entry>,
    /// Whether somebody is loading the key now.
    pub loading: bool,
    /// What is switched off here and now.
    pub off: Operations,
    /// What the next call would do.
    pub next: Next,
}

/// A stored entry, without its value.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Entry {
    /// What holds it: `memory`, or the name of a store; `transaction` for what is seen in one.
    pub tier: Arc<str>,
    /// Time since it was written.
    pub age: Duration,
    /// What the clock, the hits and the throttle say.
    pub verdict: Verdict,
    /// Its deadlines, on the cache's clock.
    pub deadlines: Deadlines,
    /// The time at which this was asked, on the same clock.
    pub now: Timestamp,
    /// Its tags.
    pub tags: Vec<Key>,
    /// Those of them that were forgotten since it was computed.
    pub forgotten: Vec<Key>,
    /// For how long it is still served without asking its source, which failed a moment ago.
    pub throttled: Option<Duration>,
    /// Whether it is a kept error, not a value.
    pub is_failure: bool,
    /// Hits so far and the budget (0: no limit), if hits are counted.
    pub hits: Option<(u32, u32)>,
    /// How long its value took to make; kept only by policies that need it.
    pub cost: Option<Duration>,
}

/// What a call would do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Next {
    /// Serve the entry.
    Hit,
    /// Serve the entry and reload it behind.
    HitAndRefresh,
    /// Load, and serve the entry if that fails.
    LoadOrSave,
    /// Load.
    Load,
    /// Wait for the load in progress.
    Wait,
}

/// # Errors
/// What a store says.
pub(crate) async fn explain(cache: &Cache, key: &KeyBuf) -> Result<Explain> {
    let inner = &cache.inner;
    let full = key.to_key();
    let here = inner.memory.peek(key);
    let ambient = inner.ambient();
    let entry = match (&ambient, here) {
        (Some(ambient), _) => {
            let seen = inner.visible(ambient, &full).await;
            let seen = seen.map_err(|error| error.during("explain").at(&full))?;
            seen.map(|slot| describe(inner, &slot, "transaction"))
        }
        (None, Some(slot)) => Some(describe(inner, &slot, "memory")),
        (None, None) => describe_outside(inner, &full).await?,
    };
    let loading = ambient.is_none() && inner.leases.is_loading(&full);
    let off = inner.off();
    let next = next(entry.as_ref(), loading, off);
    Ok(Explain {
        key: full,
        entry,
        loading,
        off,
        next,
    })
}

async fn describe_outside(inner: &Inner, key: &Key) -> Result<Option<Entry>> {
    let Some(outside) = &inner.outside else {
        return Ok(None);
    };
    let found = inner.explain_outside(outside, key).await;
    let found = found.map_err(|error| error.during("explain").at(key))?;
    Ok(found.map(|(slot, forgotten)| {
        let mut entry = describe(inner, &slot, outside.store.name());
        entry.forgotten = forgotten;
        entry
    }))
}

fn describe(inner: &Inner, slot: &Slot, tier: &str) -> Entry {
    let now = inner.clock.now();
    let tags = slot.tags();
    let as_of = slot.as_of();
    let cost = slot.cost();
    Entry {
        tier: tier.into(),
        age: now.since(slot.written()),
        verdict: slot.verdict(now),
        deadlines: slot.deadlines(),
        now,
        tags: tags.to_vec(),
        forgotten: inner
            .tags
            .fallen(tags, as_of)
            .into_iter()
            .cloned()
            .collect(),
        throttled: slot
            .throttled_until()
            .checked_sub(now.0)
            .filter(|t| *t > 0)
            .map(Duration::from_nanos),
        is_failure: slot.is_failure(),
        hits: slot.used(),
        cost: (!cost.is_zero()).then_some(cost),
    }
}

fn next(entry: Option<&Entry>, loading: bool, off: Operations) -> Next {
    let load = if loading { Next::Wait } else { Next::Load };
    if off.contains(Operations::READ) {
        return Next::Load;
    }
    match entry {
        Some(entry) if entry.forgotten.is_empty() => match entry.verdict {
            Verdict::Fresh => Next::Hit,
            Verdict::Refresh => Next::HitAndRefresh,
            Verdict::Reload if loading => Next::Wait,
            Verdict::Reload => Next::LoadOrSave,
            Verdict::Gone => load,
        },
        _ => load,
    }
}

impl fmt::Display for Explain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "key         {}", self.key)?;
        match &self.entry {
            Some(entry) => write!(f, "{entry}")?,
            None => writeln!(f, "entry       none")?,
        }
        if self.loading {
            writeln!(f, "loading     now")?;
        }
        if !self.off.is_empty() {
            writeln!(f, "off         {:?}", self.off)?;
        }
        write!(f, "next call   {}", self.why())
    }
}

impl Explain {
    /// What the next call would do, and why, in one sentence.
    #[must_use]
    pub fn why(&self) -> String {
        let entry = self.entry.as_ref();
        match self.next {
            Next::Hit => match entry.and_then(|entry| entry.throttled) {
                Some(left) => {
                    let left = Short(left);
                    format!("hit: its source failed and is left alone for another {left}")
                }
                None if entry.is_some_and(|entry| entry.is_failure) => {
                    "hit: a kept error is given again".into()
                }
                None => "hit: the entry is fresh".into(),
            },
            Next::HitAndRefresh if entry.is_some_and(|e| e.now < e.deadlines.refresh_at) => {
                "hit, with a reload behind: the entry has had its `refresh_hits`".into()
            }
            Next::HitAndRefresh => {
                "hit, with a reload behind: the entry is past `refresh_at`".into()
            }
            Next::LoadOrSave if entry.is_some_and(|e| e.now < e.deadlines.stale_until) => {
                "load: the hits of the entry are used up; it is served only if the load fails"
                    .into()
            }
            Next::LoadOrSave => {
                "load: the entry is past `stale_until`; it is served only if the load fails".into()
            }
            Next::Wait => "wait for the load in progress".into(),
            Next::Load if self.off.contains(Operations::READ) => {
                "load: reading is switched off".into()
            }
            Next::Load => match entry {
                None => "load: nothing is stored".into(),
                Some(entry) if !entry.forgotten.is_empty() => {
                    let tags: Vec<&str> = entry.forgotten.iter().map(Key::as_str).collect();
                    format!("load: forgotten by tag: {}", tags.join(", "))
                }
                Some(_) => "load: the entry's time is over".into(),
            },
        }
    }
}

impl fmt::Display for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "entry       {:?}, written {} ago",
            self.verdict,
            Short(self.age)
        )?;
        for (name, instant) in [
            ("refresh_at", self.deadlines.refresh_at),
            ("stale_until", self.deadlines.stale_until),
            ("keep_until", self.deadlines.keep_until),
        ] {
            if instant == Timestamp::NEVER || instant.0 > u64::MAX - 16 {
                writeln!(f, "{name:<12}never")?;
            } else if instant > self.now {
                writeln!(f, "{name:<12}in {}", Short(instant.since(self.now)))?;
            } else {
                writeln!(f, "{name:<12}{} ago", Short(self.now.since(instant)))?;
            }
        }
        if !self.tags.is_empty() {
            let tags: Vec<&str> = self.tags.iter().map(Key::as_str).collect();
            writeln!(f, "tags        {}", tags.join(", "))?;
        }
        if let Some((used, budget)) = self.hits {
            writeln!(f, "hits        {used} of {budget}")?;
        }
        if let Some(cost) = self.cost {
            writeln!(f, "cost        {}", Short(cost))?;
        }
        Ok(())
    }
}

/// A span for people: two units, or three digits.
struct Short(Duration);

impl fmt::Display for Short {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.0.as_secs();
        let (days, hours) = (seconds / 86_400, seconds / 3_600 % 24);
        let (minutes, rest) = (seconds / 60 % 60, seconds % 60);
        match seconds {
            0 => write!(f, "{:.1?}", self.0),
            1..60 => write!(f, "{:.1} s", self.0.as_secs_f64()),
            60..3_600 => write!(f, "{minutes} min {rest} s"),
            3_600..86_400 => write!(f, "{hours} h {minutes} min"),
            _ => write!(f, "{days} d {hours} h"),
        }
    }
}
