//! Numbers that several processes count in.

use std::time::Duration;

use super::trial::{HOUR, Outcome, Trial, fails_with, holds, same};
use crate::error::ErrorKind;
use crate::store::Removal;
use crate::store::wait::join;

pub(super) async fn sums_are_kept_as_decimal_text(trial: &Trial<'_>) -> Outcome {
    let Some(counters) = trial.store.counters() else {
        return Ok(());
    };
    let key = trial.key("a");
    let steps = [
        (5, 5),
        (0, 5),
        (-7, -2),
        (1_000_000_007, 1_000_000_005),
        (-1_000_000_005, 0),
        (9, 9),
        (-10, -1),
    ];
    for (by, sum) in steps {
        same(
            counters.add(&key, by, HOUR).await?,
            sum,
            format_args!("adding {by}"),
        )?;
        let text = sum.to_string();
        trial
            .is(&key, text.as_bytes(), "the number as text")
            .await?;
    }
    trial.put(&key, b"41", HOUR).await?;
    same(
        counters.add(&key, 1, HOUR).await?,
        42,
        "adding to what was written",
    )?;
    trial.remove(Removal::Keys(&[&key])).await?;
    same(
        counters.add(&key, 3, HOUR).await?,
        3,
        "adding to what was removed",
    )?;
    same(
        counters.count(&key, 2, HOUR).await?,
        5,
        "counting, as guards do, to what was added",
    )?;
    let odd = trial.key("ö {*}\n");
    same(
        counters.add(&odd, 4, HOUR).await?,
        4,
        "adding under an odd key",
    )?;
    let found = trial
        .found(&key, crate::store::Ask::EntryOrLease, &[])
        .await?;
    same(found.lease, None, "the lease beside a number")
}

pub(super) async fn the_first_addition_gives_the_life(trial: &Trial<'_>) -> Outcome {
    let Some(counters) = trial.store.counters() else {
        return Ok(());
    };
    let [hour, ever, zero] = ["hour", "ever", "zero"].map(|key| trial.key(key));
    counters.add(&hour, 1, HOUR).await?;
    counters
        .add(&hour, 1, Some(Duration::from_millis(1)))
        .await?;
    counters.add(&ever, 1, None).await?;
    counters.add(&ever, 1, HOUR).await?;
    counters.add(&zero, 0, HOUR).await?;
    let left = trial.store.remaining(&[&hour, &ever, &zero]).await?;
    let bound = Duration::from_secs(3_600) + trial.expect.tick;
    let minute = Duration::from_secs(60);
    let fits = |left: Option<_>| matches!(left, Some(Some(left)) if minute < left && left <= bound);
    let right = left.len() == 3 && fits(left[0]) && left[1] == Some(None) && fits(left[2]);
    holds(
        right,
        format_args!("expected an hour, for ever, an hour, got {left:?}"),
    )?;
    trial.is(&hour, b"2", "a number with a life").await
}

pub(super) async fn sums_out_of_range_change_nothing(trial: &Trial<'_>) -> Outcome {
    let Some(counters) = trial.store.counters() else {
        return Ok(());
    };
    for (start, by) in [
        (i64::MAX, 1),
        (i64::MIN, -1),
        (i64::MAX, i64::MAX),
        (-2, i64::MIN),
    ] {
        let key = trial.key(&format!("{start} {by}"));
        same(
            counters.add(&key, start, HOUR).await?,
            start,
            "the first number",
        )?;
        let sum = counters.add(&key, by, HOUR).await;
        holds(sum.is_err(), format_args!("{start} + {by} gave {sum:?}"))?;
        let text = start.to_string();
        trial
            .is(&key, text.as_bytes(), "after a sum out of range")
            .await?;
        same(counters.add(&key, 0, HOUR).await?, start, "adding nothing")?;
    }
    Ok(())
}

pub(super) async fn other_values_are_of_the_wrong_type(trial: &Trial<'_>) -> Outcome {
    let Some(counters) = trial.store.counters() else {
        return Ok(());
    };
    let entry = trial.entry(super::trial::FRESH, &[], b"17");
    let values: [&[u8]; 9] = [
        b"text",
        b"",
        b"1.5",
        b" 1",
        b"1 ",
        b"9999999999999999999999",
        b"0x10",
        b"\xff\xfe",
        &entry,
    ];
    for (number, value) in values.into_iter().enumerate() {
        let key = trial.key(&format!("{number}"));
        trial.put(&key, value, HOUR).await?;
        let sum = counters.add(&key, 1, HOUR).await;
        let what = format!("adding to {:?}", String::from_utf8_lossy(value));
        fails_with(sum, ErrorKind::WrongType, &what)?;
        trial.is(&key, value, "a value of the wrong type").await?;
    }
    Ok(())
}

pub(super) async fn an_expired_number_begins_anew(trial: &Trial<'_>) -> Outcome {
    let Some(counters) = trial.store.counters() else {
        return Ok(());
    };
    let (key, life) = (trial.key("a"), Duration::from_millis(300));
    same(
        counters.add(&key, 7, Some(life)).await?,
        7,
        "the first number",
    )?;
    trial.past(life).await;
    trial.is_gone(&key, "a number after its life").await?;
    same(
        counters.add(&key, 2, HOUR).await?,
        2,
        "adding after its life",
    )?;
    trial.past(life).await;
    trial.is(&key, b"2", "a number with a new life").await
}

pub(super) async fn many_add_at_once(trial: &Trial<'_>) -> Outcome {
    let Some(counters) = trial.store.counters() else {
        return Ok(());
    };
    let other = trial.other_handle().await?;
    let theirs = other.store.counters();
    let theirs = theirs.ok_or_else(|| super::Broken::new("a second handle has no counters"))?;
    let key = trial.key("a");
    let mut adding = Vec::new();
    for _ in 0..50 {
        adding.push(counters.add(&key, 1, HOUR));
        adding.push(theirs.add(&key, 2, HOUR));
    }
    let mut sums = Vec::new();
    for sum in join(adding).await {
        sums.push(sum?);
    }
    sums.sort_unstable();
    sums.dedup();
    same(sums.len(), 100, "sums that differ")?;
    same(sums.last().copied(), Some(150), "the last sum")?;
    trial.is(&key, b"150", "the sum of all").await?;
    drop(other.store.close().await);
    Ok(())
}
