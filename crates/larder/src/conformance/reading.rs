//! Bytes, batches, order.

use super::Power;
use super::trial::{FRESH, HOUR, Outcome, Trial, fails_with, holds, same};
use crate::error::ErrorKind;
use crate::store::{Ask, Condition, Fill, Found, Removal, Write};

pub(super) async fn nothing_is_there_at_first(trial: &Trial<'_>) -> Outcome {
    let key = trial.key("never written");
    let found = trial.found(&key, Ask::Entry, &[]).await?;
    same(found, Found::default(), "a plain read of nothing")?;
    let left = trial.store.remaining(&[&key]).await?;
    same(left, vec![None], "the life of nothing")?;
    let removed = trial.remove(Removal::Keys(&[&key])).await?;
    same(removed, 0, "how many there were to remove")
}

pub(super) async fn bytes_come_back_exactly(trial: &Trial<'_>) -> Outcome {
    let all: Vec<u8> = (0..=255).collect();
    let with_head = trial.entry(FRESH, &[], &all);
    let values: [&[u8]; 8] = [
        b"",
        b"\0",
        b"\r\n",
        b"0",
        b"\r\nEND\r\nVA 2\r\n",
        &all,
        &with_head,
        &with_head[..with_head.len() - all.len()],
    ];
    for (number, value) in values.into_iter().enumerate() {
        let key = trial.key(&format!("{number}"));
        trial.put(&key, value, HOUR).await?;
        trial.is(&key, value, "what was written").await?;
        let lease = trial.lease(&key).await?;
        trial.put(&key, b"in between", None).await?;
        let stale = trial.fill(&key, b"no", &lease).await?;
        same(stale, false, "filling under a lost lease")?;
        let lease = trial.lease(&key).await?;
        let filled = trial.fill(&key, value, &lease).await?;
        same(filled, true, "filling")?;
        trial.is(&key, value, "what was filled").await?;
    }
    Ok(())
}

fn noise(length: usize) -> Vec<u8> {
    let mut state = 1_u64;
    let step = || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        (state >> 56) as u8
    };
    std::iter::repeat_with(step).take(length).collect()
}

pub(super) async fn a_large_value_comes_back(trial: &Trial<'_>) -> Outcome {
    // Beside it an envelope of a store's own must fit.
    let value = noise(trial.expect.largest.min(1 << 20) * 9 / 10);
    let key = trial.key("large");
    trial.put(&key, &value, HOUR).await?;
    let read = trial.read(&key).await?;
    holds(read == Some(value), "a large value came back otherwise")
}

pub(super) async fn a_value_over_the_bound_is_an_error(trial: &Trial<'_>) -> Outcome {
    if trial.expect.largest >= 1 << 20 {
        return Ok(());
    }
    let value = noise(trial.expect.largest + 1);
    let key = trial.key("too large");
    trial.put(&key, b"before", HOUR).await?;
    let write = Write {
        key: &key,
        bytes: &value,
        life: HOUR,
        condition: Condition::Always,
    };
    let written = trial.store.write(&[write]).await;
    fails_with(written, ErrorKind::Encode, "writing more than the bound")?;
    let read = trial.read(&key).await?;
    holds(
        read.is_none_or(|bytes| bytes == b"before"),
        "a part of a value that was too large is there",
    )
}

pub(super) async fn answers_stand_in_the_order_of_the_questions(trial: &Trial<'_>) -> Outcome {
    let [a, b, c, missing] = ["a", "b", "c", "missing"].map(|key| trial.key(key));
    let write = |key, bytes| Write {
        key,
        bytes,
        life: HOUR,
        condition: Condition::Absent,
    };
    let writes = [write(&*c, b"3"), write(&*a, b"1"), write(&*b, b"2")];
    let written = trial.store.write(&writes).await?;
    same(written, vec![true; 3], "writing three")?;
    let again = [write(&*a, b"x"), write(&*missing, b"4"), write(&*b, b"x")];
    let written = trial.store.write(&again).await?;
    same(written, vec![false, true, false], "writing one of three")?;
    trial.remove(Removal::Keys(&[&missing])).await?;
    let asked = [&*b, &*missing, &*a, &*c];
    let reads = asked.map(|key| trial.question(key, Ask::Entry, &[]));
    let found = trial.store.read(&reads).await?;
    let bytes: Vec<Option<&[u8]>> = found.iter().map(|found| found.bytes.as_deref()).collect();
    let expected: Vec<Option<&[u8]>> = vec![Some(b"2"), None, Some(b"1"), Some(b"3")];
    same(bytes, expected, "reading b, nothing, a, c")?;
    let left = trial.store.remaining(&asked).await?;
    let there: Vec<bool> = left.iter().map(Option::is_some).collect();
    same(
        there,
        vec![true, false, true, true],
        "lives of b, nothing, a, c",
    )
}

pub(super) async fn a_batch_may_name_a_key_twice(trial: &Trial<'_>) -> Outcome {
    let (key, other) = (trial.key("twice"), trial.key("once"));
    let write = |key, bytes, condition| Write {
        key,
        bytes,
        life: HOUR,
        condition,
    };
    let writes = [
        write(&*key, b"first", Condition::Always),
        write(&*other, b"other", Condition::Always),
        write(&*key, b"second", Condition::Always),
    ];
    let written = trial.store.write(&writes).await?;
    same(written, vec![true; 3], "writing a key twice")?;
    trial.is(&key, b"second", "the later of two writes").await?;
    trial.remove(Removal::Keys(&[&key, &key])).await?;
    trial.is_gone(&key, "removed, named twice").await?;
    let writes = [
        write(&*key, b"first", Condition::Absent),
        write(&*key, b"second", Condition::Absent),
    ];
    let written = trial.store.write(&writes).await?;
    same(written, vec![true, false], "writing if absent, twice")?;
    let asked = [&*key, &*other, &*key].map(|key| trial.question(key, Ask::EntryAndLease, &[]));
    let found = trial.store.read(&asked).await?;
    let bytes: Vec<Option<&[u8]>> = found.iter().map(|found| found.bytes.as_deref()).collect();
    let expected: Vec<Option<&[u8]>> = vec![Some(b"first"), Some(b"other"), Some(b"first")];
    same(bytes, expected, "reading a key twice")?;
    let leases: Vec<_> = found.into_iter().filter_map(|found| found.lease).collect();
    same(leases.len(), 3, "leases for each question")?;
    let fills = [(&*key, &leases[2]), (&*key, &leases[0])].map(|(key, lease)| Fill {
        key,
        bytes: b"filled",
        life: HOUR,
        lease,
    });
    let filled = trial.store.fill(&fills).await?;
    same(filled, vec![true, true], "filling a key twice")?;
    trial.is(&key, b"filled", "what was filled twice").await
}

pub(super) async fn an_empty_batch_is_answered_by_nothing(trial: &Trial<'_>) -> Outcome {
    let key = trial.key("stays");
    trial.put(&key, b"1", HOUR).await?;
    let store = &trial.store;
    same(store.read(&[]).await?.len(), 0, "reading nothing")?;
    same(store.fill(&[]).await?.len(), 0, "filling nothing")?;
    same(store.write(&[]).await?.len(), 0, "writing nothing")?;
    same(store.remaining(&[]).await?.len(), 0, "lives of nothing")?;
    same(
        store.remove(&Removal::Keys(&[])).await?,
        0,
        "removing nothing",
    )?;
    let told = store.tag_versions(&[], HOUR).await?;
    same(told.versions.len(), 0, "versions of no tags")?;
    holds(told.epoch != 0, "the epoch is 0")?;
    store.forget_tags(&[]).await?;
    trial.is(&key, b"1", "after all that").await
}

pub(super) async fn a_batch_of_a_thousand_keys(trial: &Trial<'_>) -> Outcome {
    let keys: Vec<String> = (0..1_000).map(|n| trial.key(&format!("{n:04}"))).collect();
    let values: Vec<String> = (0..1_000).map(|n| format!("value {n}")).collect();
    let writes: Vec<Write<'_>> = keys
        .iter()
        .zip(&values)
        .map(|(key, value)| Write {
            key,
            bytes: value.as_bytes(),
            life: HOUR,
            condition: Condition::Always,
        })
        .collect();
    let written = trial.store.write(&writes).await?;
    same(written, vec![true; 1_000], "writing a thousand")?;
    let reads: Vec<_> = keys
        .iter()
        .map(|key| trial.question(key, Ask::EntryOrLease, &[]))
        .collect();
    let found = trial.store.read(&reads).await?;
    same(found.len(), 1_000, "answers to a thousand questions")?;
    for (found, value) in found.iter().zip(&values) {
        same(
            found.bytes.as_deref(),
            Some(value.as_bytes()),
            "one of a thousand",
        )?;
        same(found.lease.is_none(), true, "no lease with an entry")?;
    }
    let named: Vec<&str> = keys.iter().map(String::as_str).collect();
    let removed = trial.remove(Removal::Keys(&named)).await?;
    if !trial.lacks(Power::Counts) {
        same(removed, 1_000, "how many were removed")?;
    }
    let found = trial.store.read(&reads).await?;
    let gone = found.iter().all(|found| found.bytes.is_none());
    holds(gone, "one of a thousand is still there")?;
    let leased = found.iter().filter(|found| found.lease.is_some()).count();
    same(leased, 1_000, "leases for a thousand misses")
}

/// Bytes that no codec can read: the store hands them out, or has nothing; it never fails.
pub(super) async fn garbage_is_handed_out_or_missed(trial: &Trial<'_>) -> Outcome {
    let long_claim = [0xC1, 1, 0xFF, 0xFF, 0xFF, 0xFF, 0, 0];
    let mut many_tags = trial.entry(FRESH, &[("t", 7)], b"");
    many_tags[66..68].copy_from_slice(&[0xFF, 0xFF]);
    let mut cut = trial.entry(FRESH, &[("tag", 7)], b"");
    cut.truncate(70);
    let garbage: [&[u8]; 6] = [
        &[0xC1],
        &[0xC1, 2, 0],
        &[0xC1; 300],
        &long_claim,
        &many_tags,
        &cut,
    ];
    for (number, bytes) in garbage.into_iter().enumerate() {
        let key = trial.key(&format!("{number}"));
        trial.put(&key, bytes, HOUR).await?;
        let found = trial.found(&key, Ask::EntryOrLease, &["tag"]).await?;
        match &found.bytes {
            Some(read) => same(&**read, bytes, "garbage")?,
            None => holds(found.lease.is_some(), "neither garbage nor a lease")?,
        }
        let touch = crate::store::Touch {
            key: &key,
            head: b"xxxx",
            life: HOUR,
            lease: &trial.lease(&key).await?,
        };
        same(trial.store.touch(&touch).await?, false, "touching garbage")?;
        let lease = trial.lease(&key).await?;
        same(
            trial.fill(&key, b"good", &lease).await?,
            true,
            "filling over garbage",
        )?;
        trial.is(&key, b"good", "after garbage").await?;
    }
    Ok(())
}
