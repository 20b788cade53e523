//! The model: entries in a map, and the clock.

use std::collections::BTreeMap;

use crate::operation::{Answer, KEYS, Knob, Operation, PATTERNS, THROTTLE, Terms};

#[derive(Clone, Debug)]
struct Entry {
    value: i64,
    refresh: u64,
    stale: u64,
    keep: u64,
    throttled: u64,
    throttle: u64,
    hits: u32,
    used: u32,
    tags: Vec<usize>,
}

#[derive(Debug, Default)]
pub(crate) struct Model {
    now: u64,
    entries: BTreeMap<usize, Entry>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Verdict {
    Fresh,
    Refresh,
    Reload,
    Gone,
}

impl Model {
    fn verdict(&self, key: usize) -> Verdict {
        let Some(entry) = self.entries.get(&key) else {
            return Verdict::Gone;
        };
        let spent = entry.hits > 0 && entry.used >= entry.hits;
        match self.now {
            now if now >= entry.keep => Verdict::Gone,
            now if now < entry.throttled => Verdict::Fresh,
            now if spent || now >= entry.stale => Verdict::Reload,
            now if now >= entry.refresh => Verdict::Refresh,
            _ => Verdict::Fresh,
        }
    }

    fn is_alive(&self, key: usize) -> bool {
        self.verdict(key) != Verdict::Gone
    }

    fn is_served(&self, key: usize) -> bool {
        matches!(self.verdict(key), Verdict::Fresh | Verdict::Refresh)
    }

    fn write(&mut self, key: usize, value: i64, terms: Terms, tags: &[usize]) {
        let end = self.now + terms.ttl;
        let [mut refresh, mut stale, mut keep] = [end; 3];
        let (mut hits, mut throttle) = (0, THROTTLE);
        match terms.knob {
            Knob::Plain => {}
            Knob::Stale(more) => (stale, keep) = (end + more, end + more),
            Knob::Soft => {
                refresh = self.now + terms.ttl / 2;
                stale = refresh;
            }
            Knob::FailSafe(more) => keep = end + more,
            Knob::Failover => {
                (refresh, stale) = (self.now, self.now);
                throttle = 0;
            }
            Knob::Hits(n) => hits = n,
        }
        let entry = Entry {
            value,
            refresh,
            stale,
            keep,
            throttled: 0,
            throttle,
            hits,
            used: 0,
            tags: tags.to_vec(),
        };
        self.entries.insert(key, entry);
    }

    fn read(&mut self, key: usize) -> Option<i64> {
        let served = self.is_served(key);
        let entry = self.entries.get_mut(&key).filter(|_| served)?;
        entry.used += 1;
        Some(entry.value)
    }

    /// The source failed: what is kept stands in, and the source is left alone for a while.
    fn save(&mut self, key: usize) -> i64 {
        let now = self.now;
        let entry = self.entries.get_mut(&key).expect("a kept entry");
        entry.throttled = (now + entry.throttle).min(entry.keep);
        entry.value
    }

    fn load(&mut self, key: usize, loaded: Option<i64>, terms: Terms) -> Answer {
        let verdict = self.verdict(key);
        let read = self.read(key);
        match (verdict, loaded) {
            (Verdict::Fresh, _) => Answer::Value(read),
            (_, Some(value)) => {
                self.write(key, value, terms, &[]);
                Answer::Value(Some(value))
            }
            (Verdict::Gone, None) => Answer::Failed,
            (Verdict::Refresh | Verdict::Reload, None) => Answer::Value(Some(self.save(key))),
        }
    }

    fn delete(&mut self, matches: impl Fn(&str, &[usize]) -> bool) -> usize {
        let keys = self.entries.iter();
        let keys = keys.filter(|(key, entry)| matches(KEYS[**key], &entry.tags));
        let keys: Vec<usize> = keys.map(|(key, _)| *key).collect();
        let alive = keys.iter().filter(|key| self.is_alive(**key)).count();
        keys.iter().for_each(|key| drop(self.entries.remove(key)));
        alive
    }

    pub(crate) fn run(&mut self, operation: &Operation) -> Answer {
        match operation {
            Operation::Set(key, value, terms, tags, present) => {
                let written = present.is_none_or(|present| present == self.is_served(*key));
                if written {
                    self.write(*key, *value, *terms, tags);
                }
                Answer::Is(written)
            }
            Operation::SetMany(keys, value, terms) => {
                keys.iter()
                    .for_each(|key| self.write(*key, *value, *terms, &[]));
                Answer::Count(keys.len())
            }
            Operation::Get(key) => Answer::Value(self.read(*key)),
            Operation::GetMany(keys) => {
                Answer::Values(keys.iter().map(|key| self.read(*key)).collect())
            }
            Operation::Load(key, loaded, terms) => self.load(*key, *loaded, *terms),
            Operation::Increment(key, by, ttl) => {
                if !self.is_served(*key) {
                    let terms = Terms {
                        ttl: *ttl,
                        knob: Knob::Plain,
                    };
                    self.write(*key, 0, terms, &[]);
                }
                let entry = self
                    .entries
                    .get_mut(key)
                    .expect("written if it was not there");
                entry.value += by;
                Answer::Value(Some(entry.value))
            }
            Operation::Touch(key, ttl) => {
                let served = self.is_served(*key);
                if served {
                    let Entry { value, tags, .. } = self.entries[key].clone();
                    let terms = Terms {
                        ttl: *ttl,
                        knob: Knob::Plain,
                    };
                    self.write(*key, value, terms, &tags);
                }
                Answer::Is(served)
            }
            Operation::Exists(key) => Answer::Is(self.is_served(*key)),
            Operation::Remaining(key) => Answer::Left(
                self.is_alive(*key)
                    .then(|| self.entries[key].keep - self.now),
            ),
            Operation::Scan(pattern) => {
                let keys = (0..KEYS.len()).filter(|key| self.is_alive(*key));
                let keys = keys.map(|key| KEYS[key].to_owned());
                Answer::Keys(keys.filter(|key| matches(*pattern, key)).collect())
            }
            Operation::Delete(key) => Answer::Is(self.delete(|name, _| name == KEYS[*key]) == 1),
            Operation::DeletePrefix(key, length) => {
                Answer::Count(self.delete(|name, _| name.starts_with(&KEYS[*key][..*length])))
            }
            Operation::DeletePattern(pattern) => {
                Answer::Count(self.delete(|name, _| matches(*pattern, name)))
            }
            Operation::DeleteTags(tags) => {
                self.delete(|_, has| has.iter().any(|tag| tags.contains(tag)));
                Answer::Done
            }
            Operation::Clear => {
                self.entries.clear();
                Answer::Done
            }
            Operation::Wait(time) => {
                self.now += time;
                Answer::Done
            }
        }
    }
}

/// What each of the patterns means, said without a matcher.
fn matches(pattern: usize, key: &str) -> bool {
    let (group, number) = key.split_once(':').expect("a key of the test");
    match PATTERNS[pattern] {
        "*" => true,
        "a:*" => group == "a",
        "?:1" => number == "1",
        "b:[12]" => group == "b" && number.len() == 1,
        "b:1*" => group == "b" && number.starts_with('1'),
        "*:[^1]*" => !number.starts_with('1'),
        other => unreachable!("no such pattern: {other}"),
    }
}
