//! The direct operations against a reference model that fits on two pages, in virtual time.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{Error, ErrorKind};
use std::time::Duration;

use larder::testing::Simulation;
use larder::{Cache, Policy, Remaining};
use proptest::prelude::*;

const KEYS: [&str; 5] = ["a:1", "a:2", "b:1", "b:2", "b:10"];
const TAGS: [&str; 2] = ["red", "blue"];
const PATTERNS: [&str; 6] = ["*", "a:*", "?:1", "b:[12]", "b:1*", "*:[^1]*"];
/// Milliseconds: short ones, so that entries meet their deadlines.
const THROTTLE: u64 = 7;

#[derive(Clone, Copy, Debug)]
enum Knob {
    Plain,
    Stale(u64),
    Soft,
    FailSafe(u64),
    Failover,
    Hits(u32),
}

#[derive(Clone, Copy, Debug)]
struct Terms {
    ttl: u64,
    knob: Knob,
}

#[derive(Clone, Debug)]
enum Operation {
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
enum Answer {
    Done,
    Is(bool),
    Count(usize),
    Value(Option<i64>),
    Values(Vec<Option<i64>>),
    Keys(BTreeSet<String>),
    Left(Option<u64>),
    Failed,
}

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
struct Model {
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

    fn run(&mut self, operation: &Operation) -> Answer {
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

fn millis(n: u64) -> Duration {
    Duration::from_millis(n)
}

impl Terms {
    fn policy(self) -> Policy {
        let policy = Policy::new()
            .ttl(millis(self.ttl))
            .throttle(millis(THROTTLE));
        match self.knob {
            Knob::Plain => policy,
            Knob::Stale(more) => policy.stale(millis(more)),
            Knob::Soft => policy.soft(millis(self.ttl / 2)),
            Knob::FailSafe(more) => policy.fail_safe(millis(more)),
            Knob::Failover => policy.failover(),
            Knob::Hits(n) => policy.hits(n),
        }
    }
}

fn run(simulation: &Simulation, cache: &Cache, operation: &Operation) -> larder::Result<Answer> {
    let blocking = cache.blocking();
    let tagged = |tags: &[usize]| tags.iter().map(|tag| TAGS[*tag]).collect::<Vec<_>>();
    Ok(match operation {
        Operation::Set(key, value, terms, tags, present) => {
            let set = blocking.set(KEYS[*key], value).policy(terms.policy());
            let set = set.tags(tagged(tags));
            Answer::Is(match present {
                None => set.wait()?,
                Some(true) => set.if_present().wait()?,
                Some(false) => set.if_absent().wait()?,
            })
        }
        Operation::SetMany(keys, value, terms) => {
            let entries = keys.iter().map(|key| (KEYS[*key], *value));
            Answer::Count(blocking.set_many(entries).policy(terms.policy()).wait()?)
        }
        Operation::Get(key) => Answer::Value(blocking.get(KEYS[*key])?),
        Operation::GetMany(keys) => {
            Answer::Values(blocking.get_many(keys.iter().map(|key| KEYS[*key]))?)
        }
        Operation::Load(key, loaded, terms) => {
            let load = || loaded.ok_or(Error::from(ErrorKind::TimedOut));
            let asked = blocking.get_or_load(KEYS[*key], load);
            match asked.policy(terms.policy()).wait() {
                Ok(value) => Answer::Value(Some(value)),
                Err(error) if error.kind() == larder::ErrorKind::Source => Answer::Failed,
                Err(error) => return Err(error),
            }
        }
        Operation::Increment(key, by, ttl) => {
            let sum = blocking.increment(KEYS[*key], *by).ttl(millis(*ttl));
            Answer::Value(Some(sum.wait()?))
        }
        Operation::Touch(key, ttl) => Answer::Is(blocking.touch(KEYS[*key], millis(*ttl))?),
        Operation::Exists(key) => Answer::Is(blocking.exists(KEYS[*key])?),
        Operation::Remaining(key) => {
            Answer::Left(blocking.remaining_ttl(KEYS[*key])?.map(|left| match left {
                Remaining::For(left) => u64::try_from(left.as_millis()).unwrap_or(u64::MAX),
                Remaining::Forever => u64::MAX,
            }))
        }
        Operation::Scan(pattern) => {
            Answer::Keys(blocking.scan(PATTERNS[*pattern])?.into_iter().collect())
        }
        Operation::Delete(key) => Answer::Is(blocking.delete(KEYS[*key])?),
        Operation::DeletePrefix(key, length) => {
            Answer::Count(blocking.delete_prefix(&KEYS[*key][..*length])?)
        }
        Operation::DeletePattern(pattern) => {
            Answer::Count(blocking.delete_pattern(PATTERNS[*pattern])?)
        }
        Operation::DeleteTags(tags) => {
            blocking.delete_tags(tagged(tags))?;
            Answer::Done
        }
        Operation::Clear => {
            blocking.clear()?;
            Answer::Done
        }
        Operation::Wait(time) => {
            simulation.advance(millis(*time));
            Answer::Done
        }
    })
}

fn terms() -> impl Strategy<Value = Terms> {
    let knob = prop_oneof![
        3 => Just(Knob::Plain),
        1 => (1..20_u64).prop_map(Knob::Stale),
        1 => Just(Knob::Soft),
        2 => (1..20_u64).prop_map(Knob::FailSafe),
        1 => Just(Knob::Failover),
        1 => (1..4_u32).prop_map(Knob::Hits),
    ];
    (2..30_u64, knob).prop_map(|(ttl, knob)| Terms { ttl, knob })
}

fn operation() -> impl Strategy<Value = Operation> {
    let key = || 0..KEYS.len();
    let tags = || prop::collection::vec(0..TAGS.len(), 0..3);
    let some_keys = || prop::sample::subsequence((0..KEYS.len()).collect::<Vec<_>>(), 1..4);
    let value = || -9..10_i64;
    prop_oneof![
        4 => (key(), value(), terms(), tags(), any::<Option<bool>>())
            .prop_map(|(k, v, terms, tags, present)| Operation::Set(k, v, terms, tags, present)),
        1 => (some_keys(), value(), terms()).prop_map(|(k, v, terms)| Operation::SetMany(k, v, terms)),
        4 => key().prop_map(Operation::Get),
        1 => some_keys().prop_map(Operation::GetMany),
        4 => (key(), prop::option::of(value()), terms()).prop_map(|(k, v, terms)| Operation::Load(k, v, terms)),
        2 => (key(), value(), 2..30_u64).prop_map(|(k, by, ttl)| Operation::Increment(k, by, ttl)),
        2 => (key(), 1..30_u64).prop_map(|(k, ttl)| Operation::Touch(k, ttl)),
        2 => key().prop_map(Operation::Exists),
        2 => key().prop_map(Operation::Remaining),
        1 => (0..PATTERNS.len()).prop_map(Operation::Scan),
        1 => key().prop_map(Operation::Delete),
        1 => (key(), 0..4_usize).prop_map(|(k, length)| Operation::DeletePrefix(k, length.min(KEYS[k].len()))),
        1 => (0..PATTERNS.len()).prop_map(Operation::DeletePattern),
        1 => tags().prop_map(Operation::DeleteTags),
        1 => Just(Operation::Clear),
        6 => (1..15_u64).prop_map(Operation::Wait),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn every_operation_answers_as_the_model_does(operations in prop::collection::vec(operation(), 1..60)) {
        let simulation = Simulation::new(1);
        let cache = simulation.cache_builder().prefix("p:").build().unwrap();
        let mut model = Model::default();
        for (at, operation) in operations.iter().enumerate() {
            let answer = run(&simulation, &cache, operation);
            prop_assert_eq!(answer.unwrap(), model.run(operation), "operation {}: {:?}", at, operation);
        }
    }
}
