//! Bits by position.

use std::time::Duration;

use super::trial::{HOUR, Outcome, Trial, same};
use crate::store::wait::join;
use crate::store::{Bits, Removal};

async fn are(bits: &dyn Bits, key: &str, expected: &[(u32, bool)], what: &str) -> Outcome {
    let positions: Vec<u32> = expected.iter().map(|(at, _)| *at).collect();
    let expected: Vec<bool> = expected.iter().map(|(_, is_set)| *is_set).collect();
    same(bits.test(key, &positions).await?, expected, what)
}

pub(super) async fn a_bit_that_was_set_is_set(trial: &Trial<'_>) -> Outcome {
    let Some(bits) = trial.store.bits() else {
        return Ok(());
    };
    let (key, other) = (trial.key("a"), trial.key("b"));
    are(bits, &key, &[(0, false), (9, false)], "of no row").await?;
    bits.set(&key, &[9, 3, 1_000], None).await?;
    let expected = [(1_000, true), (0, false), (3, true), (9, true), (3, true)];
    are(bits, &key, &expected, "in the order of the positions").await?;
    // The neighbours of each, and what lies past the end.
    let expected = [2, 4, 8, 10, 999, 1_001, 70_000].map(|at| (at, false));
    are(bits, &key, &expected, "others of that row").await?;
    are(bits, &other, &[(3, false)], "of another row").await?;
    let second = trial.other_handle().await?;
    let Some(elsewhere) = second.store.bits() else {
        return same(false, true, "another handle has bits");
    };
    are(elsewhere, &key, &[(9, true)], "by another handle").await?;
    same(bits.test(&key, &[]).await?, Vec::new(), "no positions")
}

pub(super) async fn new_bits_are_counted(trial: &Trial<'_>) -> Outcome {
    let Some(bits) = trial.store.bits() else {
        return Ok(());
    };
    let key = trial.key("a");
    same(bits.set(&key, &[], HOUR).await?, 0, "none")?;
    same(bits.set(&key, &[1, 2, 3], HOUR).await?, 3, "new ones")?;
    same(bits.set(&key, &[3, 4, 4], HOUR).await?, 1, "one is new")?;
    same(bits.set(&key, &[4, 3, 2, 1], HOUR).await?, 0, "none is new")
}

pub(super) async fn the_first_bits_give_the_life(trial: &Trial<'_>) -> Outcome {
    let Some(bits) = trial.store.bits() else {
        return Ok(());
    };
    let (short, long, endless) = (trial.key("s"), trial.key("l"), trial.key("e"));
    let life = Duration::from_secs(1);
    bits.set(&short, &[1], Some(life)).await?;
    bits.set(&short, &[2], HOUR).await?;
    bits.set(&long, &[1], HOUR).await?;
    bits.set(&long, &[2], Some(life)).await?;
    bits.set(&endless, &[1], None).await?;
    bits.set(&endless, &[2], Some(life)).await?;
    trial.past(life).await;
    let gone = [(1, false), (2, false)];
    are(bits, &short, &gone, "past the life").await?;
    let there = [(1, true), (2, true)];
    are(bits, &long, &there, "within the first life").await?;
    are(bits, &endless, &there, "of a row without an end").await?;
    same(bits.set(&short, &[1], None).await?, 1, "a row anew")
}

pub(super) async fn a_cleared_row_is_empty(trial: &Trial<'_>) -> Outcome {
    let Some(bits) = trial.store.bits() else {
        return Ok(());
    };
    let (key, other) = (trial.key("a"), trial.key("b"));
    same(bits.clear(&key).await?, false, "clearing no row")?;
    bits.set(&key, &[7], None).await?;
    bits.set(&other, &[7], None).await?;
    same(bits.clear(&key).await?, true, "clearing a row")?;
    are(bits, &key, &[(7, false)], "of the cleared row").await?;
    are(bits, &other, &[(7, true)], "of another row").await
}

pub(super) async fn the_highest_position_is_like_others(trial: &Trial<'_>) -> Outcome {
    let Some(bits) = trial.store.bits() else {
        return Ok(());
    };
    // Asked for only: setting it would take half a gigabyte.
    let key = trial.key("a");
    bits.set(&key, &[0], None).await?;
    let expected = [(u32::MAX, false), (0, true), (u32::MAX - 1, false)];
    are(bits, &key, &expected, "far past the end").await
}

pub(super) async fn many_set_at_once(trial: &Trial<'_>) -> Outcome {
    let Some(bits) = trial.store.bits() else {
        return Ok(());
    };
    let key = trial.key("a");
    // Each sets a bit of its own and one that all share.
    let rows: Vec<[u32; 2]> = (1..=40).map(|at| [at, 0]).collect();
    let setting = rows.iter().map(|row| bits.set(&key, row, None)).collect();
    let mut new = 0;
    for set in join(setting).await {
        new += set?;
    }
    same(new, 41, "how many were new to somebody")?;
    let expected: Vec<(u32, bool)> = (0..42).map(|at| (at, at < 41)).collect();
    are(bits, &key, &expected, "what all have set").await
}

pub(super) async fn rows_and_keys_do_not_meet(trial: &Trial<'_>) -> Outcome {
    let Some(bits) = trial.store.bits() else {
        return Ok(());
    };
    let key = trial.key("a {*}\n");
    trial.put(&key, b"entry", HOUR).await?;
    bits.set(&key, &[1], None).await?;
    trial.is(&key, b"entry", "the entry of that name").await?;
    trial.remove(Removal::Keys(&[&key])).await?;
    are(bits, &key, &[(1, true)], "after the entry was removed").await?;
    trial.put(&key, b"entry", HOUR).await?;
    bits.clear(&key).await?;
    trial.is(&key, b"entry", "after the row was cleared").await
}
