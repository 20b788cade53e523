//! Calls counted against limits.

use std::time::Duration;

use super::trial::{HOUR, MINUTE, Outcome, Trial, holds, same};
use crate::store::wait::join;
use crate::store::{Admission, Quota, Removal, Window, Windows};

const KINDS: [Window; 3] = [Window::Fixed, Window::Sliding, Window::Gcra];

/// A quota of each kind, and a key for it.
fn each(trial: &Trial<'_>, quota: Quota) -> [(String, Quota); 3] {
    KINDS.map(|kind| (trial.key(&format!("{kind:?}")), quota.window(kind)))
}

/// Does in time what says something of time only if it is done in time: once more under another key when a machine that was busy took longer than its waits and some.
macro_rules! steady {
    ($trial:ident, $waits:expr, $attempt:ident) => {{
        const TRIES: u32 = 10;
        let slack = 2 * ($trial.expect.tick + Duration::from_millis(20));
        let most = $waits + slack + Duration::from_millis(400);
        for number in 1..TRIES {
            let began = $trial.now();
            let outcome = $attempt($trial, &$trial.key(&format!("{number}"))).await;
            let took = Duration::from_millis($trial.now().saturating_sub(began));
            if outcome.is_ok() || took <= most {
                return outcome;
            }
        }
        $attempt($trial, &$trial.key("last")).await
    }};
}

fn refused_within(trial: &Trial<'_>, admission: Admission, span: Duration) -> Outcome {
    same(admission.admitted, false, "past the limit")?;
    let after = admission.retry_after;
    let fits = !after.is_zero() && after <= span + trial.expect.tick;
    holds(fits, format_args!("retry after {after:?}, not {span:?}"))
}

pub(super) async fn as_many_as_the_limit(trial: &Trial<'_>) -> Outcome {
    let Some(windows) = trial.store.windows() else {
        return Ok(());
    };
    for (key, quota) in each(trial, Quota::new(3, MINUTE)) {
        for used in 1..=3 {
            let admission = windows.admit(&key, &quota).await?;
            same(admission, Admission::admitted(used), "within the limit")?;
        }
        for _ in 0..3 {
            let refused = windows.admit(&key, &quota).await?;
            let what = "how many were counted: not those that were refused";
            same((refused.used, refused.banned), (3, false), what)?;
            let longest = match quota.window {
                Window::Gcra => MINUTE / 3,
                Window::Fixed | Window::Sliding => MINUTE,
            };
            refused_within(trial, refused, longest)?;
        }
        let other = trial.key("other");
        let other = windows.admit(&other, &quota).await?;
        same(other.used, 1, "under another key")?;
    }
    let key = trial.key("greater");
    for kind in [Window::Fixed, Window::Sliding] {
        let quota = |limit| Quota::new(limit, MINUTE).window(kind);
        same(windows.admit(&key, &quota(1)).await?.used, 1, "the first")?;
        let next = windows.admit(&key, &quota(2)).await?;
        same(next, Admission::admitted(2), "with a greater limit")?;
    }
    Ok(())
}

pub(super) async fn a_window_slides(trial: &Trial<'_>) -> Outcome {
    steady!(trial, Duration::from_millis(4_000), slides)
}

async fn slides(trial: &Trial<'_>, key: &str) -> Outcome {
    let Some(windows) = trial.store.windows() else {
        return Ok(());
    };
    let per = Duration::from_secs(2);
    let quota = Quota::new(2, per);
    windows.admit(key, &quota).await?;
    trial.wait(Duration::from_millis(1_200)).await;
    windows.admit(key, &quota).await?;
    let refused = windows.admit(key, &quota).await?;
    refused_within(trial, refused, Duration::from_millis(800))?;
    trial.past(refused.retry_after).await;
    let next = windows.admit(key, &quota).await?;
    // The first has left its window by then, the second is still in it.
    same(next, Admission::admitted(2), "after the time it was told")?;
    trial.past(per).await;
    same(
        windows.admit(key, &quota).await?.used,
        1,
        "after a whole window",
    )
}

pub(super) async fn a_fixed_window_begins_with_its_first_call(trial: &Trial<'_>) -> Outcome {
    steady!(trial, Duration::from_millis(2_000), begins)
}

async fn begins(trial: &Trial<'_>, key: &str) -> Outcome {
    let Some(windows) = trial.store.windows() else {
        return Ok(());
    };
    let per = Duration::from_secs(2);
    let quota = Quota::new(2, per).window(Window::Fixed);
    windows.admit(key, &quota).await?;
    trial.wait(Duration::from_millis(900)).await;
    same(windows.admit(key, &quota).await?.used, 2, "the second")?;
    let refused = windows.admit(key, &quota).await?;
    refused_within(trial, refused, Duration::from_millis(1_100))?;
    trial.past(refused.retry_after).await;
    // All at once: nothing of the window before is left.
    for used in 1..=2 {
        let next = windows.admit(key, &quota).await?;
        same(next, Admission::admitted(used), "in the next window")?;
    }
    let refused = windows.admit(key, &quota).await?;
    refused_within(trial, refused, per)
}

pub(super) async fn gcra_gives_one_back_at_a_time(trial: &Trial<'_>) -> Outcome {
    steady!(trial, Duration::from_millis(3_000), gives_back)
}

async fn gives_back(trial: &Trial<'_>, key: &str) -> Outcome {
    let Some(windows) = trial.store.windows() else {
        return Ok(());
    };
    let per = Duration::from_secs(2);
    let quota = Quota::new(2, per).window(Window::Gcra);
    for used in 1..=2 {
        let burst = windows.admit(key, &quota).await?;
        same(burst, Admission::admitted(used), "the limit at once")?;
    }
    let refused = windows.admit(key, &quota).await?;
    refused_within(trial, refused, per / 2)?;
    trial.past(refused.retry_after).await;
    let next = windows.admit(key, &quota).await?;
    same(next.admitted, true, "after the time it was told")?;
    let refused = windows.admit(key, &quota).await?;
    refused_within(trial, refused, per / 2)?;
    trial.past(per).await;
    let used = windows.admit(key, &quota).await?.used;
    same(used, 1, "after the whole time")
}

pub(super) async fn a_ban_keeps_a_key_out(trial: &Trial<'_>) -> Outcome {
    steady!(trial, Duration::from_millis(2_500), keeps_out)
}

async fn keeps_out(trial: &Trial<'_>, key: &str) -> Outcome {
    let Some(windows) = trial.store.windows() else {
        return Ok(());
    };
    let (per, ban) = (Duration::from_millis(700), Duration::from_millis(2_500));
    let quota = Quota::new(1, per).ban(ban);
    let quotas = KINDS.map(|kind| (format!("{key}:{kind:?}"), quota.window(kind)));
    for (key, quota) in &quotas {
        let first = windows.admit(key, quota).await?;
        same(first, Admission::admitted(1), "the first")?;
        let refused = windows.admit(key, quota).await?;
        same(refused.banned, true, "at the first call over the limit")?;
        refused_within(trial, refused, ban)?;
        let fits = refused.retry_after + trial.expect.tick >= ban;
        holds(fits, format_args!("kept out for {refused:?}"))?;
    }
    trial.past(per).await;
    for (key, quota) in &quotas {
        let refused = windows.admit(key, quota).await?;
        same(refused.banned, true, "after the window, within the ban")?;
        refused_within(trial, refused, ban - per)?;
        let lenient = Quota::new(9, per).window(quota.window);
        let refused = windows.admit(key, &lenient).await?;
        same(refused.banned, true, "by a quota that bans nobody")?;
    }
    let other = windows.admit(&format!("{key}:other"), &quotas[0].1).await?;
    same(other.admitted, true, "under another key")?;
    trial.past(ban - per).await;
    for (key, quota) in &quotas {
        let next = windows.admit(key, quota).await?;
        same(next, Admission::admitted(1), "after the ban")?;
    }
    Ok(())
}

pub(super) async fn nothing_is_admitted_under_a_limit_of_nothing(trial: &Trial<'_>) -> Outcome {
    let Some(windows) = trial.store.windows() else {
        return Ok(());
    };
    for (key, quota) in each(trial, Quota::new(0, MINUTE)) {
        let refused = windows.admit(&key, &quota).await?;
        same(refused.used, 0, "a limit of 0")?;
        refused_within(trial, refused, MINUTE)?;
    }
    Ok(())
}

pub(super) async fn absurdly_long_quotas_are_long(trial: &Trial<'_>) -> Outcome {
    let Some(windows) = trial.store.windows() else {
        return Ok(());
    };
    let long = Duration::from_secs(20 * 365 * 86_400);
    for (key, quota) in each(trial, Quota::new(1, Duration::MAX).ban(Duration::MAX)) {
        let first = windows.admit(&key, &quota).await?;
        same(first.admitted, true, "the first")?;
        for _ in 0..2 {
            let refused = windows.admit(&key, &quota).await?;
            same(refused.banned, true, "the next")?;
            let after = refused.retry_after;
            holds(after > long, format_args!("retry after {after:?}"))?;
        }
    }
    Ok(())
}

pub(super) async fn many_ask_at_once(trial: &Trial<'_>) -> Outcome {
    let Some(windows) = trial.store.windows() else {
        return Ok(());
    };
    for (key, quota) in &each(trial, Quota::new(15, MINUTE)) {
        let asking = (0..40).map(|_| windows.admit(key, quota)).collect();
        let mut used = Vec::new();
        for admission in join(asking).await {
            let admission = admission?;
            used.extend(admission.admitted.then_some(admission.used));
        }
        used.sort_unstable();
        let all: Vec<u64> = (1..=15).collect();
        same(used, all, "what the admitted were told")?;
    }
    Ok(())
}

pub(super) async fn windows_and_keys_do_not_meet(trial: &Trial<'_>) -> Outcome {
    let Some(windows) = trial.store.windows() else {
        return Ok(());
    };
    let key = trial.key("a {*}\n");
    trial.put(&key, b"entry", HOUR).await?;
    let quotas = KINDS.map(|kind| Quota::new(1, MINUTE).window(kind));
    for quota in quotas {
        let under = "under a key's name, and apart from windows of other kinds";
        same(admitted(windows, &key, &quota).await?, true, under)?;
    }
    trial.is(&key, b"entry", "the entry of that name").await?;
    trial.remove(Removal::Keys(&[&key])).await?;
    for quota in quotas {
        let after = "after the entry was removed";
        same(admitted(windows, &key, &quota).await?, false, after)?;
    }
    Ok(())
}

async fn admitted(windows: &dyn Windows, key: &str, quota: &Quota) -> Outcome<bool> {
    Ok(windows.admit(key, quota).await?.admitted)
}
