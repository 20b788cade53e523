//! Futures that are dropped half way, and sources that panic: nothing wrong is left in memory or in the store.

use std::future::{Future, IntoFuture, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::task::Poll;

use larder::runtime::BoxFuture;
use larder::testing::{Faults, UnderWay, under_way, yield_now};
use larder::{cache_put, cached};

use crate::nodes::{Node, Oops, World, seconds};

/// Polls a future so many times, then drops it; whether it ended before.
async fn dropped_after<F: Future>(polls: usize, future: F) -> bool {
    let mut future = pin!(future);
    let mut left = polls;
    poll_fn(|context| {
        if left == 0 {
            return Poll::Ready(false);
        }
        left -= 1;
        match future.as_mut().poll(context) {
            Poll::Ready(_) => Poll::Ready(true),
            Poll::Pending => {
                if left == 0 {
                    context.waker().wake_by_ref();
                }
                Poll::Pending
            }
        }
    })
    .await
}

async fn slow(value: u64) -> Result<u64, Oops> {
    yield_now().await;
    Ok(value)
}

#[cached(key = "cancelled", ttl = "1h", tags = ["t", |_| "late"])]
async fn function(value: u64) -> Result<u64, Oops> {
    slow(value).await
}

#[cache_put(key = "cancelled", ttl = "1h", tags = ["t"])]
async fn put(value: u64) -> Result<u64, Oops> {
    slow(value).await
}

type Operation = fn(&Node) -> BoxFuture<'_, ()>;

const REFRESH: usize = 2;

const OPERATIONS: [Operation; 10] = [
    |node| Box::pin(async { _ = node.run(function(2)).await }),
    |node| Box::pin(async { _ = node.run(put(2)).await }),
    |node| Box::pin(async { _ = node.run(function::refresh(2)).await }),
    |node| {
        Box::pin(async {
            drop(
                node.cache
                    .set("cancelled", &2_u64)
                    .ttl("1h")
                    .tags(["t"])
                    .await,
            )
        })
    },
    |node| Box::pin(async { drop(node.cache.set_many([("cancelled", 2_u64)]).ttl("1h").await) }),
    |node| Box::pin(async { drop(node.cache.delete("cancelled").await) }),
    |node| Box::pin(async { drop(node.cache.delete_tags(["t"]).await) }),
    |node| Box::pin(async { drop(node.cache.touch("cancelled", "2h").await) }),
    |node| Box::pin(async { drop(node.cache.get::<u64>("cancelled").await) }),
    |node| {
        Box::pin(async {
            let load = |_| async { Ok::<_, Oops>([("cancelled".to_owned(), 2_u64)].into()) };
            drop(
                node.cache
                    .get_or_load_many(["cancelled"], load)
                    .ttl("1h")
                    .await,
            );
        })
    },
];

/// At each point where it waits, an operation is dropped; then memory and store agree and both can be used as before.
#[test]
fn an_operation_may_be_dropped_wherever_it_waits() {
    for which in 0..OPERATIONS.len() {
        for there in [false, true] {
            let points = (1..200).take_while(|polls| !ends_after(*polls, which, there));
            let points = points.count();
            assert!(
                there || points >= 2,
                "operation {which} waits for the store"
            );
        }
    }
}

fn ends_after(polls: usize, which: usize, there: bool) -> bool {
    let world = World::new(polls as u64);
    let (a, b) = (world.hybrid("1h"), world.node());
    a.store.suffer(Faults::none().delay(seconds(1) / 100));
    world.wait(async {
        if there {
            a.cache
                .set("cancelled", &1_u64)
                .ttl("1h")
                .tags(["t"])
                .await
                .unwrap();
        }
        let ended = dropped_after(polls, OPERATIONS[which](&a)).await;
        assert_eq!(under_way(&a.cache), UnderWay::default());
        // What was sent and not answered arrives meanwhile or never.
        world.simulation.sleep(seconds(1)).await;
        let (here, shared) = (
            a.cache.get::<u64>("cancelled").await.unwrap(),
            b.cache.get::<u64>("cancelled").await.unwrap(),
        );
        // A reload invalidates nothing: what was in memory before stays for its bound.
        if which != REFRESH {
            assert_eq!(here, shared, "{which} after {polls} polls, {there}");
        }
        assert!(there || shared != Some(1));
        a.cache.delete("cancelled").await.unwrap();
        assert_eq!(a.run(function(3)).await, Ok(3));
        assert_eq!(b.run(function(4)).await, Ok(3));
        ended
    })
}

#[test]
fn who_waits_takes_over_from_a_leader_that_is_dropped() {
    let world = World::new(1);
    let a = world.node();
    a.store.suffer(Faults::none().delay(seconds(1)));
    for polls in 1..8 {
        let followed = world.wait(async {
            a.cache.delete("cancelled").await.unwrap();
            let leads = dropped_after(polls, a.run(function(5)));
            tokio::join!(biased; leads, a.run(function(6))).1
        });
        assert!(followed.is_ok());
    }
}

#[test]
fn a_source_that_panics_leaves_nothing_behind() {
    #[cached(key = "panics", ttl = "1h")]
    async fn panics(now: bool) -> u64 {
        yield_now().await;
        assert!(!now, "as asked");
        7
    }
    let world = World::new(1);
    let (a, b) = (world.hybrid("1h"), world.node());
    let panicked = catch_unwind(AssertUnwindSafe(|| world.wait(a.run(panics(true)))));
    assert!(panicked.is_err());
    assert_eq!(under_way(&a.cache), UnderWay::default());
    assert_eq!(world.wait(b.cache.get::<u64>("panics")).unwrap(), None);
    assert_eq!(world.wait(a.run(panics(false))), 7);
    let kept = b.cache.get::<u64>("panics").into_future();
    assert_eq!(world.wait(kept).unwrap(), Some(7));
}
