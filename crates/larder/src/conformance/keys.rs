//! Keys of any text.

use super::trial::{HOUR, Outcome, Trial, same};
use crate::store::{Ask, Removal};

/// What breaks protocols, paths, globs, statements and formats.
pub(super) const ODD: &[&str] = &[
    "",
    " ",
    "with space",
    "\n",
    "\r\n",
    "a\r\nset b 0 0 1\r\nx\r\n",
    "\t",
    "\u{1}\u{7f}",
    "é",
    "e\u{301}",
    "日本語",
    "🦀",
    "\u{202e}right to left",
    "%",
    "%25",
    "%s%n",
    "_",
    "{}",
    "{a}b",
    "{",
    "..",
    "../..",
    ".",
    "./a",
    "/",
    "//",
    "/etc/passwd",
    "a/b",
    "a\\b",
    "C:",
    "con",
    "nul.txt",
    "a.tmp",
    "*",
    "?",
    "[a]",
    "[^a]",
    "\\*",
    "'",
    "''; drop table entries; --",
    "\"",
    "$(id)",
    "~",
    "#",
    "a?b=c&d",
    "A",
    "a",
    "Ａ",
    "tag:a",
    "tags:a",
    "lease:a",
    "lock:a",
    "lock:{a}",
    "window:a",
    "epoch",
    "\u{0}tag",
    "null",
    "0",
    "-1",
];

pub(super) async fn odd_keys_are_keys_like_others(trial: &Trial<'_>) -> Outcome {
    let keys: Vec<String> = ODD.iter().map(|odd| trial.key(odd)).collect();
    for (key, odd) in keys.iter().zip(ODD) {
        trial.put(key, format!("<{odd}>").as_bytes(), HOUR).await?;
    }
    let reads: Vec<_> = keys
        .iter()
        .map(|key| trial.question(key, Ask::Entry, &[]))
        .collect();
    let found = trial.store.read(&reads).await?;
    same(found.len(), ODD.len(), "answers")?;
    for (found, odd) in found.iter().zip(ODD) {
        let expected = format!("<{odd}>");
        same(
            found.bytes.as_deref().map(String::from_utf8_lossy),
            Some(expected.into()),
            format_args!("under the key {odd:?}"),
        )?;
    }
    for (key, odd) in keys.iter().zip(ODD) {
        trial.remove(Removal::Keys(&[key])).await?;
        trial.is_gone(key, &format!("removed {odd:?}")).await?;
        let found = trial.found(key, Ask::EntryOrLease, &[]).await?;
        let lease = found.lease.ok_or_else(|| {
            super::Broken::new(format_args!("no lease for the missing key {odd:?}"))
        })?;
        let filled = trial.fill(key, b"2", &lease).await?;
        same(filled, true, format_args!("filling the key {odd:?}"))?;
        trial.is(key, b"2", odd).await?;
    }
    Ok(())
}

pub(super) async fn long_keys_that_begin_alike_stay_apart(trial: &Trial<'_>) -> Outcome {
    for length in [100, 200, 245, 250, 251, 255, 256, 1_000, 1_025, 100_000] {
        let long = "k".repeat(length);
        let keys = [
            trial.key(&long),
            trial.key(&format!("{long}1")),
            trial.key(&format!("{long}2")),
            trial.key(&format!("x{long}")),
        ];
        for (number, key) in keys.iter().enumerate() {
            trial.put(key, number.to_string().as_bytes(), HOUR).await?;
        }
        for (number, key) in keys.iter().enumerate() {
            let what = format!("one of keys of {length} bytes");
            trial.is(key, number.to_string().as_bytes(), &what).await?;
        }
        trial.remove(Removal::Keys(&[&keys[1]])).await?;
        trial
            .is_gone(&keys[1], "a long key that was removed")
            .await?;
        trial.is(&keys[2], b"2", "a long key beside it").await?;
        let lease = trial.lease(&keys[1]).await?;
        same(
            trial.fill(&keys[2], b"x", &lease).await?,
            false,
            "another's lease",
        )?;
        same(
            trial.fill(&keys[1], b"y", &lease).await?,
            true,
            "its own lease",
        )?;
    }
    Ok(())
}

pub(super) async fn name_spaces_do_not_meet(trial: &Trial<'_>) -> Outcome {
    let other = trial.other_space().await?;
    let (mine, theirs) = (trial.key("a"), other.key("a"));
    trial.put(&mine, b"mine", HOUR).await?;
    other.put(&theirs, b"theirs", HOUR).await?;
    trial.remove(Removal::Keys(&[&mine])).await?;
    other.is(&theirs, b"theirs", "another name space").await?;
    trial.is_gone(&mine, "of this name space").await?;
    other.end().await;
    Ok(())
}
