//! The same operations on a real cache.

use std::io::{Error, ErrorKind};
use std::time::Duration;

use larder::testing::Simulation;
use larder::{Cache, Policy, Remaining};

use crate::operation::{Answer, KEYS, Knob, Operation, PATTERNS, TAGS, THROTTLE, Terms};

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

pub(crate) fn run(
    simulation: &Simulation,
    cache: &Cache,
    operation: &Operation,
) -> larder::Result<Answer> {
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
