//! What must hold: every answer is held against the log.

use crate::log::{By, Forgotten, Log, Running};
use crate::scene::{How, Value, name};

/// An entry's times are whole milliseconds of another clock.
const ROUNDING: u64 = 2_000_000;

/// Who was given something.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Asker {
    pub(crate) node: usize,
    /// The tick and the virtual time at which the call began.
    pub(crate) begin: u64,
    pub(crate) asked: u64,
    /// For how long this node may not hear of what others change.
    pub(crate) bound: u64,
}

impl Log {
    pub(crate) fn given(&mut self, value: &Value, asker: Asker, stormy: bool) {
        let stale = self
            .forgotten
            .iter()
            .find(|f| self.is_stale(value, f, asker, stormy));
        if let Some(forgotten) = stale.cloned() {
            self.fail(format!(
                "{asker:?} was given what was read of {} at {} ({:?}), before {forgotten:?}",
                name(value.key),
                value.read,
                value.how
            ));
        }
        let until = value.returned.saturating_add(value.keep);
        let until = until.saturating_add(ROUNDING);
        if asker.asked >= until && !self.touched.contains(&value.key) {
            self.fail(format!(
                "{asker:?} was given a value of {} that was kept until {until}",
                name(value.key)
            ));
        }
    }

    fn is_stale(&self, value: &Value, forgotten: &Forgotten, asker: Asker, stormy: bool) -> bool {
        let is_heard =
            forgotten.node == asker.node || asker.asked >= forgotten.at.saturating_add(asker.bound);
        // Who joined a load of a node that could not reach the store.
        let is_shared = stormy && value.done > asker.begin;
        forgotten.acknowledged <= asker.begin
            && is_heard
            && !is_shared
            && forgotten.what.covers(value.key, &value.tags)
            && self.is_older(value, forgotten, stormy)
    }

    /// Whether a value ought to have gone by this change.
    fn is_older(&self, value: &Value, forgotten: &Forgotten, stormy: bool) -> bool {
        match value.how {
            How::Load => value.read < forgotten.from,
            // A write is true from whenever it came to the store, which is before its end; one that was lost may come at any time.
            How::Set => {
                let end = self.ended.get(&value.begun);
                end.is_some_and(|end| *end < forgotten.from)
            }
            How::Put => {
                let ended = self.ended.get(&value.begun);
                let overlaps = value.done < forgotten.acknowledged
                    && ended.is_none_or(|e| forgotten.from < *e);
                !stormy
                    && forgotten.by == By::Invalidation
                    && !overlaps
                    && value.read < forgotten.from
            }
        }
    }

    /// A load begins for a call that began at `since`.
    pub(crate) fn load_begins(
        &mut self,
        node: usize,
        key: usize,
        since: u64,
        tags: &[String],
    ) -> u64 {
        let id = self.tick();
        self.loads += 1;
        // Between the two joined, or one of them joined again.
        let parted = |other: &Running| {
            let first = since.min(other.since);
            self.parted.values().any(|(at, what, ended)| {
                *at == node && what.covers(key, tags) && ended.is_none_or(|end| end > first)
            })
        };
        let other = self
            .running
            .iter()
            .find(|other| (other.node, other.key) == (node, key) && !parted(other));
        if let Some(other) = other.cloned()
            && !self.excused.contains(&(node, key))
        {
            self.fail(format!(
                "two loads of {} at once on {node}: {id} for {since}, and {other:?}",
                name(key)
            ));
        }
        self.running.push(Running {
            id,
            node,
            key,
            since,
        });
        id
    }

    pub(crate) fn load_ends(&mut self, id: u64) {
        self.running.retain(|running| running.id != id);
    }
}
