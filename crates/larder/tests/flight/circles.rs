//! Loads inside loads: a call that would wait for itself is noticed.

use std::collections::HashMap;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex};

use larder::Cache;
use larder::runtime::BoxFuture;

use crate::support::{self, Cached, Log, Origin, World};
use crate::{plain, plain_sync, ten_minutes};

type Call = Arc<dyn Fn(&'static str) -> BoxFuture<'static, u64> + Send + Sync>;

/// Cached functions that call each other: `edges` says what the source of each key calls. A source that is
/// run a second time (because its cached call was refused as a circle) calls nothing and gives 1.
struct Web {
    world: Arc<World>,
    log: Log,
    cache: Cache,
    runs: Arc<Mutex<HashMap<&'static str, usize>>>,
    call: Call,
}

impl Web {
    fn new(edges: &[(&'static str, &'static [&'static str])]) -> Self {
        let world = World::new();
        let log = Log::default();
        let cache = world.observed(log.clone());
        let runs: Arc<Mutex<HashMap<&'static str, usize>>> = Arc::default();
        let edges: HashMap<_, _> = edges.iter().copied().collect();
        let call: Arc<std::sync::OnceLock<Call>> = Arc::default();
        let made: Call = {
            let (cache, runs, call) = (cache.clone(), Arc::clone(&runs), Arc::clone(&call));
            Arc::new(move |key| {
                let called = edges[key];
                let (cache, runs, call) = (cache.clone(), Arc::clone(&runs), Arc::clone(&call));
                Box::pin(plain(cache, key, move || async move {
                    let run = {
                        let mut runs = runs.lock().unwrap();
                        let run = runs.entry(key).or_default();
                        *run += 1;
                        *run
                    };
                    let mut sum = 1;
                    if run == 1 {
                        YieldOnce::default().await;
                        for key in called {
                            sum += (call.get().unwrap())(key).await;
                        }
                    }
                    sum
                }))
            })
        };
        assert!(call.set(Arc::clone(&made)).is_ok());
        Self {
            world,
            log,
            cache,
            runs,
            call: made,
        }
    }

    fn start(&self, key: &'static str) -> support::Running<u64> {
        self.world.spawn((self.call)(key))
    }

    fn runs(&self, key: &str) -> usize {
        self.runs.lock().unwrap()[key]
    }
}

/// Lets the other tasks go first, so that all are in their sources before one goes on.
#[derive(Default)]
struct YieldOnce(bool);

impl Future for YieldOnce {
    type Output = ();

    fn poll(
        mut self: std::pin::Pin<&mut Self>,
        context: &mut std::task::Context<'_>,
    ) -> std::task::Poll<()> {
        if self.0 {
            return std::task::Poll::Ready(());
        }
        self.0 = true;
        context.waker().wake_by_ref();
        std::task::Poll::Pending
    }
}

#[test]
fn a_source_that_calls_its_own_key_is_noticed_and_answered_by_the_source() {
    let web = Web::new(&[("a", &["a"])]);
    let call = web.start("a");
    web.world.settle();
    assert_eq!(call.value(), 2);
    assert_eq!(web.log.count("recursion a"), 1);
    assert_eq!(web.runs("a"), 2);
    assert_eq!(web.cache.blocking().get::<u64>("a").unwrap(), Some(2));
}

#[test]
fn a_circle_over_two_keys_in_one_task_is_noticed() {
    let web = Web::new(&[("a", &["b"]), ("b", &["a"])]);
    let call = web.start("a");
    web.world.settle();
    assert_eq!(
        call.value(),
        3,
        "a calls b calls a, which is run without the cache"
    );
    assert_eq!(web.log.count("recursion a"), 1);
}

#[test]
fn a_circle_across_two_tasks_is_noticed() {
    let web = Web::new(&[("a", &["b"]), ("b", &["a"])]);
    let calls = [web.start("a"), web.start("b")];
    web.world.settle();
    assert!(calls.iter().all(support::Running::is_done), "no deadlock");
    assert_eq!(web.log.count("recursion"), 1, "one of the two gives way");
    assert_eq!(web.log.count("waited too long"), 0);
}

#[test]
fn a_ring_of_five_tasks_is_noticed() {
    let web = Web::new(&[
        ("a", &["b"]),
        ("b", &["c"]),
        ("c", &["d"]),
        ("d", &["e"]),
        ("e", &["a"]),
    ]);
    let calls = ["a", "b", "c", "d", "e"].map(|key| web.start(key));
    web.world.settle();
    assert!(calls.iter().all(support::Running::is_done), "no deadlock");
    assert_eq!(web.log.count("recursion"), 1);
}

#[test]
fn a_circle_across_two_threads_is_noticed() {
    let world = World::new();
    let log = Log::default();
    let cache = world.observed(log.clone());
    let met = Arc::new(std::sync::Barrier::new(2));
    let start = |own: &'static str, other: &'static str| {
        let (cache, met) = (cache.clone(), Arc::clone(&met));
        std::thread::spawn(move || {
            plain_sync(&cache, own, || {
                met.wait();
                1 + plain_sync(&cache, other, || 1)
            })
        })
    };
    let threads = [start("a", "b"), start("b", "a")];
    let mut sums = threads.map(|thread| thread.join().unwrap());
    sums.sort_unstable();
    // Who gives way runs the other's source for itself; the other then gets what that one made.
    assert_eq!(sums, [2, 3]);
    assert_eq!(log.count("recursion"), 1);
}

#[test]
fn two_ways_to_one_key_are_no_circle() {
    let web = Web::new(&[("a", &["b", "c"]), ("b", &["d"]), ("c", &["d"]), ("d", &[])]);
    let calls = [web.start("a"), web.start("c"), web.start("b")];
    web.world.settle();
    assert_eq!(calls.map(|call| call.value()), [5, 2, 2]);
    assert_eq!(web.log.count("recursion"), 0);
    assert!(["a", "b", "c", "d"].iter().all(|key| web.runs(key) == 1));
}

#[test]
fn calls_side_by_side_in_one_task_share_a_load() {
    let world = World::new();
    let log = Log::default();
    let cache = world.observed(log.clone());
    let origin = Origin::new(&world, 1);
    let gate = origin.hold();
    let function = Cached::new(&cache, &origin, ten_minutes());
    let both =
        world.spawn(async move { tokio::join!(function.clone().call("k"), function.call("k")) });
    world.settle();
    gate.open();
    world.settle();
    assert_eq!(both.value(), (Ok(1), Ok(1)));
    assert_eq!(origin.calls(), 1);
    assert_eq!(log.count("recursion"), 0);
}

#[test]
fn a_panic_inside_a_nested_load_does_not_leave_the_thread_marked_as_leading() {
    let world = World::new();
    let log = Log::default();
    let cache = world.observed(log.clone());
    let outer = || {
        plain_sync(&cache, "outer", || {
            plain_sync(&cache, "inner", || panic!("boom"))
        })
    };
    assert!(catch_unwind(AssertUnwindSafe(outer)).is_err());
    assert_eq!(
        plain_sync(&cache, "outer", || plain_sync(&cache, "inner", || 1)),
        1
    );
    assert_eq!(log.count("recursion"), 0);
}
