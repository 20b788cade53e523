//! What must hold: every answer is held against the log.

use crate::log::{Forgotten, Log, Running};
use crate::scene::{Boom, Value, name};

impl Log {
    /// A load begins; `joined` is when its call joined the flight. `None` when it runs without a flight, as it may.
    pub(crate) fn load_begins(
        &mut self,
        key: usize,
        call: u64,
        joined: Option<u64>,
        tags: &[String],
    ) -> Option<u64> {
        let id = self.tick();
        let joined = joined?;
        // Told in the very step that led here.
        let alone = self.alone.last() == Some(&(key, joined - 1))
            || self.waiting.iter().any(|w| w.id == call && w.alone);
        if alone {
            return None;
        }
        let other = self.running.iter().find(|other| {
            let (first, last) = (joined.min(other.joined), joined.max(other.joined));
            other.key == key && !self.was_displaced(key, tags, first, last)
        });
        if let Some(other) = other.cloned() {
            self.fail(format!(
                "two loads of {} at once: {id} joined at {joined}, {} joined at {}",
                name(key),
                other.id,
                other.joined
            ));
        }
        self.running.push(Running { id, key, joined });
        Some(id)
    }

    pub(crate) fn load_ends(&mut self, id: u64) {
        self.running.retain(|running| running.id != id);
    }

    fn was_displaced(&self, key: usize, tags: &[String], first: u64, last: u64) -> bool {
        let between = |tick: u64| first < tick && tick < last;
        let mut displaced = self.displaced.iter();
        displaced.any(|(tick, what)| between(*tick) && what.covers(key, tags))
    }

    /// A call that began at tick `begin` and time `asked` was given this value.
    pub(crate) fn given(&mut self, value: &Value, begin: u64, asked: u64) {
        self.stale(value.key, value.read, &value.tags, begin);
        if self.waiting.iter().any(|w| w.id == begin && w.alone) {
            self.excuse(value.key);
        }
        if value.done > begin {
            return;
        }
        let mut touched = self.touched.iter();
        let touched = touched.rfind(|(key, at, _)| *key == value.key && *at > value.done);
        let kept = touched.map_or(value.returned.saturating_add(value.keep), |(.., until)| {
            *until
        });
        let served = touched.map_or(value.returned.saturating_add(value.serve), |(.., until)| {
            *until
        });
        let mut excused = self.excused.iter();
        let excused = excused.any(|(key, tick)| *key == value.key && *tick >= value.done);
        let until = if excused { kept } else { served };
        if asked >= until {
            self.fail(format!(
                "call from {begin} at {asked} was given a value of {} that was served until {until}",
                name(value.key)
            ));
        }
    }

    /// The same for an error. A load of several keys fails for all of them, and this call joined it for one of `asked`.
    pub(crate) fn refused(&mut self, boom: &Boom, begin: u64, asked: &[usize]) {
        let shared: Vec<usize> = boom
            .keys
            .iter()
            .copied()
            .filter(|key| asked.contains(key))
            .collect();
        let is_stale = |key: &usize| {
            self.forgotten_since(*key, boom.read, &boom.tags, begin)
                .is_some()
        };
        if shared.iter().all(is_stale)
            && let Some(key) = shared.first()
        {
            self.stale(*key, boom.read, &boom.tags, begin);
        }
    }

    fn forgotten_since(
        &self,
        key: usize,
        read: u64,
        tags: &[String],
        begin: u64,
    ) -> Option<&Forgotten> {
        self.forgotten.iter().find(|forgotten| {
            forgotten.acknowledged <= begin
                && read < forgotten.from
                && forgotten.what.covers(key, tags)
        })
    }

    fn stale(&mut self, key: usize, read: u64, tags: &[String], begin: u64) {
        let stale = self.forgotten_since(key, read, tags, begin);
        if let Some(forgotten) = stale.cloned() {
            self.fail(format!(
                "call from {begin} was given what was read of {} at {read}, before {forgotten:?}",
                name(key)
            ));
        }
    }

    /// What must hold when all has come to rest.
    pub(crate) fn at_rest(&mut self) {
        if !self.running.is_empty() || !self.waiting.is_empty() {
            self.fail(format!(
                "still under way: {:?} {:?}",
                self.running, self.waiting
            ));
        }
    }
}
