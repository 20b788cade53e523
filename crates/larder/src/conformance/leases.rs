//! Leases: who gets one, and what it allows.

use std::time::Duration;

use super::Broken;
use super::trial::{FRESH, HOUR, Outcome, STALE, Trial, holds, one, same};
use crate::store::{Ask, Fill, Read, Token};

pub(super) async fn a_miss_gives_a_lease_and_a_hit_none(trial: &Trial<'_>) -> Outcome {
    let key = trial.key("a");
    let missed = trial.found(&key, Ask::EntryOrLease, &[]).await?;
    same(missed.bytes, None, "a miss")?;
    let lease = missed
        .lease
        .ok_or_else(|| Broken::new("a miss without a lease"))?;
    let entry = trial.entry(FRESH, &[], b"body");
    same(trial.fill(&key, &entry, &lease).await?, true, "filling")?;
    let hit = trial.found(&key, Ask::EntryOrLease, &[]).await?;
    same(hit.bytes.as_deref(), Some(&*entry), "a hit")?;
    same(hit.lease, None, "the lease of a hit")
}

pub(super) async fn a_fill_needs_its_lease(trial: &Trial<'_>) -> Outcome {
    let key = trial.key("a");
    let lease = trial.lease(&key).await?;
    same(trial.fill(&key, b"1", &lease).await?, true, "under a lease")?;
    trial.put(&key, b"2", HOUR).await?;
    same(
        trial.fill(&key, b"3", &lease).await?,
        false,
        "under a lost lease",
    )?;
    trial.is(&key, b"2", "after a fill that was refused").await
}

pub(super) async fn all_readers_of_a_key_may_fill(trial: &Trial<'_>) -> Outcome {
    let key = trial.key("a");
    let first = trial.found(&key, Ask::EntryOrLease, &[]).await?.lease;
    let second = trial.found(&key, Ask::EntryOrLease, &[]).await?.lease;
    let (Some(first), Some(second)) = (first, second) else {
        return Err(Broken::new("two readers who missed have not both a lease"));
    };
    same(
        trial.fill(&key, b"1", &first).await?,
        true,
        "the first of two",
    )?;
    same(
        trial.fill(&key, b"2", &second).await?,
        true,
        "the second of two",
    )?;
    trial.is(&key, b"2", "the later fill").await?;
    same(
        trial.fill(&key, b"3", &first).await?,
        true,
        "the first again",
    )?;
    trial.is(&key, b"3", "the latest fill").await
}

pub(super) async fn a_token_fits_one_key(trial: &Trial<'_>) -> Outcome {
    let (a, b) = (trial.key("a"), trial.key("b"));
    let of_a = trial.lease(&a).await?;
    same(
        trial.fill(&b, b"1", &of_a).await?,
        false,
        "with another's token",
    )?;
    let of_b = trial.lease(&b).await?;
    same(
        trial.fill(&b, b"1", &of_a).await?,
        false,
        "with another's token, leased",
    )?;
    trial.is_gone(&b, "filled with another's token").await?;
    same(trial.fill(&b, b"2", &of_b).await?, true, "with its own")?;
    same(
        trial.fill(&a, b"3", &of_a).await?,
        true,
        "the other, with its own",
    )
}

pub(super) async fn made_up_tokens_fill_nothing(trial: &Trial<'_>) -> Outcome {
    let (key, there) = (trial.key("a"), trial.key("there"));
    trial.put(&there, b"stays", HOUR).await?;
    let lease = trial.lease(&there).await?;
    let real = lease.as_bytes();
    let mut longer = real.to_vec();
    longer.push(b'0');
    let made_up: [&[u8]; 8] = [
        b"",
        b"0",
        b"1",
        &[0; 8],
        &[0xFF; 8],
        &[b'x'; 1_000],
        "\u{fffd}\r\n".as_bytes(),
        &longer,
    ];
    for token in made_up {
        let token = Token::new(token);
        for key in [&key, &there] {
            let filled = trial.fill(key, b"1", &token).await?;
            same(filled, false, format_args!("under {:?}", token.as_bytes()))?;
        }
    }
    trial
        .is_gone(&key, "filled under a token that was made up")
        .await?;
    trial
        .is(&there, b"stays", "beside tokens that were made up")
        .await
}

pub(super) async fn a_lease_has_an_end_of_its_own(trial: &Trial<'_>) -> Outcome {
    let key = trial.key("a");
    let life = Duration::from_millis(300);
    let read = Read {
        lease: life,
        ..trial.question(&key, Ask::EntryOrLease, &[])
    };
    let found = one(trial.store.read(&[read]).await?)?;
    let lease = found
        .lease
        .ok_or_else(|| Broken::new("no lease for a miss"))?;
    trial.past(life).await;
    same(
        trial.fill(&key, b"1", &lease).await?,
        false,
        "after its end",
    )?;
    let next = trial.lease(&key).await?;
    same(trial.fill(&key, b"2", &next).await?, true, "under the next")?;
    trial.is(&key, b"2", "filled under the next").await
}

pub(super) async fn an_entry_that_is_stale_comes_with_a_lease(trial: &Trial<'_>) -> Outcome {
    let key = trial.key("a");
    let stale = trial.entry(STALE, &[], b"stale");
    trial.put(&key, &stale, HOUR).await?;
    let found = trial.found(&key, Ask::EntryOrLease, &[]).await?;
    same(
        found.bytes.as_deref(),
        Some(&*stale),
        "an entry that is stale",
    )?;
    let lease = found
        .lease
        .ok_or_else(|| Broken::new("a stale entry without a lease"))?;
    let fresh = trial.entry(FRESH, &[], b"fresh");
    same(
        trial.fill(&key, &fresh, &lease).await?,
        true,
        "filling over it",
    )?;
    let found = trial.found(&key, Ask::EntryOrLease, &[]).await?;
    same(
        found.bytes.as_deref(),
        Some(&*fresh),
        "an entry that is fresh",
    )?;
    same(found.lease, None, "the lease beside a fresh entry")?;
    // The reader's clock decides.
    let later = Read {
        now: trial.now() + 3_600_001,
        ..trial.question(&key, Ask::EntryOrLease, &[])
    };
    let found = one(trial.store.read(&[later]).await?)?;
    holds(
        found.lease.is_some(),
        "no lease once `now` is past stale_until",
    )
}

pub(super) async fn an_entry_without_a_head_can_be_served(trial: &Trial<'_>) -> Outcome {
    for bytes in [b"{\"plain\":1}".as_slice(), b"17", b""] {
        let key = trial.key(&String::from_utf8_lossy(bytes));
        trial.put(&key, bytes, HOUR).await?;
        let found = trial.found(&key, Ask::EntryOrLease, &[]).await?;
        same(found.bytes.as_deref(), Some(bytes), "without a head")?;
        same(
            found.lease,
            None,
            "the lease beside an entry without a head",
        )?;
    }
    Ok(())
}

pub(super) async fn a_lease_can_be_asked_for_whatever_is_there(trial: &Trial<'_>) -> Outcome {
    let key = trial.key("a");
    let entry = trial.entry(FRESH, &[], b"1");
    trial.put(&key, &entry, HOUR).await?;
    let found = trial.found(&key, Ask::EntryAndLease, &[]).await?;
    same(found.bytes.as_deref(), Some(&*entry), "with a lease")?;
    let lease = found
        .lease
        .ok_or_else(|| Broken::new("no lease for EntryAndLease"))?;
    same(
        trial.fill(&key, b"2", &lease).await?,
        true,
        "filling over it",
    )?;
    trial.is(&key, b"2", "filled over it").await
}

pub(super) async fn fills_of_a_batch_are_judged_one_by_one(trial: &Trial<'_>) -> Outcome {
    let keys = ["a", "b", "c"].map(|key| trial.key(key));
    let reads = keys
        .each_ref()
        .map(|key| trial.question(key, Ask::EntryOrLease, &[]));
    let found = trial.store.read(&reads).await?;
    let leases: Vec<Token> = found.into_iter().filter_map(|found| found.lease).collect();
    same(leases.len(), 3, "leases for three misses")?;
    trial.put(&keys[1], b"written", HOUR).await?;
    let fills: Vec<Fill<'_>> = keys
        .iter()
        .zip(&leases)
        .map(|(key, lease)| Fill {
            key,
            bytes: b"filled",
            life: HOUR,
            lease,
        })
        .collect();
    let filled = trial.store.fill(&fills).await?;
    same(
        filled,
        vec![true, false, true],
        "filling three, the second written meanwhile",
    )?;
    trial.is(&keys[0], b"filled", "the first").await?;
    trial.is(&keys[1], b"written", "the second").await?;
    trial.is(&keys[2], b"filled", "the third").await
}

pub(super) async fn leases_in_one_batch_are_apart(trial: &Trial<'_>) -> Outcome {
    let (a, b) = (trial.key("a"), trial.key("b"));
    trial.put(&b, b"there", HOUR).await?;
    let reads = [
        trial.question(&a, Ask::EntryOrLease, &[]),
        trial.question(&b, Ask::EntryOrLease, &[]),
        trial.question(&a, Ask::Entry, &[]),
        trial.question(&b, Ask::EntryAndLease, &[]),
    ];
    let found = trial.store.read(&reads).await?;
    let given: Vec<bool> = found.iter().map(|found| found.lease.is_some()).collect();
    same(given, vec![true, false, false, true], "who got a lease")
}
