//! A store from its opening to its end.

use super::trial::{HOUR, Outcome, Trial, holds, same};
use crate::store::{Ask, Removal, Scan};

pub(super) async fn it_has_a_name_and_answers(trial: &Trial<'_>) -> Outcome {
    holds(!trial.store.name().is_empty(), "it has no name")?;
    trial.store.ping().await?;
    let level = trial.store.lease_level();
    same(
        trial.store.lease_level(),
        level,
        "what its leases are worth",
    )?;
    holds(
        !format!("{:?}", trial.store).is_empty(),
        "Debug says nothing",
    )
}

pub(super) async fn a_closed_store_fails(trial: &Trial<'_>) -> Outcome {
    let other = trial.other_handle().await?;
    let key = trial.key("a");
    other.put(&key, b"1", HOUR).await?;
    other.store.close().await?;
    let store = &other.store;
    let reads = [trial.question(&key, Ask::Entry, &[])];
    holds(store.read(&reads).await.is_err(), "reading after the end")?;
    let write = other.put(&key, b"2", HOUR).await;
    holds(write.is_err(), "writing after the end")?;
    let removed = store.remove(&Removal::Keys(&[&key])).await;
    holds(removed.is_err(), "removing after the end")?;
    holds(
        store.remaining(&[&key]).await.is_err(),
        "asking for lives after the end",
    )?;
    holds(
        store.tag_versions(&[&key], HOUR).await.is_err(),
        "asking for versions after the end",
    )?;
    holds(
        store.forget_tags(&[&key]).await.is_err(),
        "forgetting after the end",
    )?;
    let scan = Scan {
        prefix: &key,
        pattern: "*",
        cursor: None,
        limit: 1,
    };
    holds(store.scan(&scan).await.is_err(), "scanning after the end")?;
    holds(store.ping().await.is_err(), "answering after the end")?;
    store.close().await?;
    trial.is(&key, b"1", "for others").await
}
