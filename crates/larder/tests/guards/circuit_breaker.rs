//! `circuit_breaker`: no calls while too many fail, in virtual time.

use std::future::{Future, IntoFuture, poll_fn};
use std::pin::pin;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use larder::guard::{CircuitBreaker, CircuitState, Locked};
use larder::store::{Level, Tiers};
use larder::testing::{Faults, MemoryStore, Simulation, Spawned};
use larder::{Cache, Event, Reason, Refused, cached, circuit_breaker};

use crate::support::{Gate, World, millis, secs};

#[derive(Clone, Debug, PartialEq)]
enum Oops {
    Refused(Reason, Option<Duration>),
    Down,
    NotFound,
}

impl From<Refused> for Oops {
    fn from(refused: Refused) -> Self {
        Self::Refused(refused.reason(), refused.comes_back())
    }
}

const OPEN: fn(Option<Duration>) -> Oops = |left| Oops::Refused(Reason::Open, left);

/// What a call of the source does.
#[derive(Clone, Copy)]
enum Source {
    Works,
    Fails,
    /// Works after so long.
    Takes(Duration),
    FailsAfter(Duration),
}

/// A simulation with a breaker and what it has told.
struct Scene {
    simulation: Simulation,
    store: Option<MemoryStore>,
    told: Arc<Mutex<Vec<String>>>,
    breaker: CircuitBreaker,
}

/// Opens at one failure of two, with four calls in a minute; three tried calls at a time, three in a row close it.
fn breaker() -> CircuitBreaker {
    let breaker = CircuitBreaker::new("50%", "1m", "30s");
    breaker.min_calls(4).half_open(3)
}

impl Scene {
    fn here() -> Self {
        Self {
            simulation: Simulation::new(1),
            store: None,
            told: Arc::default(),
            breaker: breaker(),
        }
    }

    fn shared() -> Self {
        let scene = Self::here();
        let store = MemoryStore::new(scene.simulation.runtime());
        Self {
            store: Some(store),
            breaker: breaker().shared(),
            ..scene
        }
    }

    fn both() -> [Self; 2] {
        [Self::here(), Self::shared()]
    }

    fn cache(&self) -> Cache {
        let told = Arc::clone(&self.told);
        let builder = self.simulation.cache_builder();
        let builder = builder.observer(move |event: &Event<'_>| {
            let text = match event {
                Event::CircuitChanged { from, to, .. } => format!("{from} to {to}"),
                Event::GuardFailed { guard, .. } => format!("{guard} failed"),
                _ => return,
            };
            told.lock().unwrap().push(text);
        });
        match &self.store {
            Some(store) => builder.store(Arc::new(store.connect())),
            None => builder,
        }
        .build()
        .unwrap()
    }

    /// A cache on a connection that the test can cut, with that connection.
    fn cuttable(&self) -> (Cache, MemoryStore) {
        let link = self.store.as_ref().unwrap().connect();
        let scene = Self {
            simulation: self.simulation.clone(),
            store: None,
            told: Arc::clone(&self.told),
            breaker: self.breaker,
        };
        let told = Arc::clone(&scene.told);
        let builder = scene
            .simulation
            .cache_builder()
            .store(Arc::new(link.clone()));
        let builder = builder.observer(move |event: &Event<'_>| {
            if let Event::GuardFailed { guard, .. } = event {
                told.lock().unwrap().push(format!("{guard} failed"));
            }
        });
        (builder.build().unwrap(), link)
    }

    fn told(&self) -> Vec<String> {
        std::mem::take(&mut self.told.lock().unwrap())
    }

    fn start(&self, cache: &Cache, source: Source) -> Spawned<Result<(), Oops>> {
        let (cache, breaker, own) = (cache.clone(), self.breaker, self.simulation.clone());
        self.simulation.spawn(async move {
            let body = || async move {
                match source {
                    Source::Works => Ok(()),
                    Source::Fails => Err(Oops::Down),
                    Source::Takes(time) => {
                        own.sleep(time).await;
                        Ok(())
                    }
                    Source::FailsAfter(time) => {
                        own.sleep(time).await;
                        Err(Oops::Down)
                    }
                }
            };
            cache.guard(&breaker, "mail", body).await
        })
    }

    fn end(&self, call: Spawned<Result<(), Oops>>) -> Result<(), Oops> {
        self.simulation
            .block_on(call)
            .expect("it was not cancelled")
    }

    fn call(&self, cache: &Cache, source: Source) -> Result<(), Oops> {
        self.end(self.start(cache, source))
    }

    fn open(&self, cache: &Cache) {
        for _ in 0..4 {
            assert_eq!(self.call(cache, Source::Fails), Err(Oops::Down));
        }
        assert_eq!(state(cache), CircuitState::Open);
        self.told();
    }
}

fn state(cache: &Cache) -> CircuitState {
    CircuitBreaker::state(cache, "mail")
}

#[test]
fn it_opens_with_the_failure_that_reaches_the_share() {
    for scene in Scene::both() {
        let cache = scene.cache();
        for source in [Source::Works, Source::Fails, Source::Works] {
            assert_ne!(scene.call(&cache, source), Err(OPEN(None)));
        }
        assert_eq!(state(&cache), CircuitState::Closed);
        assert_eq!(scene.call(&cache, Source::Fails), Err(Oops::Down));
        assert_eq!(state(&cache), CircuitState::Open);
        scene.simulation.advance(secs(10));
        let refused = scene.call(&cache, Source::Works);
        assert_eq!(refused, Err(OPEN(Some(secs(20)))));
        assert_eq!(scene.told(), ["closed to open"]);
    }
}

#[test]
fn few_calls_open_nothing_and_successes_never_do() {
    for scene in Scene::both() {
        let cache = scene.cache();
        for _ in 0..3 {
            assert_eq!(scene.call(&cache, Source::Fails), Err(Oops::Down));
        }
        assert!(scene.call(&cache, Source::Works).is_ok());
        assert_eq!(state(&cache), CircuitState::Closed);
        assert_eq!(scene.call(&cache, Source::Fails), Err(Oops::Down));
        assert_eq!(state(&cache), CircuitState::Open);
    }
}

#[test]
fn what_is_older_than_the_window_does_not_count() {
    for scene in Scene::both() {
        let cache = scene.cache();
        for _ in 0..3 {
            assert_eq!(scene.call(&cache, Source::Fails), Err(Oops::Down));
        }
        scene.simulation.advance(secs(60));
        assert_eq!(scene.call(&cache, Source::Fails), Err(Oops::Down));
        assert_eq!(state(&cache), CircuitState::Closed);
        // The window rolls: what lies across two minutes counts together.
        scene.simulation.advance(secs(40));
        for _ in 0..3 {
            assert_eq!(scene.call(&cache, Source::Fails), Err(Oops::Down));
        }
        assert_eq!(state(&cache), CircuitState::Open);
    }
}

#[test]
fn functions_that_look_back_by_different_times_share_a_circuit() {
    #[circuit_breaker(cache = cache, errors = "50%", per = "10s", open_for = "30s", min_calls = 4, key = "mail")]
    async fn short(cache: &Cache, works: bool) -> Result<(), Oops> {
        let _ = cache;
        works.then_some(()).ok_or(Oops::Down)
    }

    #[circuit_breaker(cache = cache, errors = "50%", per = "1m", open_for = "30s", min_calls = 4, key = "mail")]
    async fn long(cache: &Cache, works: bool) -> Result<(), Oops> {
        let _ = cache;
        works.then_some(()).ok_or(Oops::Down)
    }

    let simulation = Simulation::new(1);
    // A while after the start, so that numbers of slices would differ.
    simulation.advance(secs(1_000));
    let (cache, world) = (
        simulation.cache_builder().build().unwrap(),
        simulation.clone(),
    );
    simulation.block_on(async move {
        for _ in 0..3 {
            drop(long(&cache, false).await);
        }
        assert!(short(&cache, true).await.is_ok());
        drop(long(&cache, false).await);
        assert_eq!(state(&cache), CircuitState::Open, "all of them count");
        world.sleep(secs(30)).await;
        assert!(long(&cache, true).await.is_ok());
        assert_eq!(state(&cache), CircuitState::Closed);
        // What is old to both counts for none.
        for _ in 0..3 {
            drop(short(&cache, false).await);
        }
        world.sleep(secs(60)).await;
        drop(long(&cache, false).await);
        assert_eq!(state(&cache), CircuitState::Closed);
        drop(long(&cache, false).await);
        drop(long(&cache, false).await);
        world.sleep(secs(10)).await;
        drop(short(&cache, false).await);
        assert_eq!(state(&cache), CircuitState::Closed);
    });
}

#[test]
fn half_open_lets_exactly_so_many_run_at_a_time() {
    for scene in Scene::both() {
        let cache = scene.cache();
        scene.open(&cache);
        scene.simulation.advance(secs(30));
        assert_eq!(state(&cache), CircuitState::HalfOpen);
        let tried: Vec<_> = (0..8)
            .map(|_| scene.start(&cache, Source::Takes(secs(5))))
            .collect();
        let ended: Vec<_> = tried.into_iter().map(|call| scene.end(call)).collect();
        let through = ended.iter().filter(|ended| ended.is_ok()).count();
        assert_eq!(through, 3, "{ended:?}");
        assert!(ended.contains(&Err(OPEN(None))));
        assert_eq!(state(&cache), CircuitState::Closed);
        assert_eq!(scene.told(), ["open to half-open", "half-open to closed"]);
    }
}

#[test]
fn successes_in_a_row_close_it_and_it_counts_from_nothing() {
    for mut scene in Scene::both() {
        scene.breaker = scene.breaker.half_open(1).successes(2);
        let cache = scene.cache();
        scene.open(&cache);
        scene.simulation.advance(secs(30));
        assert!(scene.call(&cache, Source::Works).is_ok());
        assert_eq!(state(&cache), CircuitState::HalfOpen);
        assert!(scene.call(&cache, Source::Works).is_ok());
        assert_eq!(state(&cache), CircuitState::Closed);
        for _ in 0..3 {
            assert_eq!(scene.call(&cache, Source::Fails), Err(Oops::Down));
        }
        assert_eq!(
            state(&cache),
            CircuitState::Closed,
            "the old failures are gone"
        );
    }
}

#[test]
fn one_failure_opens_it_again_and_the_row_begins_anew() {
    for mut scene in Scene::both() {
        scene.breaker = scene.breaker.half_open(1).successes(2);
        let cache = scene.cache();
        scene.open(&cache);
        for _ in 0..2 {
            scene.simulation.advance(secs(30));
            assert!(scene.call(&cache, Source::Works).is_ok());
            assert_eq!(scene.call(&cache, Source::Fails), Err(Oops::Down));
            assert_eq!(state(&cache), CircuitState::Open);
            assert_eq!(scene.call(&cache, Source::Works), Err(OPEN(Some(secs(30)))));
        }
        let again = ["open to half-open", "half-open to open"];
        assert_eq!(scene.told(), [again, again].concat());
    }
}

#[test]
fn a_dropped_call_counts_as_neither_and_gives_up_its_place() {
    for mut scene in Scene::both() {
        scene.breaker = scene.breaker.half_open(1);
        let cache = scene.cache();
        for _ in 0..10 {
            let call = scene.start(&cache, Source::Takes(secs(60)));
            scene.simulation.advance(millis(10));
            call.cancel();
        }
        scene.open(&cache);
        scene.simulation.advance(secs(30));
        let call = scene.start(&cache, Source::Takes(secs(60)));
        scene.simulation.advance(millis(10));
        assert_eq!(scene.call(&cache, Source::Works), Err(OPEN(None)));
        call.cancel();
        scene.simulation.advance(millis(10));
        assert_eq!(state(&cache), CircuitState::HalfOpen);
        assert!(scene.call(&cache, Source::Works).is_ok());
        assert_eq!(state(&cache), CircuitState::Closed);
    }
}

#[test]
fn a_tried_call_that_hangs_gives_up_its_place_after_the_open_time() {
    for mut scene in Scene::both() {
        scene.breaker = scene.breaker.half_open(1);
        let cache = scene.cache();
        scene.open(&cache);
        scene.simulation.advance(secs(30));
        let hangs = scene.start(&cache, Source::FailsAfter(secs(40)));
        scene.simulation.advance(secs(29));
        assert_eq!(scene.call(&cache, Source::Works), Err(OPEN(None)));
        scene.simulation.advance(secs(2));
        let second = scene.start(&cache, Source::Takes(secs(20)));
        scene.simulation.advance(secs(1));
        assert_eq!(scene.call(&cache, Source::Works), Err(OPEN(None)));
        assert_eq!(scene.end(hangs), Err(Oops::Down));
        assert_eq!(
            state(&cache),
            CircuitState::Open,
            "late, and still a failure"
        );
        assert!(scene.end(second).is_ok());
        assert_eq!(state(&cache), CircuitState::Open, "it turned meanwhile");
    }
}

#[test]
fn a_tried_call_that_hangs_past_a_turn_says_nothing_of_what_comes_after() {
    for late in [Source::FailsAfter(secs(100)), Source::Takes(secs(100))] {
        for mut scene in Scene::both() {
            scene.breaker = scene.breaker.half_open(1);
            let cache = scene.cache();
            scene.open(&cache);
            scene.simulation.advance(secs(30));
            let hangs = scene.start(&cache, late);
            scene.simulation.advance(secs(31));
            assert_eq!(scene.call(&cache, Source::Fails), Err(Oops::Down));
            assert_eq!(state(&cache), CircuitState::Open);
            scene.simulation.advance(secs(50));
            let second = scene.start(&cache, Source::Takes(secs(25)));
            drop(scene.end(hangs));
            assert_eq!(state(&cache), CircuitState::HalfOpen);
            assert_eq!(scene.call(&cache, Source::Works), Err(OPEN(None)));
            assert!(scene.end(second).is_ok());
            assert_eq!(state(&cache), CircuitState::Closed);
        }
    }
}

#[test]
fn calls_that_are_tried_together_and_lose_their_places_count_all_the_same() {
    for seed in 0..100 {
        let mut scene = Scene::shared();
        scene.simulation = Simulation::new(seed);
        let store = MemoryStore::new(scene.simulation.runtime());
        scene.store = Some(store.clone());
        scene.breaker = scene.breaker.half_open(2).successes(2);
        let [(one, of_one), (two, of_two)] = [scene.cuttable(), scene.cuttable()];
        scene.open(&one);
        scene.simulation.advance(secs(30));
        for link in [of_one, of_two] {
            link.suffer(Faults::none().delay(millis(20)));
        }
        let tried = [&one, &two].map(|cache| scene.start(cache, Source::Takes(secs(40))));
        for call in tried {
            assert!(scene.end(call).is_ok());
        }
        let states = [&one, &two].map(state);
        assert!(states.contains(&CircuitState::Closed), "of seed {seed}");
    }
}

#[test]
fn a_success_does_not_close_what_another_process_opens_at_the_same_time() {
    let mut opened = 0;
    for seed in 0..400 {
        let mut scene = Scene::shared();
        scene.simulation = Simulation::new(seed);
        let store = MemoryStore::new(scene.simulation.runtime());
        scene.store = Some(store.clone());
        scene.breaker = scene.breaker.half_open(2).successes(1);
        let [(one, of_one), (two, of_two)] = [scene.cuttable(), scene.cuttable()];
        scene.open(&one);
        scene.simulation.advance(secs(30));
        for link in [of_one, of_two] {
            link.suffer(Faults::none().delay(millis(20)));
        }
        let good = scene.start(&one, Source::Takes(secs(1)));
        let bad = scene.start(&two, Source::FailsAfter(millis(1_000 + seed % 150)));
        assert!(scene.end(good).is_ok());
        assert_eq!(scene.end(bad), Err(Oops::Down));
        let is_open = state(&two) == CircuitState::Open;
        let third = scene.call(&scene.cache(), Source::Works);
        assert_eq!(third.is_err(), is_open, "of seed {seed}");
        opened += u32::from(is_open);
    }
    assert!((50..350).contains(&opened), "{opened}");
}

#[test]
fn a_call_from_before_a_turn_says_nothing_of_what_comes_after() {
    for mut scene in Scene::both() {
        scene.breaker = scene.breaker.half_open(1);
        let cache = scene.cache();
        let late: Vec<_> = (0..4)
            .map(|_| scene.start(&cache, Source::FailsAfter(secs(35))))
            .collect();
        scene.simulation.advance(millis(10));
        scene.open(&cache);
        scene.simulation.advance(secs(30));
        assert!(scene.call(&cache, Source::Works).is_ok());
        assert_eq!(state(&cache), CircuitState::Closed);
        for call in late {
            assert_eq!(scene.end(call), Err(Oops::Down));
        }
        assert_eq!(state(&cache), CircuitState::Closed);
    }
}

#[test]
fn panics_are_failures() {
    let world = World::new();
    let (cache, breaker) = (world.cache(), breaker());
    for _ in 0..4 {
        let cache = cache.clone();
        let call = world.spawn(async move {
            let body = || async {
                if true {
                    panic!("oh")
                } else {
                    Ok::<(), Oops>(())
                }
            };
            cache.guard(&breaker, "mail", body).await
        });
        world.settle();
        assert_eq!(call.panic(), "oh");
    }
    assert_eq!(state(&cache), CircuitState::Open);
}

#[test]
fn a_source_that_hangs_behind_a_lock_is_a_failure() {
    #[circuit_breaker(cache = cache, errors = "50%", per = "1h", open_for = "30s", min_calls = 2, key = "mail",
        exceptions = |error| *error == Oops::Down)]
    #[locked(cache = cache, ttl = "1s", deadline = "5s")]
    async fn send(cache: &Cache) -> Result<(), Oops> {
        let _ = cache;
        std::future::pending().await
    }

    for scene in Scene::both() {
        let cache = scene.cache();
        let call = || {
            let cache = cache.clone();
            scene.end(scene.simulation.spawn(async move { send(&cache).await }))
        };
        for _ in 0..2 {
            assert_eq!(call(), Err(Oops::Refused(Reason::TimedOut, None)));
        }
        assert_eq!(call(), Err(OPEN(Some(secs(30)))));
    }
}

#[test]
fn a_lock_that_another_holds_is_no_failure() {
    let scene = Scene::here();
    let (cache, one) = (scene.cache(), Locked::new("1h"));
    let of = cache.clone();
    let _held = scene.simulation.spawn(async move {
        let body = || std::future::pending::<Result<(), Oops>>();
        of.guard(&one, "job", body).await
    });
    scene.simulation.advance(secs(1));
    for _ in 0..5 {
        let (cache, breaker) = (cache.clone(), scene.breaker);
        let call = scene.simulation.spawn(async move {
            let body = || async { Ok::<(), Oops>(()) };
            let inner = || async { cache.guard(&one, "job", body).await };
            cache.guard(&breaker, "mail", inner).await
        });
        assert!(matches!(
            scene.end(call),
            Err(Oops::Refused(Reason::Locked, _))
        ));
    }
    assert_eq!(state(&cache), CircuitState::Closed);
}

#[test]
fn a_panic_of_another_future_in_the_same_task_is_no_failure() {
    let world = World::new();
    let (cache, breaker) = (world.cache(), breaker());
    for _ in 0..4 {
        let (cache, gate) = (cache.clone(), Gate::default());
        let call = world.spawn(async move {
            let body = || async {
                gate.pass().await;
                Ok::<(), Oops>(())
            };
            let mut healthy = pin!(cache.guard(&breaker, "mail", body).into_future());
            poll_fn(|context| {
                let polled = healthy.as_mut().poll(context);
                assert!(polled.is_ready(), "it waits");
                polled
            })
            .await
        });
        world.settle();
        assert_eq!(call.panic(), "it waits");
    }
    assert_eq!(state(&cache), CircuitState::Closed);
}

#[test]
fn errors_that_are_no_exceptions_count_as_successes() {
    #[circuit_breaker(cache = cache, errors = "50%", per = "1m", open_for = "30s", min_calls = 2, key = "mail",
        exceptions = |error| *error == Oops::Down)]
    fn send(cache: &Cache, oops: Oops) -> Result<(), Oops> {
        let _ = cache;
        Err(oops)
    }

    let cache = Cache::builder().build().unwrap();
    for _ in 0..5 {
        assert_eq!(send(&cache, Oops::NotFound), Err(Oops::NotFound));
    }
    assert_eq!(state(&cache), CircuitState::Closed);
    for _ in 0..5 {
        assert_eq!(send(&cache, Oops::Down), Err(Oops::Down));
    }
    assert_eq!(state(&cache), CircuitState::Open);
    assert!(matches!(
        send(&cache, Oops::Down),
        Err(Oops::Refused(Reason::Open, Some(_)))
    ));
}

#[test]
fn what_an_inner_guard_refuses_is_no_failure_of_the_source() {
    #[circuit_breaker(cache = cache, errors = "1%", per = "1m", open_for = "30s", min_calls = 1, key = "mail")]
    #[larder::rate_limit(cache = cache, limit = 1, per = "1h", key = "mail")]
    async fn send(cache: &Cache) -> Result<(), Refused> {
        let _ = cache;
        Ok(())
    }

    let world = World::new();
    let cache = world.cache();
    world.run(async move {
        assert!(send(&cache).await.is_ok());
        for _ in 0..5 {
            assert_eq!(send(&cache).await.unwrap_err().reason(), Reason::Limited);
        }
        assert_eq!(state(&cache), CircuitState::Closed);
    });
}

#[test]
fn under_cached_a_kept_value_stands_in_while_it_is_open() {
    static DOWN: AtomicU32 = AtomicU32::new(0);

    #[cached(cache = cache, key = "user", ttl = "10s", fail_safe = "1h", throttle = "1s")]
    #[circuit_breaker(cache = cache, errors = "50%", per = "10m", open_for = "5m", min_calls = 2, key = "mail")]
    async fn user(cache: &Cache, now: u64) -> Result<u64, Oops> {
        let _ = cache;
        match DOWN.fetch_add(1, Ordering::Relaxed) {
            0 => Ok(now),
            _ => Err(Oops::Down),
        }
    }

    let world = World::new();
    let (cache, at) = (world.cache(), Arc::clone(&world));
    world.run(async move {
        assert_eq!(user(&cache, 1).await, Ok(1));
        for _ in 0..8 {
            at.clock_on(secs(11));
            assert_eq!(user(&cache, 2).await, Ok(1));
        }
        assert_eq!(
            DOWN.load(Ordering::Relaxed),
            2,
            "one failure of two calls opened it"
        );
        assert_eq!(state(&cache), CircuitState::Open);
    });
}

#[test]
fn circuits_of_two_keys_are_two_and_of_an_unknown_key_closed() {
    #[circuit_breaker(cache = cache, errors = "50%", per = "1m", open_for = "30s", min_calls = 1, key = "host:{host}")]
    fn fetch(cache: &Cache, host: &str) -> Result<(), Oops> {
        let _ = (cache, host);
        Err(Oops::Down)
    }

    let cache = Cache::builder().build().unwrap();
    drop(fetch(&cache, "a"));
    assert_eq!(CircuitBreaker::state(&cache, "host:a"), CircuitState::Open);
    assert_eq!(
        CircuitBreaker::state(&cache, "host:b"),
        CircuitState::Closed
    );
    assert_eq!(fetch(&cache, "b"), Err(Oops::Down));
}

#[test]
fn all_processes_see_one_shared_circuit() {
    let scene = Scene::shared();
    let [one, two, three] = [scene.cache(), scene.cache(), scene.cache()];
    for cache in [&one, &two, &one, &two] {
        assert_eq!(scene.call(cache, Source::Fails), Err(Oops::Down));
    }
    for cache in [&one, &two, &three] {
        assert!(matches!(
            scene.call(cache, Source::Works),
            Err(Oops::Refused(Reason::Open, Some(_)))
        ));
        assert_eq!(state(cache), CircuitState::Open);
    }
    scene.simulation.advance(secs(30));
    let tried =
        [&one, &two, &three, &one, &two].map(|cache| scene.start(cache, Source::Takes(secs(1))));
    let through = tried.map(|call| scene.end(call).is_ok());
    assert_eq!(
        through.iter().filter(|ok| **ok).count(),
        3,
        "three for all of them"
    );
    for cache in [&one, &two, &three] {
        assert!(scene.call(cache, Source::Works).is_ok());
        assert_eq!(state(cache), CircuitState::Closed);
    }
}

#[test]
fn a_cap_of_the_store_cuts_nothing_that_a_shared_circuit_counts() {
    let mut scene = Scene::shared();
    scene.breaker = CircuitBreaker::new("50%", "10m", "30s").shared();
    scene.breaker = scene.breaker.min_calls(4).half_open(1).successes(2);
    let store = scene.store.take().unwrap();
    let chain = Tiers::new(vec![Level::new(Arc::new(store)).cap(secs(60))]).unwrap();
    let builder = scene.simulation.cache_builder().store(Arc::new(chain));
    let cache = builder.build().unwrap();
    // In the circuit of this process they would have been too few.
    for _ in 0..4 {
        assert_eq!(state(&cache), CircuitState::Closed);
        assert_eq!(scene.call(&cache, Source::Fails), Err(Oops::Down));
        scene.simulation.advance(secs(120));
    }
    assert_eq!(state(&cache), CircuitState::HalfOpen);
    assert!(scene.call(&cache, Source::Works).is_ok());
    scene.simulation.advance(secs(90));
    assert!(scene.call(&cache, Source::Works).is_ok());
    assert_eq!(state(&cache), CircuitState::Closed);
}

#[test]
fn late_failures_of_another_process_do_not_keep_a_shared_circuit_open() {
    let scene = Scene::shared();
    let [one, two] = [scene.cache(), scene.cache()];
    let late: Vec<_> = (0..6)
        .map(|_| scene.start(&two, Source::FailsAfter(secs(20))))
        .collect();
    scene.simulation.advance(millis(10));
    scene.open(&one);
    for call in late {
        assert_eq!(scene.end(call), Err(Oops::Down));
    }
    scene.simulation.advance(secs(11));
    assert!(scene.call(&one, Source::Works).is_ok(), "its time was over");
}

#[test]
fn a_circuit_that_is_not_shared_is_each_processs_own_though_they_share_a_store() {
    let mut scene = Scene::shared();
    scene.breaker = breaker();
    let [one, two] = [scene.cache(), scene.cache()];
    scene.open(&one);
    assert!(scene.call(&two, Source::Works).is_ok());
}

#[test]
fn without_its_store_a_shared_circuit_is_the_processs_own() {
    let scene = Scene::shared();
    let (cache, link) = scene.cuttable();
    for _ in 0..2 {
        assert_eq!(scene.call(&cache, Source::Fails), Err(Oops::Down));
    }
    link.refuse();
    for _ in 0..2 {
        assert_eq!(scene.call(&cache, Source::Fails), Err(Oops::Down));
    }
    assert_eq!(
        state(&cache),
        CircuitState::Open,
        "what it had counted before counts"
    );
    assert!(matches!(
        scene.call(&cache, Source::Works),
        Err(Oops::Refused(Reason::Open, _))
    ));
    assert_eq!(scene.told(), ["circuit_breaker failed"; 3]);
    link.heal();
    assert!(
        scene.call(&cache, Source::Works).is_ok(),
        "the store has the last word"
    );
}

#[test]
fn an_open_shared_circuit_stays_open_when_its_store_goes_down() {
    let scene = Scene::shared();
    let (cache, link) = scene.cuttable();
    scene.open(&cache);
    link.refuse();
    assert!(matches!(
        scene.call(&cache, Source::Works),
        Err(Oops::Refused(Reason::Open, Some(_)))
    ));
    scene.simulation.advance(secs(30));
    let tried: Vec<_> = (0..5)
        .map(|_| scene.start(&cache, Source::Takes(secs(1))))
        .collect();
    let through = tried
        .into_iter()
        .filter(|_| true)
        .map(|call| scene.end(call).is_ok());
    assert_eq!(through.filter(|ok| *ok).count(), 3);
    assert_eq!(state(&cache), CircuitState::Closed);
}

#[test]
fn a_store_that_hangs_costs_a_bounded_time() {
    let scene = Scene::shared();
    let (cache, link) = scene.cuttable();
    link.cut();
    let clock = scene.simulation.runtime().clock();
    let began = clock.now();
    assert!(scene.call(&cache, Source::Works).is_ok());
    assert!(clock.now().since(began) <= secs(20));
}

#[test]
fn what_cannot_be_is_refused_with_the_mend() {
    let mut scene = Scene::here();
    let cache = scene.cache();
    for breaker in [
        CircuitBreaker::new("0%", "1m", "30s"),
        CircuitBreaker::new(1.5, "1m", "30s"),
        CircuitBreaker::new("10%", "0s", "30s"),
        breaker().half_open(0),
        breaker().min_calls(0),
    ] {
        scene.breaker = breaker;
        assert_eq!(
            scene.call(&cache, Source::Works),
            Err(Oops::Refused(Reason::Misconfigured, None))
        );
    }
    scene.breaker = CircuitBreaker::new("100%", "36500d", "36500d").min_calls(u64::MAX);
    assert_eq!(scene.call(&cache, Source::Fails), Err(Oops::Down));
    scene.breaker =
        CircuitBreaker::new("0.0001%", Duration::from_nanos(1), Duration::from_nanos(1));
    assert_eq!(scene.call(&cache, Source::Fails), Err(Oops::Down));
}

#[test]
fn a_sync_function_meets_the_same_circuit_as_an_async_one() {
    #[circuit_breaker(cache = cache, errors = "50%", per = "1m", open_for = "30s", min_calls = 2, key = "mail")]
    fn now(cache: &Cache) -> Result<(), Oops> {
        let _ = cache;
        Err(Oops::Down)
    }

    #[circuit_breaker(cache = cache, errors = "50%", per = "1m", open_for = "30s", min_calls = 2, key = "mail")]
    async fn later(cache: &Cache, gate: Gate) -> Result<(), Oops> {
        let _ = cache;
        gate.pass().await;
        Err(Oops::Down)
    }

    let world = World::new();
    let (cache, gate) = (world.cache(), Gate::default());
    gate.open();
    world.run(async move {
        assert_eq!(now(&cache), Err(Oops::Down));
        assert_eq!(later(&cache, gate.clone()).await, Err(Oops::Down));
        assert!(matches!(now(&cache), Err(Oops::Refused(Reason::Open, _))));
        assert!(matches!(
            later(&cache, gate).await,
            Err(Oops::Refused(Reason::Open, _))
        ));
    });
}
