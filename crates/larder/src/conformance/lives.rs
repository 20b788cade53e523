//! Entries end when they should, and not before.

use std::time::Duration;

use super::Power;
use super::trial::{HOUR, Outcome, Trial, holds, one, same};
use crate::store::{Ask, Condition, Fill, Life, Removal, Touch};

const SHORT: Duration = Duration::from_millis(300);

async fn left(trial: &Trial<'_>, key: &str) -> Outcome<Option<Life>> {
    one(trial.store.remaining(&[key]).await?)
}

pub(super) async fn an_entry_past_its_life_is_gone_for_every_operation(
    trial: &Trial<'_>,
) -> Outcome {
    let keys = ["a", "b", "c", "d"].map(|key| trial.key(key));
    let [a, b, c, d] = &keys;
    for key in &keys {
        trial.put(key, b"1", Some(SHORT)).await?;
    }
    trial.past(SHORT).await;
    trial.is_gone(a, "after its life").await?;
    same(left(trial, a).await?, None, "what remains after its life")?;
    if !trial.lacks(Power::Scan) {
        let told = trial.scan(&trial.key(""), "*", 10).await?;
        same(told, Vec::new(), "keys told after their lives")?;
    }
    let present = trial.write(a, b"2", HOUR, Condition::Present).await?;
    same(present, false, "writing what was there, after its life")?;
    let absent = trial.write(a, b"2", HOUR, Condition::Absent).await?;
    same(absent, true, "writing what is absent, after its life")?;
    let removed = trial.remove(Removal::Keys(&[b])).await?;
    same(removed, 0, "how many were removed after their lives")?;
    let lease = trial.found(c, Ask::EntryOrLease, &[]).await?.lease;
    let lease = lease.ok_or_else(|| super::Broken::new("no lease after its life"))?;
    let touch = Touch {
        key: c,
        head: b"",
        life: HOUR,
        lease: &lease,
    };
    same(
        trial.store.touch(&touch).await?,
        false,
        "touching it after its life",
    )?;
    trial.is_gone(c, "touched after its life").await?;
    same(
        trial.fill(c, b"3", &lease).await?,
        true,
        "filling it after its life",
    )?;
    trial.is(c, b"3", "filled after its life").await?;
    trial.is_gone(d, "nobody touched it").await
}

pub(super) async fn lives_may_be_shorter_than_a_second(trial: &Trial<'_>) -> Outcome {
    let lives = [
        Duration::from_nanos(1),
        Duration::from_micros(1),
        Duration::from_millis(1),
        Duration::from_millis(250),
        Duration::from_micros(500_500),
    ];
    let keys: Vec<String> = lives
        .iter()
        .map(|life| trial.key(&format!("{life:?}")))
        .collect();
    for (key, life) in keys.iter().zip(lives) {
        trial.put(key, b"1", Some(life)).await?;
        let left = left(trial, key).await?;
        let bound = life + trial.expect.tick;
        let fits = left.is_none_or(|left| left.is_some_and(|left| left <= bound));
        holds(fits, format_args!("{left:?} remain of a life of {life:?}"))?;
    }
    trial.past(Duration::from_millis(501)).await;
    for (key, life) in keys.iter().zip(lives) {
        trial
            .is_gone(key, &format!("after a life of {life:?}"))
            .await?;
    }
    Ok(())
}

pub(super) async fn a_life_of_nothing_is_no_entry(trial: &Trial<'_>) -> Outcome {
    let (key, filled) = (trial.key("written"), trial.key("filled"));
    trial.put(&key, b"before", HOUR).await?;
    trial.put(&key, b"1", Some(Duration::ZERO)).await?;
    let lease = trial.lease(&filled).await?;
    let fill = Fill {
        key: &filled,
        bytes: b"1",
        life: Some(Duration::ZERO),
        lease: &lease,
    };
    trial.store.fill(&[fill]).await?;
    trial.past(Duration::ZERO).await;
    trial
        .is_gone(&key, "written with a life of nothing")
        .await?;
    trial
        .is_gone(&filled, "filled with a life of nothing")
        .await
}

pub(super) async fn absurdly_long_lives_are_long(trial: &Trial<'_>) -> Outcome {
    let lives = [
        Some(Duration::from_secs(40 * 86_400)),
        Some(Duration::from_secs(1_000 * 365 * 86_400)),
        Some(Duration::from_secs(u64::from(u32::MAX) + 7)),
        Some(Duration::from_millis(i64::MAX as u64)),
        Some(Duration::from_secs(u64::MAX)),
        Some(Duration::MAX),
        None,
    ];
    for life in lives {
        let key = trial.key(&format!("{life:?}"));
        trial.put(&key, b"1", life).await?;
        trial
            .is(&key, b"1", &format!("with a life of {life:?}"))
            .await?;
        let left = left(trial, &key).await?;
        let month = Duration::from_secs(39 * 86_400);
        let long = left.is_some_and(|left| left.is_none_or(|left| left > month));
        holds(long, format_args!("{left:?} remain of a life of {life:?}"))?;
        let lease = trial.lease(&key).await?;
        let fill = Fill {
            key: &key,
            bytes: b"2",
            life,
            lease: &lease,
        };
        same(trial.store.fill(&[fill]).await?, vec![true], "filling")?;
        trial
            .is(&key, b"2", &format!("filled with a life of {life:?}"))
            .await?;
    }
    let key = trial.key("None");
    same(left(trial, &key).await?, Some(None), "for ever")
}

pub(super) async fn what_remains_is_told(trial: &Trial<'_>) -> Outcome {
    let [long, missing, short] = ["long", "missing", "short"].map(|key| trial.key(key));
    let (hour, minute) = (Duration::from_secs(3_600), Duration::from_secs(60));
    trial.put(&long, b"1", Some(hour)).await?;
    trial.put(&short, b"1", Some(minute)).await?;
    let check = |told: Vec<Option<Life>>, passed: Duration| {
        let [Some(Some(a)), None, Some(Some(b))] = told[..] else {
            return Err(super::Broken::new(format_args!(
                "expected lives of the first and the last, got {told:?}"
            )));
        };
        // Half a minute for a machine that is busy.
        let slack = Duration::from_secs(30);
        for (left, life) in [(a, hour), (b, minute)] {
            let fits = left <= life + trial.expect.tick - passed && left + passed + slack >= life;
            holds(
                fits,
                format_args!("{left:?} remain of {life:?} after {passed:?}"),
            )?;
        }
        Ok(())
    };
    let asked = [&*long, &*missing, &*short];
    check(trial.store.remaining(&asked).await?, Duration::ZERO)?;
    let passed = Duration::from_millis(1_100);
    trial.wait(passed).await;
    check(trial.store.remaining(&asked).await?, passed)
}

pub(super) async fn a_write_replaces_the_life(trial: &Trial<'_>) -> Outcome {
    let (longer, shorter) = (trial.key("longer"), trial.key("shorter"));
    trial.put(&longer, b"1", Some(SHORT)).await?;
    trial.put(&longer, b"2", None).await?;
    trial.put(&shorter, b"1", None).await?;
    trial.put(&shorter, b"2", Some(SHORT)).await?;
    trial.past(SHORT).await;
    trial.is(&longer, b"2", "written again for ever").await?;
    trial.is_gone(&shorter, "written again for a moment").await
}

pub(super) async fn a_fill_gives_a_life(trial: &Trial<'_>) -> Outcome {
    let keys = ["short", "long"].map(|key| trial.key(key));
    for (key, life) in keys.iter().zip([Some(SHORT), HOUR]) {
        let lease = trial.lease(key).await?;
        let fill = Fill {
            key,
            bytes: b"1",
            life,
            lease: &lease,
        };
        same(trial.store.fill(&[fill]).await?, vec![true], "filling")?;
    }
    trial.past(SHORT).await;
    trial.is_gone(&keys[0], "filled for a moment").await?;
    trial.is(&keys[1], b"1", "filled for an hour").await
}
