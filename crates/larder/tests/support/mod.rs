//! What the tests share: a world with virtual time, a source that does as it is told, and a log of events.

#![allow(dead_code, unused_imports)] // Each test file uses a part of it.

mod cached;
mod origin;
mod world;

use std::sync::Arc;
use std::time::Duration;

use larder::{Event, Observer};
use std::sync::Mutex;

pub(crate) use cached::Cached;
pub(crate) use origin::{Gate, Oops, Origin, Pass, Silent};
pub(crate) use world::{Running, World};

pub(crate) const fn secs(n: u64) -> Duration {
    Duration::from_secs(n)
}

pub(crate) const fn millis(n: u64) -> Duration {
    Duration::from_millis(n)
}

/// Remembers events as short text: `hit k Fresh`, `stored k`.
#[derive(Clone, Default)]
pub(crate) struct Log(Arc<Mutex<Vec<String>>>);

impl Log {
    /// All events since the last look.
    pub(crate) fn take(&self) -> Vec<String> {
        std::mem::take(&mut self.0.lock().unwrap())
    }

    /// How many events since the last look begin so.
    pub(crate) fn count(&self, beginning: &str) -> usize {
        let log = self.0.lock().unwrap();
        log.iter().filter(|e| e.starts_with(beginning)).count()
    }
}

impl Observer for Log {
    fn observe(&self, event: &Event<'_>) {
        self.0.lock().unwrap().push(short(event));
    }
}

fn short(event: &Event<'_>) -> String {
    match event {
        Event::Hit { key, verdict, .. } => format!("hit {key} {verdict:?}"),
        Event::Miss { key } => format!("miss {key}"),
        Event::Loaded { key, .. } => format!("loaded {key}"),
        Event::LoadFailed { key, .. } => format!("load failed {key}"),
        Event::Stored { key } => format!("stored {key}"),
        Event::Superseded { key } => format!("superseded {key}"),
        Event::Saved { key, .. } => format!("saved {key}"),
        Event::NotModified { key } => format!("not modified {key}"),
        Event::TimedOut { key, limit } => format!("timed out {key} {limit:?}"),
        Event::Refused { key, .. } => format!("refused {key}"),
        Event::Evicted { key } => format!("evicted {key}"),
        Event::Expired { key } => format!("expired {key}"),
        Event::Invalidated { selector } => format!("invalidated {selector:?}"),
        Event::RefreshRefused { key } => format!("refresh refused {key}"),
        Event::RefreshFailed { key } => format!("refresh failed {key}"),
        Event::WaitedTooLong { key } => format!("waited too long {key}"),
        Event::Recursion { key } => format!("recursion {key}"),
        Event::WrongType { key } => format!("wrong type {key}"),
        Event::BadPolicy { key, fault } => format!("bad policy {key} {fault:?}"),
        other => format!("{other:?}"),
    }
}
