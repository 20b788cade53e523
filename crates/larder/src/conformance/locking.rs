//! Locks with an owner and an end.

use std::time::Duration;

use super::Broken;
use super::trial::{HOUR, MINUTE, Outcome, Trial, holds, same};
use crate::store::wait::join;
use crate::store::{Acquired, Locks};

async fn take(locks: &dyn Locks, name: &str, owner: &str, ttl: Duration) -> Outcome<u64> {
    match locks.acquire(name, owner, ttl).await? {
        Acquired::Held { fence } => Ok(fence),
        Acquired::Taken { left } => Err(Broken::new(format_args!(
            "`{owner}` should hold it, but another does for {left:?}"
        ))),
    }
}

async fn is_refused(trial: &Trial<'_>, locks: &dyn Locks, name: &str, owner: &str) -> Outcome {
    match locks.acquire(name, owner, MINUTE).await? {
        Acquired::Held { .. } => Err(Broken::new(format_args!(
            "`{owner}` took what another holds"
        ))),
        Acquired::Taken { left } => holds(
            !left.is_zero() && left <= MINUTE + trial.expect.tick,
            format_args!("{left:?} are left of a minute"),
        ),
    }
}

pub(super) async fn one_owner_holds_a_name(trial: &Trial<'_>) -> Outcome {
    let Some(locks) = trial.store.locks() else {
        return Ok(());
    };
    let (name, other) = (trial.key("name"), trial.key("Name"));
    same(locks.held(&name).await?, None, "held by nobody")?;
    take(locks, &name, "me", MINUTE).await?;
    is_refused(trial, locks, &name, "you").await?;
    let second = trial.other_handle().await?;
    let theirs = second
        .store
        .locks()
        .ok_or_else(|| Broken::new("a second handle has no locks"))?;
    is_refused(trial, theirs, &name, "you").await?;
    take(locks, &other, "you", MINUTE).await?;
    let held = locks.held(&name).await?;
    let fits = held.is_some_and(|left| !left.is_zero() && left <= MINUTE + trial.expect.tick);
    holds(fits, format_args!("held for {held:?}, expected a minute"))?;
    same(locks.release(&name, "me").await?, true, "giving it back")?;
    same(
        locks.held(&name).await?,
        None,
        "held after it was given back",
    )?;
    take(theirs, &name, "you", MINUTE).await?;
    is_refused(trial, locks, &name, "me").await?;
    drop(second.store.close().await);
    Ok(())
}

pub(super) async fn only_the_owner_renews_and_releases(trial: &Trial<'_>) -> Outcome {
    let Some(locks) = trial.store.locks() else {
        return Ok(());
    };
    let name = trial.key("name");
    same(
        locks.renew(&name, "me", MINUTE).await?,
        false,
        "renewing what nobody holds",
    )?;
    same(
        locks.release(&name, "me").await?,
        false,
        "giving back what nobody holds",
    )?;
    take(locks, &name, "me", MINUTE).await?;
    for other in ["you", "", "m", "me2", "*"] {
        same(
            locks.renew(&name, other, MINUTE).await?,
            false,
            "renewing what another holds",
        )?;
        same(
            locks.release(&name, other).await?,
            false,
            "giving back what another holds",
        )?;
    }
    let hour = Duration::from_secs(3_600);
    same(locks.renew(&name, "me", hour).await?, true, "renewing")?;
    let held = locks.held(&name).await?;
    holds(
        held.is_some_and(|left| left > MINUTE),
        format_args!("held for {held:?} after renewing for an hour"),
    )?;
    take(locks, &name, "me", MINUTE).await?;
    let held = locks.held(&name).await?;
    let fits = held.is_some_and(|left| left <= MINUTE + trial.expect.tick);
    holds(
        fits,
        format_args!("held for {held:?} after taking it anew for a minute"),
    )?;
    same(locks.release(&name, "me").await?, true, "giving it back")?;
    same(
        locks.release(&name, "me").await?,
        false,
        "giving it back twice",
    )
}

pub(super) async fn a_lock_ends_by_itself(trial: &Trial<'_>) -> Outcome {
    let Some(locks) = trial.store.locks() else {
        return Ok(());
    };
    let (name, life) = (trial.key("name"), Duration::from_millis(300));
    take(locks, &name, "me", life).await?;
    trial.past(life).await;
    same(locks.held(&name).await?, None, "held after its end")?;
    same(
        locks.renew(&name, "me", MINUTE).await?,
        false,
        "renewing after its end",
    )?;
    same(
        locks.release(&name, "me").await?,
        false,
        "giving back after its end",
    )?;
    take(locks, &name, "you", MINUTE).await?;
    same(
        locks.release(&name, "me").await?,
        false,
        "giving back what another holds now",
    )?;
    is_refused(trial, locks, &name, "me").await
}

pub(super) async fn fences_grow(trial: &Trial<'_>) -> Outcome {
    let Some(locks) = trial.store.locks() else {
        return Ok(());
    };
    let (name, life) = (trial.key("name"), Duration::from_millis(100));
    let mut last = 0;
    for owner in ["a", "b", "a", "c"] {
        let fence = take(locks, &name, owner, MINUTE).await?;
        holds(fence > last, format_args!("fence {fence} after {last}"))?;
        locks.release(&name, owner).await?;
        last = fence;
    }
    for owner in ["a", "b"] {
        let fence = take(locks, &name, owner, life).await?;
        holds(
            fence > last,
            format_args!("fence {fence} after {last}, with ends"),
        )?;
        trial.past(life).await;
        last = fence;
    }
    take(locks, &name, "a", MINUTE).await?;
    let again = take(locks, &name, "a", MINUTE).await?;
    holds(
        again > last,
        format_args!("fence {again} after {last}, taken anew"),
    )
}

pub(super) async fn names_are_not_keys(trial: &Trial<'_>) -> Outcome {
    let Some(locks) = trial.store.locks() else {
        return Ok(());
    };
    for rest in ["a", "ö {*}\n", ""] {
        let name = trial.key(rest);
        trial.put(&name, b"entry", HOUR).await?;
        take(locks, &name, "me", MINUTE).await?;
        trial
            .is(&name, b"entry", "an entry that is called as a lock")
            .await?;
        trial.remove(crate::store::Removal::Keys(&[&name])).await?;
        is_refused(trial, locks, &name, "you").await?;
        trial
            .is_gone(&name, "an entry that is called as a lock")
            .await?;
    }
    Ok(())
}

pub(super) async fn many_try_at_once(trial: &Trial<'_>) -> Outcome {
    let Some(locks) = trial.store.locks() else {
        return Ok(());
    };
    let name = trial.key("name");
    let owners: Vec<String> = (0..40).map(|n| format!("owner {n}")).collect();
    let trying = owners
        .iter()
        .map(|owner| locks.acquire(&name, owner, MINUTE));
    let mut held = 0;
    for acquired in join(trying.collect()).await {
        held += usize::from(matches!(acquired?, Acquired::Held { .. }));
    }
    same(held, 1, "how many of forty hold it")
}
