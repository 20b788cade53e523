//! What ends leases, and what does not.

use super::Power;
use super::trial::{HOUR, Outcome, Trial, same};
use crate::store::{Condition, LeaseLevel, Removal, Token};

/// Two keys with a lease each: one that has an entry, one that never had.
struct Leased {
    keys: [String; 2],
    leases: [Token; 2],
}

impl Leased {
    async fn new(trial: &Trial<'_>, rest: &str) -> Outcome<Self> {
        let keys = ["there:", "missing:"].map(|key| trial.key(&format!("{key}{rest}")));
        trial.put(&keys[0], b"before", HOUR).await?;
        let leases = [trial.lease(&keys[0]).await?, trial.lease(&keys[1]).await?];
        Ok(Self { keys, leases })
    }

    async fn have_ended(&self, trial: &Trial<'_>) -> Outcome {
        for (key, lease) in self.keys.iter().zip(&self.leases) {
            let filled = trial.fill(key, b"too late", lease).await?;
            same(filled, false, format_args!("filling `{key}` afterwards"))?;
            let read = trial.read(key).await?;
            same(read.as_deref() == Some(b"too late"), false, "too late")?;
        }
        Ok(())
    }

    async fn stand(&self, trial: &Trial<'_>) -> Outcome {
        for (key, lease) in self.keys.iter().zip(&self.leases) {
            let filled = trial.fill(key, b"filled", lease).await?;
            same(filled, true, format_args!("filling `{key}` afterwards"))?;
            trial.is(key, b"filled", "what was filled").await?;
        }
        Ok(())
    }
}

pub(super) async fn by_a_write(trial: &Trial<'_>) -> Outcome {
    let leased = Leased::new(trial, "a").await?;
    for key in &leased.keys {
        trial.put(key, b"true", HOUR).await?;
    }
    leased.have_ended(trial).await
}

pub(super) async fn by_a_write_on_condition(trial: &Trial<'_>) -> Outcome {
    let leased = Leased::new(trial, "a").await?;
    let conditions = [Condition::Present, Condition::Absent];
    for (key, condition) in leased.keys.iter().zip(conditions) {
        let written = trial.write(key, b"true", HOUR, condition).await?;
        same(written, true, "writing")?;
    }
    leased.have_ended(trial).await
}

pub(super) async fn not_by_a_condition_that_fails(trial: &Trial<'_>) -> Outcome {
    let leased = Leased::new(trial, "a").await?;
    let conditions = [Condition::Absent, Condition::Present];
    for (key, condition) in leased.keys.iter().zip(conditions) {
        let written = trial.write(key, b"true", HOUR, condition).await?;
        same(written, false, "writing")?;
    }
    leased.stand(trial).await
}

pub(super) async fn by_a_removal_of_the_key(trial: &Trial<'_>) -> Outcome {
    let leased = Leased::new(trial, "a").await?;
    let keys = leased.keys.each_ref().map(String::as_str);
    trial.remove(Removal::Keys(&keys)).await?;
    leased.have_ended(trial).await
}

pub(super) async fn by_a_removal_by_prefix(trial: &Trial<'_>) -> Outcome {
    if trial.lacks(Power::Prefixes) {
        return Ok(());
    }
    let leased = Leased::new(trial, "a").await?;
    trial.remove(Removal::Prefix(&trial.key("there"))).await?;
    trial
        .remove(Removal::Prefix(&trial.key("missing:a")))
        .await?;
    leased.have_ended(trial).await
}

pub(super) async fn by_a_removal_of_everything(trial: &Trial<'_>) -> Outcome {
    if trial.lacks(Power::Prefixes) {
        return Ok(());
    }
    let leased = Leased::new(trial, "a").await?;
    trial.remove(Removal::Prefix("")).await?;
    leased.have_ended(trial).await
}

pub(super) async fn by_a_removal_by_pattern(trial: &Trial<'_>) -> Outcome {
    if trial.lacks(Power::Patterns) {
        return Ok(());
    }
    let leased = Leased::new(trial, "a").await?;
    let prefix = trial.key("");
    let removal = Removal::Pattern {
        prefix: &prefix,
        pattern: "*e*:?",
    };
    trial.remove(removal).await?;
    // `missing:a` has no `e`.
    let kept = trial
        .fill(&leased.keys[1], b"kept", &leased.leases[1])
        .await?;
    same(kept, true, "a key that the pattern does not match")?;
    let removal = Removal::Pattern {
        prefix: &prefix,
        pattern: "miss*:[a-c]",
    };
    trial.remove(removal).await?;
    leased.have_ended(trial).await
}

pub(super) async fn by_an_addition(trial: &Trial<'_>) -> Outcome {
    let Some(counters) = trial.store.counters() else {
        return Ok(());
    };
    let leased = Leased::new(trial, "a").await?;
    trial.put(&leased.keys[0], b"7", HOUR).await?;
    let again = trial.lease(&leased.keys[0]).await?;
    let sum = counters.add(&leased.keys[0], 1, HOUR).await?;
    same(sum, 8, "adding to what is there")?;
    let sum = counters.add(&leased.keys[1], 1, HOUR).await?;
    same(sum, 1, "adding to what is not")?;
    let filled = trial.fill(&leased.keys[0], b"0", &again).await?;
    same(filled, false, "filling after an addition")?;
    leased.have_ended(trial).await?;
    trial.is(&leased.keys[0], b"8", "the sum").await
}

pub(super) async fn by_another_handle(trial: &Trial<'_>) -> Outcome {
    if trial.store.lease_level() == LeaseLevel::Process {
        return Ok(());
    }
    let other = trial.other_handle().await?;
    let leased = Leased::new(trial, "removed").await?;
    let keys = leased.keys.each_ref().map(String::as_str);
    other.remove(Removal::Keys(&keys)).await?;
    leased.have_ended(trial).await?;
    let leased = Leased::new(trial, "written").await?;
    for key in &leased.keys {
        other.put(key, b"true", HOUR).await?;
    }
    leased.have_ended(trial).await?;
    if !trial.lacks(Power::Prefixes) {
        let leased = Leased::new(trial, "cleared").await?;
        other.remove(Removal::Prefix("")).await?;
        leased.have_ended(trial).await?;
    }
    drop(other.store.close().await);
    Ok(())
}

pub(super) async fn not_by_what_happens_to_other_keys(trial: &Trial<'_>) -> Outcome {
    let leased = Leased::new(trial, "a").await?;
    let other = trial.key("there:");
    trial.put(&other, b"1", HOUR).await?;
    trial.put(&trial.key("missing:ab"), b"1", HOUR).await?;
    trial.remove(Removal::Keys(&[&other])).await?;
    if !trial.lacks(Power::Prefixes) {
        trial
            .remove(Removal::Prefix(&trial.key("there:ab")))
            .await?;
        trial
            .remove(Removal::Prefix(&trial.key("missing:A")))
            .await?;
    }
    leased.stand(trial).await
}

pub(super) async fn not_before_they_were_given(trial: &Trial<'_>) -> Outcome {
    let keys = ["there:a", "missing:a"].map(|key| trial.key(key));
    let named = keys.each_ref().map(String::as_str);
    trial.remove(Removal::Keys(&named)).await?;
    if !trial.lacks(Power::Prefixes) {
        trial.remove(Removal::Prefix(&trial.key("there"))).await?;
        trial.remove(Removal::Prefix("")).await?;
    }
    if !trial.lacks(Power::Patterns) {
        let prefix = trial.key("");
        let removal = Removal::Pattern {
            prefix: &prefix,
            pattern: "*:a",
        };
        trial.remove(removal).await?;
    }
    Leased::new(trial, "a").await?.stand(trial).await
}
