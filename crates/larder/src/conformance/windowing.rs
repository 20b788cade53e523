//! Sliding windows.

use std::time::Duration;

use super::trial::{HOUR, MINUTE, Outcome, Trial, holds, same};
use crate::store::Removal;
use crate::store::wait::join;

pub(super) async fn as_many_as_the_limit(trial: &Trial<'_>) -> Outcome {
    let Some(windows) = trial.store.windows() else {
        return Ok(());
    };
    let (key, other) = (trial.key("a"), trial.key("b"));
    for used in 1..=3 {
        let admission = windows.admit(&key, 3, MINUTE).await?;
        same(admission.admitted, true, "within the limit")?;
        same(admission.used, used, "how many were counted")?;
    }
    for _ in 0..3 {
        let refused = windows.admit(&key, 3, MINUTE).await?;
        same(refused.admitted, false, "past the limit")?;
        same(
            refused.used,
            3,
            "how many were counted: not those that were refused",
        )?;
        let after = refused.retry_after;
        let fits = !after.is_zero() && after <= MINUTE + trial.expect.tick;
        holds(
            fits,
            format_args!("retry after {after:?}, in a window of a minute"),
        )?;
    }
    same(
        windows.admit(&key, 4, MINUTE).await?.admitted,
        true,
        "with a greater limit",
    )?;
    same(
        windows.admit(&other, 1, MINUTE).await?.used,
        1,
        "under another key",
    )
}

pub(super) async fn a_window_slides(trial: &Trial<'_>) -> Outcome {
    let Some(windows) = trial.store.windows() else {
        return Ok(());
    };
    let (key, per) = (trial.key("a"), Duration::from_secs(2));
    windows.admit(&key, 2, per).await?;
    trial.wait(Duration::from_millis(900)).await;
    windows.admit(&key, 2, per).await?;
    let refused = windows.admit(&key, 2, per).await?;
    same(refused.admitted, false, "the third")?;
    let after = refused.retry_after;
    // The first has left its window by then, the second may still be in its own.
    holds(
        after <= Duration::from_millis(1_100) + trial.expect.tick,
        format_args!("retry after {after:?}"),
    )?;
    trial.past(after).await;
    let next = windows.admit(&key, 2, per).await?;
    same(next.admitted, true, "after the time it was told")?;
    trial.past(per).await;
    same(
        windows.admit(&key, 2, per).await?.used,
        1,
        "after a whole window",
    )
}

pub(super) async fn nothing_is_admitted_under_a_limit_of_nothing(trial: &Trial<'_>) -> Outcome {
    let Some(windows) = trial.store.windows() else {
        return Ok(());
    };
    let admission = windows.admit(&trial.key("a"), 0, MINUTE).await?;
    same(
        (admission.admitted, admission.used),
        (false, 0),
        "a limit of 0",
    )?;
    holds(
        admission.retry_after <= MINUTE + trial.expect.tick,
        "a longer wait than a window",
    )
}

pub(super) async fn many_ask_at_once(trial: &Trial<'_>) -> Outcome {
    let Some(windows) = trial.store.windows() else {
        return Ok(());
    };
    let key = trial.key("a");
    let asking = (0..40).map(|_| windows.admit(&key, 15, MINUTE)).collect();
    let mut used = Vec::new();
    for admission in join(asking).await {
        let admission = admission?;
        used.extend(admission.admitted.then_some(admission.used));
    }
    used.sort_unstable();
    same(
        used,
        (1..=15).collect::<Vec<u64>>(),
        "what the admitted were told",
    )
}

pub(super) async fn windows_and_keys_do_not_meet(trial: &Trial<'_>) -> Outcome {
    let Some(windows) = trial.store.windows() else {
        return Ok(());
    };
    let key = trial.key("a {*}\n");
    trial.put(&key, b"entry", HOUR).await?;
    same(
        windows.admit(&key, 1, MINUTE).await?.admitted,
        true,
        "under a key's name",
    )?;
    trial.is(&key, b"entry", "the entry of that name").await?;
    trial.remove(Removal::Keys(&[&key])).await?;
    same(
        windows.admit(&key, 1, MINUTE).await?.admitted,
        false,
        "after the entry was removed",
    )
}
