//! Word of what others change.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;

use super::Broken;
use super::Power;
use super::trial::{HOUR, Outcome, Trial};
use crate::store::{Changed, Removal, Sink};

#[derive(Debug, Default)]
struct Heard(Mutex<Told>);

#[derive(Debug, Default)]
struct Told {
    keys: BTreeSet<String>,
    tags: BTreeSet<String>,
    all: bool,
}

impl Sink for Heard {
    fn changed(&self, what: Changed<'_>) {
        let mut told = self.0.lock();
        match what {
            Changed::Key(key) => drop(told.keys.insert(key.to_owned())),
            Changed::Tag(tag) => drop(told.tags.insert(tag.to_owned())),
            Changed::All => told.all = true,
        }
    }
}

impl Heard {
    fn forget(&self) {
        *self.0.lock() = Told::default();
    }

    /// Waits for the word; an operation of this handle must bring it, but where the protocol cannot say when it comes.
    async fn hears(&self, trial: &Trial<'_>, what: Changed<'_>, why: &str) -> Outcome {
        for _ in 0..500 {
            trial.store.ping().await?;
            {
                let told = self.0.lock();
                let heard = match what {
                    Changed::Key(key) => told.keys.contains(key),
                    Changed::Tag(tag) => told.tags.contains(tag),
                    Changed::All => false,
                };
                if heard || told.all {
                    return Ok(());
                }
            }
            trial.wait(Duration::from_millis(10)).await;
        }
        Err(Broken::new(format_args!("{why}: nobody told of {what:?}")))
    }
}

pub(super) async fn what_others_change_is_told(trial: &Trial<'_>) -> Outcome {
    let Some(invalidations) = trial.store.invalidations() else {
        return Ok(());
    };
    let heard = Arc::new(Heard::default());
    let other = trial.other_handle().await?;
    let [a, b, c] = ["a", "b", "c"].map(|key| trial.key(key));
    for key in [&a, &b, &c] {
        other.put(key, b"1", HOUR).await?;
        trial.is(key, b"1", "written by another").await?;
    }
    let tag = trial.key("tag");
    trial.versions(&[&tag], HOUR).await?;
    invalidations.subscribe(Arc::clone(&heard) as _).await?;

    heard.forget();
    other.put(&a, b"2", HOUR).await?;
    heard.hears(trial, Changed::Key(&a), "a write").await?;
    heard.forget();
    other.remove(Removal::Keys(&[&b])).await?;
    heard.hears(trial, Changed::Key(&b), "a removal").await?;
    heard.forget();
    other.store.forget_tags(&[&tag]).await?;
    heard
        .hears(trial, Changed::Tag(&tag), "a forgotten tag")
        .await?;
    if !trial.lacks(Power::Prefixes) {
        trial.is(&c, b"1", "written by another").await?;
        heard.forget();
        other.remove(Removal::Prefix("")).await?;
        heard
            .hears(trial, Changed::Key(&c), "a removal by prefix")
            .await?;
    }
    if let Some(counters) = other.store.counters() {
        trial
            .is_gone(&a, "removed by another")
            .await
            .or_else(|broken| {
                if trial.lacks(Power::Prefixes) {
                    Ok(())
                } else {
                    Err(broken)
                }
            })?;
        let number = trial.key("number");
        trial.is_gone(&number, "never counted").await?;
        heard.forget();
        counters.add(&number, 1, HOUR).await?;
        heard
            .hears(trial, Changed::Key(&number), "an addition")
            .await?;
    }
    drop(other.store.close().await);
    Ok(())
}

pub(super) async fn what_is_told_comes_in_time(trial: &Trial<'_>) -> Outcome {
    let Some(invalidations) = trial.store.invalidations() else {
        return Ok(());
    };
    let heard = Arc::new(Heard::default());
    invalidations.subscribe(Arc::clone(&heard) as _).await?;
    let other = trial.other_handle().await?;
    for round in 0..20 {
        let key = trial.key(&format!("{round}"));
        // Read first: a server may tell only those who have read.
        trial.is_gone(&key, "never written").await?;
        other.put(&key, b"1", HOUR).await?;
        heard
            .hears(trial, Changed::Key(&key), "one of many writes")
            .await?;
    }
    drop(other.store.close().await);
    Ok(())
}
