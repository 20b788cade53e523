//! Every key is told, page by page.

use std::collections::BTreeSet;

use super::Power;
use super::trial::{HOUR, Outcome, Trial, holds, same};
use crate::store::{Ask, Condition, Quota, Removal, Scan, Window, Write};

async fn put_numbered(trial: &Trial<'_>, part: &str, count: usize) -> Outcome<BTreeSet<String>> {
    let keys: BTreeSet<String> = (0..count)
        .map(|n| trial.key(&format!("{part}{n:03}")))
        .collect();
    let writes: Vec<Write<'_>> = keys
        .iter()
        .map(|key| Write {
            key,
            bytes: b"1",
            life: HOUR,
            condition: Condition::Always,
        })
        .collect();
    trial.store.write(&writes).await?;
    Ok(keys)
}

pub(super) async fn every_key_is_told(trial: &Trial<'_>) -> Outcome {
    if trial.lacks(Power::Scan) {
        return Ok(());
    }
    let prefix = trial.key("");
    same(
        trial.scan(&prefix, "*", 10).await?,
        vec![],
        "keys of nothing",
    )?;
    let mut keys = put_numbered(trial, "k", 137).await?;
    for odd in super::keys::ODD {
        let key = trial.key(odd);
        trial.put(&key, b"1", HOUR).await?;
        keys.insert(key);
    }
    keys.insert(trial.key(&"long".repeat(300)));
    trial
        .put(&trial.key(&"long".repeat(300)), b"1", HOUR)
        .await?;
    let told: BTreeSet<String> = trial.scan(&prefix, "*", 50).await?.into_iter().collect();
    same(told, keys.clone(), "all keys")?;
    let told: BTreeSet<String> = trial.scan("", "*", 50).await?.into_iter().collect();
    same(told, keys, "all keys of this name space")
}

pub(super) async fn pages_of_any_size_end(trial: &Trial<'_>) -> Outcome {
    if trial.lacks(Power::Scan) {
        return Ok(());
    }
    let keys = put_numbered(trial, "k", 41).await?;
    for limit in [0, 1, 7, 41, 1_000_000, usize::MAX] {
        let told = trial.scan(&trial.key("k"), "*", limit).await?;
        let told: BTreeSet<String> = told.into_iter().collect();
        same(
            told,
            keys.clone(),
            format_args!("by pages of about {limit}"),
        )?;
    }
    Ok(())
}

pub(super) async fn what_stays_is_told_while_others_come_and_go(trial: &Trial<'_>) -> Outcome {
    if trial.lacks(Power::Scan) {
        return Ok(());
    }
    let stays = put_numbered(trial, "k:stays", 60).await?;
    let goes: Vec<String> = put_numbered(trial, "k:goes", 60)
        .await?
        .into_iter()
        .collect();
    let prefix = trial.key("k:");
    let (mut told, mut cursor) = (BTreeSet::new(), None::<String>);
    for round in 0..10_000 {
        let scan = Scan {
            prefix: &prefix,
            pattern: "*",
            cursor: cursor.as_deref(),
            limit: 5,
        };
        let page = trial.store.scan(&scan).await?;
        told.extend(page.keys);
        cursor = page.cursor;
        if cursor.is_none() {
            break;
        }
        if let Some(key) = goes.get(round) {
            trial.remove(Removal::Keys(&[key])).await?;
            trial
                .put(&trial.key(&format!("k:comes{round}")), b"1", HOUR)
                .await?;
        }
        // Written again is not gone.
        let again = stays.iter().nth(round % stays.len());
        trial
            .put(again.map_or(&prefix, |key| key), b"2", HOUR)
            .await?;
    }
    holds(cursor.is_none(), "the scan does not end")?;
    let missed: Vec<&String> = stays.difference(&told).collect();
    same(missed, vec![], "keys that stayed and were not told")?;
    holds(
        told.iter().all(|key| key.starts_with(&prefix)),
        "a foreign key was told",
    )
}

pub(super) async fn prefixes_and_patterns_hold(trial: &Trial<'_>) -> Outcome {
    if trial.lacks(Power::Scan) {
        return Ok(());
    }
    let rests = ["a*1", "ab1", "ab2", "a*", "b1", "é1", "[1"];
    for rest in rests {
        trial.put(&trial.key(rest), b"1", HOUR).await?;
    }
    let cases: &[(&str, &str, &[&str])] = &[
        ("a*", "*", &["a*", "a*1"]),
        ("a", "*1", &["a*1", "ab1"]),
        ("a", "b?", &["ab1", "ab2"]),
        ("a", "[b]1", &["ab1"]),
        ("a", "\\**", &["a*", "a*1"]),
        ("", "?1", &["[1", "b1"]),
        ("[", "*", &["[1"]),
        ("é", "*", &["é1"]),
        ("ab", "", &[]),
        ("a*", "", &["a*"]),
        ("none", "*", &[]),
    ];
    for (prefix, pattern, expected) in cases {
        let told = trial.scan(&trial.key(prefix), pattern, 10).await?;
        let told: BTreeSet<String> = told.into_iter().collect();
        let expected = expected.iter().map(|rest| trial.key(rest)).collect();
        same(
            told,
            expected,
            format_args!("keys that begin with {prefix:?} and go on as {pattern:?}"),
        )?;
    }
    Ok(())
}

/// Tags, leases, locks and windows are no keys.
pub(super) async fn only_entries_are_told(trial: &Trial<'_>) -> Outcome {
    if trial.lacks(Power::Scan) {
        return Ok(());
    }
    let (key, tag) = (trial.key("entry"), trial.key("tag"));
    trial.put(&key, b"1", HOUR).await?;
    trial.versions(&[&tag], HOUR).await?;
    trial
        .found(&trial.key("leased"), Ask::EntryOrLease, &[&tag])
        .await?;
    trial.put(&trial.key("removed"), b"1", HOUR).await?;
    trial
        .remove(Removal::Keys(&[&trial.key("removed")]))
        .await?;
    let minute = super::trial::MINUTE;
    if let Some(locks) = trial.store.locks() {
        locks.acquire(&trial.key("lock"), "me", minute).await?;
    }
    if let Some(windows) = trial.store.windows() {
        let banning = Quota::new(1, minute).ban(minute);
        for window in [Window::Fixed, Window::Sliding, Window::Gcra] {
            let quota = banning.window(window);
            windows.admit(&trial.key("window"), &quota).await?;
        }
        windows.admit(&trial.key("window"), &banning).await?;
    }
    let mut expected = vec![key];
    if let Some(counters) = trial.store.counters() {
        counters.add(&trial.key("number"), 1, HOUR).await?;
        expected.push(trial.key("number"));
    }
    let mut told = trial.scan("", "*", 100).await?;
    told.sort_unstable();
    told.dedup();
    same(told, expected, "keys of living entries")
}

pub(super) async fn a_foreign_cursor_does_no_harm(trial: &Trial<'_>) -> Outcome {
    if trial.lacks(Power::Scan) {
        return Ok(());
    }
    let keys = put_numbered(trial, "k", 10).await?;
    let prefix = trial.key("k");
    for cursor in [
        "",
        "nonsense",
        "99999999999999999999",
        "-1",
        "0",
        "\u{0}",
        "é:*",
    ] {
        let scan = Scan {
            prefix: &prefix,
            pattern: "*",
            cursor: Some(cursor),
            limit: 3,
        };
        // An error or any page.
        if let Ok(page) = trial.store.scan(&scan).await {
            let ours = page.keys.iter().all(|key| keys.contains(key));
            holds(
                ours,
                format_args!("keys after the cursor {cursor:?}: {:?}", page.keys),
            )?;
        }
    }
    let told: BTreeSet<String> = trial.scan(&prefix, "*", 3).await?.into_iter().collect();
    same(told, keys, "all keys, after foreign cursors")
}
