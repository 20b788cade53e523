//! Many at once, and those who go away.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Waker};
use std::time::Duration;

use super::Broken;
use super::trial::{HOUR, MINUTE, Outcome, Trial, holds, same};
use crate::runtime::{BoxFuture, block_on};
use crate::store::wait::join;
use crate::store::{Ask, Condition, Fill, Read, Removal, Write};

pub(super) async fn one_of_many_finds_nothing_there(trial: &Trial<'_>) -> Outcome {
    let other = trial.other_handle().await?;
    for round in 0..5 {
        let key = trial.key(&format!("{round}"));
        let values: Vec<String> = (0..20).map(|n| format!("{n}")).collect();
        let writing = values.iter().enumerate().map(|(n, value)| {
            let by = if n % 2 == 0 { trial } else { &other };
            let (key, value) = (&key, value.as_bytes());
            Box::pin(by.write(key, value, HOUR, Condition::Absent)) as BoxFuture<'_, Outcome<bool>>
        });
        let mut winners = Vec::new();
        for (value, written) in values.iter().zip(join(writing.collect()).await) {
            winners.extend(written?.then_some(value));
        }
        same(winners.len(), 1, "how many of twenty found nothing there")?;
        trial
            .is(&key, winners[0].as_bytes(), "the value of the one")
            .await?;
    }
    drop(other.store.close().await);
    Ok(())
}

pub(super) async fn many_operations_at_once(trial: &Trial<'_>) -> Outcome {
    let each = |n: usize| async move {
        let key = trial.key(&format!("{n}"));
        for round in 0..5 {
            let value = format!("{n}.{round}");
            trial.put(&key, value.as_bytes(), HOUR).await?;
            trial.is(&key, value.as_bytes(), "one of many").await?;
            trial.remove(Removal::Keys(&[&key])).await?;
            let lease = trial.lease(&key).await?;
            same(
                trial.fill(&key, b"filled", &lease).await?,
                true,
                "one of many fills",
            )?;
            trial.is(&key, b"filled", "one of many fills").await?;
        }
        Ok::<(), Broken>(())
    };
    let all = (0..64).map(|n| Box::pin(each(n)) as BoxFuture<'_, Outcome>);
    join(all.collect()).await.into_iter().collect()
}

/// Whoever took a lease before the removal cannot fill after it was acknowledged.
pub(super) async fn a_removal_among_fills(trial: &Trial<'_>) -> Outcome {
    for round in 0..10 {
        let key = trial.key(&format!("{round}"));
        let mut leases = Vec::new();
        for _ in 0..5 {
            leases.push(trial.lease(&key).await?);
        }
        let fills = leases.iter().map(|lease| {
            let key = &key;
            Box::pin(async move { trial.fill(key, b"old", lease).await.map(drop) })
                as BoxFuture<'_, Outcome>
        });
        let removal = async {
            trial.remove(Removal::Keys(&[&key])).await?;
            trial
                .is_gone(
                    &key,
                    "right after its removal, among fills that began before",
                )
                .await
        };
        let mut all: Vec<BoxFuture<'_, Outcome>> = fills.collect();
        all.insert(round % 6, Box::pin(removal));
        join(all).await.into_iter().collect::<Outcome>()?;
        trial
            .is_gone(&key, "after its removal, when all fills have ended")
            .await?;
    }
    Ok(())
}

/// Operations that nobody waits for any more, at every stage that polling by hand reaches.
pub(super) async fn dropped_futures_do_no_harm(trial: &Trial<'_>) -> Outcome {
    let (key, tag) = (trial.key("a"), trial.key("tag"));
    let store = &trial.store;
    trial.put(&key, b"before", HOUR).await?;
    for polls in [0, 1, 2, 3, 8] {
        for round in 0..8 {
            let lease = trial.lease(&key).await?;
            let tags = [&*tag];
            let reads = [trial.question(&key, Ask::EntryAndLease, &tags)];
            drop_after(polls, store.read(&reads));
            let write = Write {
                key: &key,
                bytes: b"dropped",
                life: HOUR,
                condition: Condition::Always,
            };
            drop_after(polls, store.write(&[write; 3]));
            let fill = Fill {
                key: &key,
                bytes: b"dropped",
                life: HOUR,
                lease: &lease,
            };
            drop_after(polls, store.fill(&[fill]));
            drop_after(polls, store.tag_versions(&tags, HOUR));
            drop_after(polls, store.remaining(&[&key]));
            if round == 7 {
                drop_after(polls, store.remove(&Removal::Keys(&[&key])));
                drop_after(polls, store.forget_tags(&tags));
            }
            let read = trial.read(&key).await?;
            let is_whole = read
                .as_deref()
                .is_none_or(|bytes| bytes == b"before" || bytes == b"dropped");
            holds(
                is_whole,
                format_args!("{read:?} after writes that were dropped"),
            )?;
        }
    }
    // What was on its way arrives or never will; on a busy machine it takes its time.
    for round in 1.. {
        trial.wait(Duration::from_millis(300)).await;
        trial.put(&key, b"after", HOUR).await?;
        let mut stays = Ok(());
        for _ in 0..10 {
            let read = trial.is(&key, b"after", "after operations that were dropped");
            stays = stays.and(read.await);
        }
        if stays.is_ok() || round == 20 {
            stays?;
            break;
        }
    }
    let other = trial.key("b");
    trial.is_gone(&other, "a key that nobody wrote").await
}

fn drop_after<T>(polls: usize, mut future: BoxFuture<'_, T>) {
    let mut context = Context::from_waker(Waker::noop());
    for _ in 0..polls {
        if Pin::new(&mut future).poll(&mut context).is_ready() {
            return;
        }
    }
}

/// Sync callers poll on a thread of their own.
pub(super) async fn any_thread_may_poll(trial: &Trial<'_>) -> Outcome {
    let done = Arc::new(AtomicUsize::new(0));
    let mut threads = Vec::new();
    for n in 0..4 {
        let (store, done) = (Arc::clone(&trial.store), Arc::clone(&done));
        let (key, now) = (trial.key(&format!("{n}")), trial.now());
        threads.push(std::thread::spawn(move || {
            let told = block_on(async {
                let write = Write {
                    key: &key,
                    bytes: b"from a thread",
                    life: HOUR,
                    condition: Condition::Always,
                };
                store.write(&[write]).await?;
                let read = Read {
                    key: &key,
                    ask: Ask::EntryOrLease,
                    tags: &[],
                    lease: MINUTE,
                    life: HOUR,
                    now,
                };
                store.read(&[read]).await
            });
            done.fetch_add(1, Ordering::Release);
            told
        }));
    }
    // This thread may be the one that moves the store on.
    for _ in 0..6_000 {
        if done.load(Ordering::Acquire) == threads.len() {
            break;
        }
        trial.wait(Duration::from_millis(5)).await;
        std::thread::sleep(Duration::from_millis(1));
    }
    holds(
        done.load(Ordering::Acquire) == threads.len(),
        "a thread waits for ever",
    )?;
    for thread in threads {
        let told = thread
            .join()
            .map_err(|_| Broken::new("a thread panicked"))??;
        let bytes = told.first().and_then(|found| found.bytes.as_deref());
        same(bytes, Some(b"from a thread".as_slice()), "read on a thread")?;
    }
    Ok(())
}
