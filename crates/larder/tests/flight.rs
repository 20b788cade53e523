//! At most one load per key, whoever waits; and nobody waits for ever.

mod support;

use std::collections::HashMap;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex};

use larder::__private::{
    AsPlain, AsResult, Hit, KeyBuf, Mode, Site, error_cloner, fill, fill_sync, hit,
};
use larder::runtime::BoxFuture;
use larder::{Cache, Policy};
use support::{Cached, Gate, Log, Oops, Origin, Silent, World, millis, secs};

fn ten_minutes() -> Policy {
    Policy::new().ttl("10m")
}

struct Scene {
    world: Arc<World>,
    log: Log,
    origin: Origin,
    function: Cached,
}

impl Scene {
    fn new(policy: Policy) -> Self {
        let world = World::new();
        let log = Log::default();
        let origin = Origin::new(&world, 1);
        let function = Cached::new(&world.observed(log.clone()), &origin, policy);
        Self {
            world,
            log,
            origin,
            function,
        }
    }

    fn start(&self) -> support::Running<Result<u64, Oops>> {
        let call = self.world.spawn(self.function.clone().call("k"));
        self.world.settle();
        call
    }
}

#[test]
fn a_thousand_tasks_on_one_cold_key_call_the_source_once() {
    let scene = Scene::new(ten_minutes());
    let gate = scene.origin.hold();
    let calls: Vec<_> = (0..1_000).map(|_| scene.start()).collect();
    assert_eq!(scene.origin.calls(), 1);
    gate.open();
    scene.world.settle();
    assert!(calls.iter().all(|call| call.value() == Ok(1)));
    assert_eq!(scene.origin.calls(), 1);
    let stats = scene.function.cache.stats();
    assert_eq!(
        (stats.loads, stats.coalesced, stats.misses),
        (1, 999, 1_000)
    );
}

#[test]
fn tasks_and_threads_wait_together() {
    let scene = Scene::new(ten_minutes());
    let gate = scene.origin.hold();
    let leader = scene.start();
    let tasks: Vec<_> = (0..10).map(|_| scene.start()).collect();
    let threads: Vec<_> = (0..10)
        .map(|_| {
            let function = scene.function.clone();
            std::thread::spawn(move || function.call_sync("k"))
        })
        .collect();
    scene.world.await_sleepers(20);
    gate.open();
    scene.world.settle();
    assert_eq!(leader.value(), Ok(1));
    assert!(tasks.iter().all(|task| task.value() == Ok(1)));
    assert!(
        threads
            .into_iter()
            .all(|thread| thread.join().unwrap() == Ok(1))
    );
    assert_eq!(scene.origin.calls(), 1);
}

#[test]
fn a_thread_can_lead_tasks() {
    let world = World::new();
    let cache = world.cache();
    let (go, wait) = channel::<()>();
    let (entered, leading) = channel::<()>();
    let leader = {
        let cache = cache.clone();
        std::thread::spawn(move || {
            plain_sync(&cache, "k", || {
                entered.send(()).unwrap();
                wait.recv().unwrap();
                1
            })
        })
    };
    leading.recv().unwrap();
    let follower = world.spawn({
        let cache = cache.clone();
        async move { plain(cache, "k", || async { 2 }).await }
    });
    world.settle();
    assert!(!follower.is_done());
    go.send(()).unwrap();
    assert_eq!(leader.join().unwrap(), 1);
    world.settle();
    assert_eq!(follower.value(), 1);
}

#[test]
fn on_real_threads_and_tasks_one_cold_key_is_loaded_once() {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap();
    let cache = Cache::builder().build().unwrap();
    let calls = Arc::new(AtomicUsize::new(0));
    let threads: Vec<_> = (0..100)
        .map(|_| {
            let (cache, calls) = (cache.clone(), Arc::clone(&calls));
            std::thread::spawn(move || {
                plain_sync(&cache, "k", || calls.fetch_add(1, Ordering::Relaxed) as u64)
            })
        })
        .collect();
    let tasks: Vec<_> = (0..1_000)
        .map(|_| {
            let (cache, calls) = (cache.clone(), Arc::clone(&calls));
            runtime.spawn(plain(cache, "k", move || async move {
                tokio::task::yield_now().await;
                calls.fetch_add(1, Ordering::Relaxed) as u64
            }))
        })
        .collect();
    for task in tasks {
        assert_eq!(runtime.block_on(task).unwrap(), 0);
    }
    for thread in threads {
        assert_eq!(thread.join().unwrap(), 0);
    }
    assert_eq!(calls.load(Ordering::Relaxed), 1);
}

#[test]
fn a_dropped_leader_hands_over_to_one_of_those_who_wait() {
    let scene = Scene::new(ten_minutes());
    let _gate = scene.origin.hold();
    let leader = scene.start();
    let followers: Vec<_> = (0..5).map(|_| scene.start()).collect();
    assert_eq!(scene.origin.calls(), 1);
    scene.origin.flow();
    scene.origin.gives(2);
    leader.cancel();
    scene.world.settle();
    assert!(followers.iter().all(|call| call.value() == Ok(2)));
    assert_eq!(
        scene.origin.calls(),
        2,
        "one of the five leads, the others wait for it"
    );
}

#[test]
fn a_dropped_leader_without_followers_leaves_the_key_free() {
    let scene = Scene::new(ten_minutes());
    let _gate = scene.origin.hold();
    scene.start().cancel();
    scene.origin.flow();
    assert_eq!(scene.start().value(), Ok(1));
    assert_eq!(scene.origin.calls(), 2);
}

#[test]
fn a_dropped_follower_disturbs_nobody() {
    let scene = Scene::new(ten_minutes());
    let gate = scene.origin.hold();
    let leader = scene.start();
    let gone = scene.start();
    let stays = scene.start();
    gone.cancel();
    gate.open();
    scene.world.settle();
    assert_eq!(leader.value(), Ok(1));
    assert_eq!(stays.value(), Ok(1));
    assert_eq!(scene.origin.calls(), 1);
}

#[test]
fn a_panic_of_the_source_reaches_its_caller_and_followers_go_on() {
    let scene = Scene::new(ten_minutes());
    scene.origin.panics("boom");
    let gate = scene.origin.hold();
    let leader = scene.start();
    let followers = [scene.start(), scene.start()];
    scene.origin.flow();
    scene.origin.gives(2);
    gate.open();
    scene.world.settle();
    assert_eq!(leader.panic(), "boom");
    assert!(followers.iter().all(|call| call.value() == Ok(2)));
    assert_eq!(scene.origin.calls(), 2);
    assert_eq!(scene.start().value(), Ok(2), "nothing is poisoned");
}

#[test]
fn a_panic_of_a_sync_source_reaches_its_caller_and_leaves_the_key_free() {
    let scene = Scene::new(ten_minutes());
    scene.origin.panics("boom");
    let panic = catch_unwind(AssertUnwindSafe(|| scene.function.call_sync("k"))).unwrap_err();
    assert_eq!(panic.downcast_ref::<String>().unwrap(), "boom");
    scene.origin.gives(2);
    assert_eq!(scene.function.call_sync("k"), Ok(2));
}

#[test]
fn a_panic_of_a_condition_is_a_panic_of_the_call_and_followers_go_on() {
    let scene = Scene::new(ten_minutes());
    let panics = Arc::new(AtomicUsize::new(1));
    let function = {
        let panics = Arc::clone(&panics);
        scene.function.clone().settle(move |settle| {
            settle.when(|_| {
                let left =
                    panics.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |n| n.checked_sub(1));
                assert!(left.is_err(), "condition");
                true
            });
        })
    };
    let gate = scene.origin.hold();
    let leader = scene.world.spawn(function.clone().call("k"));
    scene.world.settle();
    let follower = scene.world.spawn(function.call("k"));
    scene.world.settle();
    scene.origin.flow();
    gate.open();
    scene.world.settle();
    assert_eq!(leader.panic(), "condition");
    assert_eq!(follower.value(), Ok(1));
}

#[test]
fn who_waits_longer_than_the_policy_says_asks_the_source_itself() {
    let scene = Scene::new(ten_minutes().wait("2s"));
    let gate = scene.origin.hold();
    let leader = scene.start();
    scene.world.advance(secs(1));
    let follower = scene.start();
    scene.origin.flow();
    scene.origin.gives(2);
    scene.world.advance(secs(2) - millis(1));
    assert!(!follower.is_done());
    scene.world.advance(millis(1));
    assert_eq!(follower.value(), Ok(2));
    assert_eq!(scene.log.count("waited too long k"), 1);
    assert!(!leader.is_done(), "the leader is not disturbed");
    gate.open();
    scene.world.settle();
    assert_eq!(leader.value(), Ok(1));
    assert_eq!(scene.origin.calls(), 2);
}

#[test]
fn a_call_waits_half_a_minute_if_nothing_is_said() {
    let scene = Scene::new(ten_minutes());
    let _gate = scene.origin.hold();
    let _leader = scene.start();
    let follower = scene.start();
    scene.origin.flow();
    scene.world.advance(secs(30) - millis(1));
    assert!(!follower.is_done());
    scene.world.advance(millis(1));
    assert_eq!(follower.value(), Ok(1));
}

#[test]
fn who_waited_too_long_is_given_a_kept_value_rather_than_adding_to_the_load() {
    let scene = Scene::new(ten_minutes().fail_safe("1h").wait("2s"));
    assert_eq!(scene.start().value(), Ok(1));
    scene.world.advance(secs(600));
    let _gate = scene.origin.hold();
    let _leader = scene.start();
    let follower = scene.start();
    scene.world.advance(secs(2));
    assert_eq!(follower.value(), Ok(1));
    assert_eq!(scene.origin.calls(), 2);
    assert_eq!(scene.log.count("saved k"), 1);
}

#[test]
fn the_deadline_counts_from_the_call_and_not_from_each_leader() {
    let scene = Scene::new(ten_minutes().wait("3s"));
    let _gate = scene.origin.hold();
    let first = scene.start();
    let heir = scene.start();
    let patient = scene.start();
    scene.world.advance(secs(2));
    first.cancel();
    scene.world.settle();
    assert_eq!(scene.origin.calls(), 2, "the heir leads");
    scene.origin.flow();
    scene.world.advance(secs(1) - millis(1));
    assert!(!patient.is_done());
    scene.world.advance(millis(1));
    assert_eq!(patient.value(), Ok(1));
    assert!(!heir.is_done());
}

#[test]
fn an_error_that_can_be_cloned_reaches_all_who_waited_with_one_call() {
    let scene = Scene::new(ten_minutes());
    scene.origin.fails("down");
    let gate = scene.origin.hold();
    let calls: Vec<_> = (0..50).map(|_| scene.start()).collect();
    gate.open();
    scene.world.settle();
    assert!(calls.iter().all(|call| call.value() == Err(Oops("down"))));
    assert_eq!(scene.origin.calls(), 1);
    assert_eq!(scene.function.cache.stats().coalesced, 49);
    assert_eq!(scene.function.cache.stats().load_failures, 1);
}

#[test]
fn an_error_that_cannot_be_cloned_lets_each_ask_again_one_at_a_time() {
    let world = World::new();
    let cache = world.cache();
    let running = Arc::new(AtomicUsize::new(0));
    let most = Arc::new(AtomicUsize::new(0));
    let calls = Arc::new(AtomicUsize::new(0));
    let gates: Arc<Mutex<Vec<Gate>>> = Arc::default();
    let call = || {
        let (cache, gates) = (cache.clone(), Arc::clone(&gates));
        let (running, most, calls) = (Arc::clone(&running), Arc::clone(&most), Arc::clone(&calls));
        world.spawn(async move {
            silent(cache, move || async move {
                most.fetch_max(
                    running.fetch_add(1, Ordering::Relaxed) + 1,
                    Ordering::Relaxed,
                );
                let gate = Gate::default();
                gates.lock().unwrap().push(gate.clone());
                gate.pass().await;
                running.fetch_sub(1, Ordering::Relaxed);
                Err(Silent(calls.fetch_add(1, Ordering::Relaxed) as u32))
            })
            .await
        })
    };
    let all: Vec<_> = (0..5).map(|_| call()).collect();
    world.settle();
    for round in 0..5 {
        let gate = gates.lock().unwrap()[round].clone();
        gate.open();
        world.settle();
    }
    let mut errors: Vec<_> = all.iter().map(|call| call.value().unwrap_err().0).collect();
    errors.sort_unstable();
    assert_eq!(errors, [0, 1, 2, 3, 4], "each has its own error");
    assert_eq!(most.load(Ordering::Relaxed), 1);
}

#[test]
fn get_or_load_gives_one_error_to_all_who_waited() {
    let world = World::new();
    let cache = world.cache();
    let origin = Origin::new(&world, 1);
    origin.fails("down");
    let gate = origin.hold();
    let calls: Vec<_> = (0..3)
        .map(|_| {
            let (cache, origin) = (cache.clone(), origin.clone());
            world.spawn(async move {
                let load = || async move { origin.call().await };
                cache.get_or_load("k", load).ttl("1m").await
            })
        })
        .collect();
    world.settle();
    gate.open();
    world.settle();
    let errors: Vec<_> = calls.iter().map(|call| call.value().unwrap_err()).collect();
    assert_eq!(origin.calls(), 1);
    let address = |error: &larder::Error| std::ptr::from_ref(error.source_as::<Oops>().unwrap());
    assert!(
        errors
            .iter()
            .all(|error| address(error) == address(&errors[0]))
    );
}

#[test]
fn who_waited_gets_the_value_also_when_it_is_not_kept() {
    let scene = Scene::new(ten_minutes());
    let function = scene
        .function
        .clone()
        .settle(|settle| settle.when(|_| false));
    let gate = scene.origin.hold();
    let calls: Vec<_> = (0..3)
        .map(|_| scene.world.spawn(function.clone().call("k")))
        .collect();
    scene.world.settle();
    gate.open();
    scene.world.settle();
    assert!(calls.iter().all(|call| call.value() == Ok(1)));
    assert_eq!(scene.origin.calls(), 1);
    assert!(scene.function.cache.is_empty());
}

#[test]
fn a_load_of_another_type_under_the_same_key_is_nothing_to_wait_for() {
    let scene = Scene::new(ten_minutes());
    let gate = scene.origin.hold();
    let number = scene.start();
    let text = scene.world.spawn({
        let cache = scene.function.cache.clone();
        async move {
            let load = || async { Ok::<_, Oops>("text".to_owned()) };
            cache.get_or_load("k", load).ttl("1m").await
        }
    });
    scene.world.settle();
    gate.open();
    scene.world.settle();
    assert_eq!(number.value(), Ok(1));
    assert_eq!(text.value().unwrap(), "text");
}

// Loads inside loads.

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

async fn plain<F: Future<Output = u64>>(
    cache: Cache,
    key: &'static str,
    source: impl FnOnce() -> F,
) -> u64 {
    let buf = KeyBuf::from_text(key);
    match hit::<AsPlain, u64>(&cache, site(), &buf) {
        Hit::Value(value) | Hit::Refresh(value, _) => return value,
        Hit::Miss => {}
    }
    let policy = ten_minutes();
    let prepare = |plan: &mut larder::__private::Plan<_>| plan.policy(policy);
    fill::<AsPlain, u64, _, _, _, _>(
        &cache,
        site(),
        buf,
        Mode::Foreground,
        prepare,
        source,
        |_| {},
    )
    .await
}

fn plain_sync(cache: &Cache, key: &'static str, source: impl FnOnce() -> u64) -> u64 {
    let buf = KeyBuf::from_text(key);
    match hit::<AsPlain, u64>(cache, site(), &buf) {
        Hit::Value(value) | Hit::Refresh(value, _) => return value,
        Hit::Miss => {}
    }
    let policy = ten_minutes();
    let prepare = |plan: &mut larder::__private::Plan<_>| plan.policy(policy);
    fill_sync::<AsPlain, u64, _, _, _>(
        cache,
        site(),
        buf,
        Mode::Foreground,
        prepare,
        source,
        |_| {},
    )
}

async fn silent<F: Future<Output = Result<u64, Silent>>>(
    cache: Cache,
    source: impl FnOnce() -> F,
) -> Result<u64, Silent> {
    let prepare = |plan: &mut larder::__private::Plan<Silent>| {
        plan.policy(ten_minutes());
        plan.share_errors(error_cloner!(AsResult, Result<u64, Silent>));
    };
    let key = KeyBuf::from_text("k");
    fill::<AsResult, Result<u64, Silent>, _, _, _, _>(
        &cache,
        site(),
        key,
        Mode::Foreground,
        prepare,
        source,
        |_| {},
    )
    .await
}

fn site() -> &'static Site {
    static SITE: Site = Site::new("flight::plain", "{key}");
    &SITE
}
