//! Removals that take what they name, and nothing else.

use super::Power;
use super::trial::{HOUR, Outcome, Trial, fails_with, same};
use crate::error::ErrorKind;
use crate::store::{Removal, Scan};

/// Which of these rests of keys are there.
async fn there<'r>(trial: &Trial<'_>, rests: &[&'r str]) -> Outcome<Vec<&'r str>> {
    let mut there = Vec::new();
    for rest in rests {
        there.extend(trial.read(&trial.key(rest)).await?.map(|_| *rest));
    }
    Ok(there)
}

async fn put_all(trial: &Trial<'_>, rests: &[&str]) -> Outcome {
    for rest in rests {
        trial.put(&trial.key(rest), rest.as_bytes(), HOUR).await?;
    }
    Ok(())
}

pub(super) async fn these_keys_and_no_others(trial: &Trial<'_>) -> Outcome {
    let rests = ["a", "aa", "A", "b", "c*", "cc"];
    put_all(trial, &rests).await?;
    let [a, c, missing] = ["a", "c*", "missing"].map(|rest| trial.key(rest));
    let removed = trial.remove(Removal::Keys(&[&a, &missing, &c])).await?;
    if !trial.lacks(Power::Counts) {
        same(removed, 2, "how many were removed")?;
    }
    let left = there(trial, &rests).await?;
    same(left, vec!["aa", "A", "b", "cc"], "what is left")?;
    trial.put(&a, b"again", HOUR).await?;
    trial.is(&a, b"again", "written after its removal").await
}

/// Texts that some protocol or language would take for more than themselves, each beside one that it would then mean.
const LITERAL: &[(&str, &str)] = &[
    ("a*b:", "axb:"),
    ("a?b:", "axb:"),
    ("a[x]b:", "axb:"),
    ("a\\xb:", "axb:"),
    ("a%b:", "axb:"),
    ("a_b:", "axb:"),
    ("a.b:", "axb:"),
    ("a'b:", "a''b:"),
    ("A:", "a:"),
    ("é:", "e\u{301}:"),
    ("{a}:", "a:"),
    ("a b:", "a+b:"),
    ("a/b:", "a/../a/b:"),
    ("a\n:", "a:"),
];

pub(super) async fn a_prefix_is_taken_literally(trial: &Trial<'_>) -> Outcome {
    if trial.lacks(Power::Prefixes) {
        return Ok(());
    }
    for (prefix, meant) in LITERAL {
        let (bare, one, two) = (
            (*prefix).to_owned(),
            format!("{prefix}1"),
            format!("{prefix}2/3"),
        );
        let (beside, behind) = (format!("{meant}1"), format!("x{prefix}1"));
        let rests: [&str; 5] = [&bare, &one, &two, &beside, &behind];
        put_all(trial, &rests).await?;
        trial.remove(Removal::Prefix(&trial.key(prefix))).await?;
        let left = there(trial, &rests).await?;
        let expected = vec![&*beside, &*behind];
        same(
            left,
            expected,
            format_args!("after removing by the prefix {prefix:?}"),
        )?;
    }
    Ok(())
}

pub(super) async fn everything_of_this_name_space(trial: &Trial<'_>) -> Outcome {
    if trial.lacks(Power::Prefixes) {
        return Ok(());
    }
    let other = trial.other_space().await?;
    let theirs = other.key("a");
    other.put(&theirs, b"theirs", HOUR).await?;
    let rests = ["", "a", "b:c", "é*"];
    put_all(trial, &rests).await?;
    trial.remove(Removal::Prefix(&trial.key("no such"))).await?;
    let left = there(trial, &rests).await?;
    same(
        left,
        rests.to_vec(),
        "after removing by a prefix that nothing has",
    )?;
    trial.remove(Removal::Prefix("")).await?;
    same(
        there(trial, &rests).await?,
        vec![],
        "after removing everything",
    )?;
    other
        .is(&theirs, b"theirs", "in another name space")
        .await?;
    put_all(trial, &rests).await?;
    let left = there(trial, &rests).await?;
    same(left, rests.to_vec(), "written after everything was removed")?;
    other.end().await;
    Ok(())
}

pub(super) async fn a_pattern_by_the_rules_of_redis(trial: &Trial<'_>) -> Outcome {
    if trial.lacks(Power::Patterns) {
        return Ok(());
    }
    let rests = [
        "hello", "hallo", "hxllo", "hllo", "heello", "h*llo", "h]llo", "HELLO", "h%llo", "hello\n",
    ];
    let cases: &[(&str, &[&str])] = &[
        (
            "h?llo",
            &["hello", "hallo", "hxllo", "h*llo", "h]llo", "h%llo"],
        ),
        (
            "h*llo",
            &[
                "hello", "hallo", "hxllo", "hllo", "heello", "h*llo", "h]llo", "h%llo",
            ],
        ),
        ("h[ae]llo", &["hello", "hallo"]),
        ("h[^e]llo", &["hallo", "hxllo", "h*llo", "h]llo", "h%llo"]),
        ("h[a-b]llo", &["hallo"]),
        ("h\\*llo", &["h*llo"]),
        ("h%llo", &["h%llo"]),
        ("hello", &["hello"]),
        ("ello", &[]),
        ("hello*", &["hello", "hello\n"]),
        ("", &[]),
    ];
    let prefix = trial.key("");
    for (pattern, taken) in cases {
        put_all(trial, &rests).await?;
        let removal = Removal::Pattern {
            prefix: &prefix,
            pattern,
        };
        trial.remove(removal).await?;
        let left = there(trial, &rests).await?;
        let expected = rests.iter().copied().filter(|rest| !taken.contains(rest));
        same(
            left,
            expected.collect(),
            format_args!("after removing by {pattern:?}"),
        )?;
    }
    Ok(())
}

pub(super) async fn the_prefix_of_a_pattern_is_taken_literally(trial: &Trial<'_>) -> Outcome {
    if trial.lacks(Power::Patterns) {
        return Ok(());
    }
    for (prefix, meant) in LITERAL {
        let rests = [
            format!("{prefix}1"),
            format!("{prefix}2"),
            format!("{meant}1"),
        ];
        let rests = rests.each_ref().map(String::as_str);
        put_all(trial, &rests).await?;
        let removal = Removal::Pattern {
            prefix: &trial.key(prefix),
            pattern: "*1",
        };
        trial.remove(removal).await?;
        let left = there(trial, &rests).await?;
        same(
            left,
            rests[1..].to_vec(),
            format_args!("after {prefix:?} and `*1`"),
        )?;
    }
    Ok(())
}

pub(super) async fn what_is_written_afterwards_stays(trial: &Trial<'_>) -> Outcome {
    let key = trial.key("a:1");
    for round in 0..5 {
        let value = format!("{round}");
        trial.put(&key, b"before", HOUR).await?;
        trial.remove(Removal::Keys(&[&key])).await?;
        trial.put(&key, value.as_bytes(), HOUR).await?;
        trial
            .is(&key, value.as_bytes(), "after removing the key")
            .await?;
        if !trial.lacks(Power::Prefixes) {
            trial.remove(Removal::Prefix(&trial.key("a:"))).await?;
            trial.is_gone(&key, "removed by prefix").await?;
            trial.put(&key, value.as_bytes(), HOUR).await?;
            trial
                .is(&key, value.as_bytes(), "after removing by prefix")
                .await?;
            trial.remove(Removal::Prefix("")).await?;
            let lease = trial.lease(&key).await?;
            same(
                trial.fill(&key, value.as_bytes(), &lease).await?,
                true,
                "filling",
            )?;
            trial
                .is(&key, value.as_bytes(), "filled after removing everything")
                .await?;
        }
    }
    Ok(())
}

/// A store that lacks a power says so, and one that has it does not.
pub(super) async fn what_is_unsupported_says_so(trial: &Trial<'_>) -> Outcome {
    let (key, store) = (trial.key("a"), &trial.store);
    trial.put(&key, b"1", HOUR).await?;
    let unsupported = ErrorKind::Unsupported;
    if trial.lacks(Power::Prefixes) {
        let removed = store.remove(&Removal::Prefix(&key)).await;
        fails_with(removed, unsupported, "removing by prefix")?;
    }
    if trial.lacks(Power::Patterns) {
        let removal = Removal::Pattern {
            prefix: &key,
            pattern: "*",
        };
        fails_with(
            store.remove(&removal).await,
            unsupported,
            "removing by pattern",
        )?;
    }
    if trial.lacks(Power::Scan) {
        let scan = Scan {
            prefix: &key,
            pattern: "*",
            cursor: None,
            limit: 10,
        };
        fails_with(store.scan(&scan).await, unsupported, "scanning")?;
    }
    let powers = [
        (Power::Counters, store.counters().is_some()),
        (Power::Locks, store.locks().is_some()),
        (Power::Windows, store.windows().is_some()),
        (Power::Bits, store.bits().is_some()),
        (Power::Invalidations, store.invalidations().is_some()),
    ];
    for (power, has) in powers {
        same(has, !trial.lacks(power), format_args!("has {power:?}"))?;
    }
    trial.is(&key, b"1", "after what is unsupported").await
}
