//! A new head and a new life for a body that stays where it is.

use std::time::Duration;

use super::Broken;
use super::Power;
use super::trial::{FRESH, HOUR, Outcome, STALE, Trial, but_for_versions, holds, same};
use crate::store::{Ask, Life, Removal, Token, Touch};

async fn touch(
    trial: &Trial<'_>,
    key: &str,
    head: &[u8],
    life: Life,
    lease: &Token,
) -> Outcome<bool> {
    let touch = Touch {
        key,
        head,
        life,
        lease,
    };
    Ok(trial.store.touch(&touch).await?)
}

pub(super) async fn a_new_head_leaves_the_body(trial: &Trial<'_>) -> Outcome {
    let (key, tag, body) = (trial.key("a"), trial.key("tag"), [7; 3_000]);
    let found = trial.found(&key, Ask::EntryAndLease, &[&tag]).await?;
    let lease = found
        .lease
        .ok_or_else(|| Broken::new("no lease for EntryAndLease"))?;
    let tags = [(&*tag, found.versions[0])];
    let before = trial.entry(STALE, &tags, &body);
    same(trial.fill(&key, &before, &lease).await?, true, "filling")?;
    let found = trial.found(&key, Ask::EntryOrLease, &[&tag]).await?;
    let lease = found
        .lease
        .ok_or_else(|| Broken::new("a stale entry without a lease"))?;
    let head = trial.head(FRESH, &tags).to_bytes();
    let touched = touch(trial, &key, &head, HOUR, &lease).await?;
    same(touched, !trial.lacks(Power::Touch), "touching")?;
    let read = trial.found(&key, Ask::EntryOrLease, &[&tag]).await?;
    let read_bytes = read.bytes.as_deref().map(but_for_versions);
    if !touched {
        return same(
            read_bytes,
            Some(but_for_versions(&before)),
            "what was not touched",
        );
    }
    let after = but_for_versions(&[&*head, &body].concat());
    same(read_bytes, Some(after), "the new head and the body")?;
    same(read.lease, None, "the lease beside what was touched")?;
    let left = trial.store.remaining(&[&key]).await?;
    let long = matches!(left[..], [Some(Some(left))] if left > Duration::from_secs(60));
    holds(
        long,
        format_args!("{left:?} remain after a touch with an hour"),
    )?;
    let again = touch(trial, &key, &head, None, &lease).await?;
    same(again, true, "touching again, for ever")?;
    let left = trial.store.remaining(&[&key]).await?;
    same(left, vec![Some(None)], "what remains of for ever")?;
    let short = Duration::from_millis(200);
    let again = touch(trial, &key, &head, Some(short), &lease).await?;
    same(again, true, "touching again, for a moment")?;
    trial.past(short).await;
    trial.is_gone(&key, "touched for a moment").await
}

pub(super) async fn a_head_of_another_length_is_refused(trial: &Trial<'_>) -> Outcome {
    let key = trial.key("a");
    let before = trial.entry(STALE, &[("tag", 1)], b"body");
    trial.put(&key, &before, HOUR).await?;
    let lease = trial.lease(&key).await?;
    for tags in [&[][..], &[("longer tag", 1)], &[("tag", 1), ("tag", 1)]] {
        let head = trial.head(FRESH, tags).to_bytes();
        let touched = touch(trial, &key, &head, HOUR, &lease).await?;
        same(touched, false, "touching with a head of another length")?;
    }
    let read = trial.read(&key).await?;
    let read = read.as_deref().map(but_for_versions);
    same(
        read,
        Some(but_for_versions(&before)),
        "what was not touched",
    )?;
    trial.put(&key, b"plain", HOUR).await?;
    let lease = trial.lease(&key).await?;
    let touched = touch(trial, &key, b"other", HOUR, &lease).await?;
    same(touched, false, "touching what has no head")?;
    trial.is(&key, b"plain", "what has no head").await
}

pub(super) async fn a_lost_lease_is_refused(trial: &Trial<'_>) -> Outcome {
    let key = trial.key("a");
    let before = trial.entry(STALE, &[], b"before");
    trial.put(&key, &before, HOUR).await?;
    let lease = trial.lease(&key).await?;
    let written = trial.entry(STALE, &[], b"written");
    trial.put(&key, &written, HOUR).await?;
    let head = trial.head(FRESH, &[]).to_bytes();
    for lease in [lease, Token::new(*b"made up")] {
        let touched = touch(trial, &key, &head, None, &lease).await?;
        same(touched, false, "touching under a lost lease")?;
    }
    trial.is(&key, &written, "what was not touched").await
}

pub(super) async fn what_is_not_there_is_not_touched(trial: &Trial<'_>) -> Outcome {
    let key = trial.key("a");
    let lease = trial.lease(&key).await?;
    let head = trial.head(FRESH, &[]).to_bytes();
    same(
        touch(trial, &key, &head, HOUR, &lease).await?,
        false,
        "touching nothing",
    )?;
    trial.is_gone(&key, "touched nothing").await?;
    trial
        .put(&key, &trial.entry(STALE, &[], b"1"), HOUR)
        .await?;
    let lease = trial.lease(&key).await?;
    trial.remove(Removal::Keys(&[&key])).await?;
    same(
        touch(trial, &key, &head, HOUR, &lease).await?,
        false,
        "touching what was removed",
    )?;
    trial.is_gone(&key, "removed, then touched").await
}
