//! Writes that depend on what is there.

use std::time::Duration;

use super::trial::{HOUR, Outcome, Trial, same};
use crate::store::{Condition, Removal};

pub(super) async fn absent_holds_once(trial: &Trial<'_>) -> Outcome {
    let key = trial.key("a");
    let first = trial.write(&key, b"1", HOUR, Condition::Absent).await?;
    let second = trial.write(&key, b"2", HOUR, Condition::Absent).await?;
    same((first, second), (true, false), "writing if absent, twice")?;
    trial.is(&key, b"1", "the first of two").await?;
    trial.remove(Removal::Keys(&[&key])).await?;
    let third = trial.write(&key, b"3", HOUR, Condition::Absent).await?;
    same(third, true, "writing if absent, after a removal")?;
    trial.is(&key, b"3", "written after a removal").await
}

pub(super) async fn present_holds_for_what_is_there(trial: &Trial<'_>) -> Outcome {
    let key = trial.key("a");
    let missing = trial.write(&key, b"1", HOUR, Condition::Present).await?;
    same(missing, false, "writing if present what is not")?;
    trial.is_gone(&key, "written if present").await?;
    trial.put(&key, b"", HOUR).await?;
    let there = trial.write(&key, b"2", HOUR, Condition::Present).await?;
    same(there, true, "writing if present what is")?;
    trial.is(&key, b"2", "written if present").await
}

pub(super) async fn an_expired_entry_is_absent(trial: &Trial<'_>) -> Outcome {
    let (a, b) = (trial.key("a"), trial.key("b"));
    let life = Duration::from_millis(200);
    trial.put(&a, b"1", Some(life)).await?;
    trial.put(&b, b"1", Some(life)).await?;
    trial.past(life).await;
    let absent = trial.write(&a, b"2", HOUR, Condition::Absent).await?;
    let present = trial.write(&b, b"2", HOUR, Condition::Present).await?;
    same(
        (absent, present),
        (true, false),
        "after its life: absent, present",
    )?;
    trial.is(&a, b"2", "written if absent").await?;
    trial.is_gone(&b, "written if present").await
}

pub(super) async fn a_condition_that_fails_changes_nothing(trial: &Trial<'_>) -> Outcome {
    let key = trial.key("a");
    trial.put(&key, b"1", HOUR).await?;
    let refused = trial.write(&key, b"2", None, Condition::Absent).await?;
    same(refused, false, "writing if absent what is there")?;
    trial.is(&key, b"1", "what was there").await?;
    let left = trial.store.remaining(&[&key]).await?;
    let bounded = matches!(left[..], [Some(Some(_))]);
    same(bounded, true, "its life still has an end")
}
