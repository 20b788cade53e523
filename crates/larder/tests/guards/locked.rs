//! `locked`: one call at a time, here and through a store, in virtual time.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use larder::guard::{Locked, Outage, fence};
use larder::testing::{Faults, MemoryStore, Simulation, Spawned};
use larder::{Builder, Cache, Event, Reason, Refused, cached, locked};

use crate::support::{Gate, World, millis, secs};

type Fence = Result<u64, Refused>;

/// A simulation with one or two caches, and what their guards have told.
struct Scene {
    simulation: Simulation,
    store: Option<MemoryStore>,
    told: Arc<Mutex<Vec<String>>>,
}

impl Scene {
    fn here() -> Self {
        Self {
            simulation: Simulation::new(1),
            store: None,
            told: Arc::default(),
        }
    }

    fn with_store() -> Self {
        let scene = Self::here();
        let store = MemoryStore::new(scene.simulation.runtime());
        Self {
            store: Some(store),
            ..scene
        }
    }

    fn both() -> [Self; 2] {
        [Self::here(), Self::with_store()]
    }

    fn builder(&self) -> Builder {
        let told = Arc::clone(&self.told);
        let builder = self.simulation.cache_builder();
        builder.observer(move |event: &Event<'_>| {
            let text = match event {
                Event::LockLost { key, fence } => format!("lost {key} {fence}"),
                Event::LockOverrun { key, fence } => format!("overrun {key} {fence}"),
                Event::GuardFailed { key, outage, .. } => format!("failed {key} {outage:?}"),
                _ => return,
            };
            told.lock().unwrap().push(text);
        })
    }

    /// A cache on the connection that suffers.
    fn cache(&self) -> Cache {
        match &self.store {
            Some(store) => self.builder().store(Arc::new(store.clone())),
            None => self.builder(),
        }
        .build()
        .unwrap()
    }

    /// A cache as another process would have it.
    fn other(&self) -> Cache {
        let store = self.store.as_ref().unwrap().connect();
        self.builder().store(Arc::new(store)).build().unwrap()
    }

    fn store(&self) -> &MemoryStore {
        self.store.as_ref().unwrap()
    }

    fn told(&self) -> Vec<String> {
        std::mem::take(&mut self.told.lock().unwrap())
    }

    /// A call whose body takes so long.
    fn call(&self, cache: &Cache, one: Locked, takes: Duration) -> Spawned<Fence> {
        let (simulation, cache) = (self.simulation.clone(), cache.clone());
        self.simulation.spawn(async move {
            let body = || async move {
                let fence = fence().expect("there is a number under a lock");
                simulation.sleep(takes).await;
                Ok(fence)
            };
            cache.guard(&one, "job", body).await
        })
    }

    /// A call now.
    fn tries(&self, cache: &Cache) -> Fence {
        self.ends(self.call(cache, Locked::new("10s"), Duration::ZERO))
    }

    fn ends(&self, call: Spawned<Fence>) -> Fence {
        self.simulation
            .block_on(call)
            .expect("it was not cancelled")
    }
}

fn reason(fence: Fence) -> Reason {
    fence.unwrap_err().reason()
}

#[test]
fn a_held_lock_refuses_at_once_and_says_how_long_it_has() {
    for scene in Scene::both() {
        let cache = scene.cache();
        let running = scene.call(&cache, Locked::new("10s"), secs(3));
        scene.simulation.advance(secs(2));
        let refused = scene.tries(&cache).unwrap_err();
        assert_eq!(refused.reason(), Reason::Locked);
        assert_eq!(refused.comes_back(), Some(secs(8)));
        assert!(refused.key().ends_with("locked:job"), "{refused}");
        let asked = cache.is_locked("locked:job");
        assert!(scene.simulation.block_on(asked).unwrap());
        assert!(scene.ends(running).is_ok());
        assert!(
            scene.tries(&cache).is_ok(),
            "given back when the body returned"
        );
        assert_eq!(scene.told(), [""; 0]);
    }
}

#[test]
fn keys_lock_for_themselves_and_functions_with_one_key_together() {
    #[locked(cache = cache, ttl = "10s", key = "user:{id}")]
    async fn rename(cache: &Cache, id: u64, gate: Gate) -> Result<(), Refused> {
        let _ = id;
        gate.pass().await;
        Ok(())
    }

    #[locked(cache = cache, ttl = "10s", key = "user:{id}")]
    fn remove(cache: &Cache, id: u64) -> Result<(), Refused> {
        let _ = (cache, id);
        Ok(())
    }

    let world = World::new();
    let (cache, gate) = (world.cache(), Gate::default());
    let (own, pass) = (cache.clone(), gate.clone());
    let running = world.spawn(async move { rename(&own, 7, pass).await });
    world.settle();
    assert_eq!(remove(&cache, 7).unwrap_err().reason(), Reason::Locked);
    assert!(remove(&cache, 8).is_ok());
    gate.open();
    world.settle();
    running.value().unwrap();
    assert!(remove(&cache, 7).is_ok());
}

#[test]
fn a_lock_is_renewed_while_its_body_runs() {
    for scene in Scene::both() {
        let cache = scene.cache();
        let running = scene.call(&cache, Locked::new("10s"), secs(60));
        for _ in 0..11 {
            scene.simulation.advance(secs(5));
            assert_eq!(reason(scene.tries(&cache)), Reason::Locked);
        }
        assert!(scene.ends(running).is_ok());
        assert!(scene.tries(&cache).is_ok());
        assert_eq!(scene.told(), [""; 0]);
    }
}

#[test]
fn a_sync_body_that_blocks_its_thread_keeps_its_lock() {
    #[locked(cache = cache, ttl = "10s", key = "job")]
    fn block(cache: &Cache, simulation: &Simulation) -> Result<u64, Refused> {
        let _ = cache;
        simulation.wait(simulation.sleep(secs(60)));
        Ok(fence().unwrap())
    }

    for scene in Scene::both() {
        let (cache, own) = (scene.cache(), scene.simulation.clone());
        let blocking = cache.clone();
        let running = scene
            .simulation
            .spawn_blocking(move || block(&blocking, &own));
        for _ in 0..11 {
            scene.simulation.advance(secs(5));
            assert_eq!(reason(scene.tries(&cache)), Reason::Locked);
        }
        assert!(scene.ends(running).is_ok());
        assert!(scene.tries(&cache).is_ok());
        assert_eq!(scene.told(), [""; 0]);
    }
}

#[test]
fn an_async_body_is_dropped_at_the_deadline_and_then_the_lock_is_free() {
    for scene in Scene::both() {
        let cache = scene.cache();
        let one = Locked::new("10s").deadline("25s");
        let running = scene.call(&cache, one, secs(3_600));
        scene.simulation.advance(secs(25) - millis(1));
        assert_eq!(reason(scene.tries(&cache)), Reason::Locked);
        scene.simulation.advance(millis(1));
        let refused = scene.ends(running).unwrap_err();
        assert_eq!(refused.reason(), Reason::TimedOut);
        assert!(scene.tries(&cache).is_ok());
        scene.simulation.advance(secs(60));
        assert_eq!(scene.told(), [""; 0], "the refusal says it all");
    }
}

#[test]
fn a_sync_body_runs_on_past_the_deadline_and_the_lock_is_let_go() {
    #[locked(cache = cache, ttl = "10s", deadline = "20s", key = "job")]
    fn block(cache: &Cache, simulation: &Simulation) -> Result<u64, Refused> {
        let _ = cache;
        simulation.wait(simulation.sleep(secs(60)));
        Ok(fence().unwrap())
    }

    for scene in Scene::both() {
        let (cache, own) = (scene.cache(), scene.simulation.clone());
        let blocking = cache.clone();
        let running = scene
            .simulation
            .spawn_blocking(move || block(&blocking, &own));
        scene.simulation.advance(secs(19));
        assert_eq!(reason(scene.tries(&cache)), Reason::Locked);
        scene.simulation.advance(secs(1) + millis(1));
        let next = scene.tries(&cache).unwrap();
        let told = scene.told();
        assert!(
            told.len() == 1 && told[0].starts_with("overrun "),
            "{told:?}"
        );
        let late = scene.ends(running).expect("its value comes back");
        assert!(next > late, "its writes can be told by their number");
        assert_eq!(scene.told(), [""; 0], "told once");
    }
}

#[test]
fn without_a_deadline_it_is_ten_times_the_ttl() {
    let scene = Scene::here();
    let cache = scene.cache();
    let running = scene.call(&cache, Locked::new("10s"), secs(3_600));
    scene.simulation.advance(secs(100) - millis(1));
    assert_eq!(reason(scene.tries(&cache)), Reason::Locked);
    assert_eq!(reason(scene.ends(running)), Reason::TimedOut);
    assert!(scene.tries(&cache).is_ok());
}

#[test]
fn who_waits_here_is_woken_and_asks_nobody_meanwhile() {
    let world = World::new();
    let (cache, gate) = (world.cache(), Gate::default());
    let call = |gate: Gate, one: Locked| {
        let cache = cache.clone();
        world.spawn(async move {
            let body = || async move {
                gate.pass().await;
                Ok::<_, Refused>(())
            };
            cache.guard(&one, "job", body).await
        })
    };
    let running = call(gate.clone(), Locked::new("10s"));
    world.settle();
    let before = world.sleepers();
    let open = Gate::default();
    open.open();
    let waiting = call(open, Locked::new("10s").wait("1m"));
    world.settle();
    assert_eq!(
        world.sleepers(),
        before + 1,
        "one timer, for the end of waiting or of the lock"
    );
    gate.open();
    world.settle();
    assert!(running.value().is_ok());
    assert!(waiting.value().is_ok(), "no time has passed");
}

#[test]
fn who_waits_at_a_store_has_the_lock_soon_after_it_was_given_back() {
    let scene = Scene::with_store();
    let (cache, other) = (scene.cache(), scene.other());
    let running = scene.call(&cache, Locked::new("10s"), secs(30));
    scene.simulation.advance(secs(1));
    let waiting = scene.call(&other, Locked::new("10s").wait("5m"), Duration::ZERO);
    assert!(scene.ends(running).is_ok());
    let began = scene.simulation.runtime().clock().now();
    assert!(scene.ends(waiting).is_ok());
    let waited = scene.simulation.runtime().clock().now().since(began);
    assert!(waited <= millis(250), "{waited:?}");
}

#[test]
fn waiting_ends_at_its_time_and_with_a_refusal() {
    for scene in Scene::both() {
        let cache = scene.cache();
        let _running = scene.call(&cache, Locked::new("10s").deadline("1h"), secs(3_600));
        scene.simulation.advance(secs(1));
        let clock = scene.simulation.runtime().clock();
        let began = clock.now();
        let waiting = scene.call(&cache, Locked::new("10s").wait("5s"), Duration::ZERO);
        assert_eq!(reason(scene.ends(waiting)), Reason::Locked);
        assert_eq!(clock.now().since(began), secs(5));
    }
}

#[test]
fn wait_alone_is_for_as_long_as_a_holder_may_hold_it() {
    #[locked(cache = cache, ttl = "10s", deadline = "1m", wait, key = "job")]
    async fn job(cache: &Cache, simulation: &Simulation, takes: Duration) -> Result<u64, Refused> {
        let _ = cache;
        simulation.sleep(takes).await;
        Ok(0)
    }

    let scene = Scene::here();
    let cache = scene.cache();
    let call = |takes| {
        let (cache, simulation) = (cache.clone(), scene.simulation.clone());
        let call = async move { job(&cache, &simulation, secs(takes)).await };
        let call = scene.simulation.spawn(call);
        scene.simulation.advance(secs(1));
        call
    };
    let clock = scene.simulation.runtime().clock();
    let (first, second, third) = (call(55), call(50), call(1));
    let began = clock.now();
    assert!(scene.ends(first).is_ok());
    assert_eq!(reason(scene.ends(third)), Reason::Locked);
    assert_eq!(clock.now().since(began), secs(59));
    assert!(scene.ends(second).is_ok());
}

#[test]
fn a_lock_is_given_back_by_errors_panics_and_dropped_calls() {
    let world = World::new();
    let cache = world.cache();
    let one = Locked::new("10s");
    let call = |act: fn() -> Result<(), Refused>, gate: Gate| {
        let cache = cache.clone();
        world.spawn(async move {
            let body = || async move {
                gate.pass().await;
                act()
            };
            cache.guard(&one, "job", body).await
        })
    };
    let open = Gate::default();
    open.open();
    let is_free = || {
        let again = call(|| Ok(()), open.clone());
        world.settle();
        again.value().is_ok()
    };
    let failing = call(|| Err(Refused::new("test", "", Reason::Slow)), open.clone());
    world.settle();
    assert_eq!(failing.value().unwrap_err().reason(), Reason::Slow);
    assert!(is_free());
    let panicking = call(|| panic!("oh"), open.clone());
    world.settle();
    assert_eq!(panicking.panic(), "oh");
    assert!(is_free());
    let dropped = call(|| Ok(()), Gate::default());
    world.settle();
    assert!(!is_free());
    dropped.cancel();
    assert!(is_free());
    // A chore that watched over them must not stay behind.
    world.settle();
    assert_eq!(world.sleepers(), 0);
}

#[test]
fn a_dropped_call_gives_the_lock_of_a_store_back_behind() {
    let scene = Scene::with_store();
    let cache = scene.cache();
    scene.store().suffer(Faults::none().delay(millis(40)));
    for after in [0, 5, 20, 40, 60, 80, 120] {
        let call = scene.call(&cache, Locked::new("1h"), secs(3_600));
        scene.simulation.advance(millis(after));
        assert!(call.cancel());
        // What is under way on the same connection may need its time.
        scene.simulation.advance(millis(200));
        assert!(scene.tries(&cache).is_ok(), "dropped after {after} ms");
    }
}

#[test]
fn a_call_that_is_dropped_while_it_gives_its_lock_back_leaves_it_free() {
    let scene = Scene::with_store();
    let cache = scene.cache();
    for after in [0, 10, 20, 30, 40, 60] {
        let call = scene.call(&cache, Locked::new("1h"), secs(10));
        scene.simulation.advance(secs(9));
        scene.store().suffer(Faults::none().delay(millis(40)));
        scene.simulation.advance(secs(1) + millis(after));
        call.cancel();
        scene.simulation.advance(millis(200));
        scene.store().suffer(Faults::none());
        assert!(scene.tries(&cache).is_ok(), "dropped after {after} ms");
    }
    assert_eq!(scene.told(), [""; 0]);
}

#[test]
fn a_waiting_call_that_is_dropped_does_not_swallow_the_lock() {
    let scene = Scene::here();
    let cache = scene.cache();
    let running = scene.call(&cache, Locked::new("10s"), secs(5));
    scene.simulation.advance(secs(1));
    let one = Locked::new("10s").wait("1m");
    let gone = scene.call(&cache, one, Duration::ZERO);
    let stays = scene.call(&cache, one, Duration::ZERO);
    scene.simulation.advance(secs(1));
    gone.cancel();
    assert!(scene.ends(running).is_ok());
    assert!(scene.ends(stays).is_ok());
}

#[test]
fn fences_grow_over_calls_and_over_locks_taken_directly() {
    for scene in Scene::both() {
        let cache = scene.cache();
        let mut last = 0;
        for _ in 0..5 {
            let next = scene.tries(&cache).unwrap();
            assert!(next > last, "{next} after {last}");
            last = next;
        }
        let lock = cache.lock("direct").ttl("1m");
        let first = scene.simulation.block_on(async { lock.await }).unwrap();
        let (number, owner) = (first.fence(), first.owner());
        assert!(
            scene
                .simulation
                .block_on(cache.unlock("direct", owner))
                .unwrap()
        );
        let lock = cache.lock("direct").ttl("1m");
        let second = scene.simulation.block_on(async { lock.await }).unwrap();
        assert!(second.fence() > number);
    }
}

#[test]
fn the_fence_is_that_of_the_innermost_lock_and_ends_with_it() {
    let cache = Cache::builder().build().unwrap();
    let one = Locked::new("10s");
    assert_eq!(fence(), None);
    let inner = || async { Ok::<_, Refused>(fence()) };
    let outer = || async {
        let before = fence();
        let inside = cache.guard(&one, "inner", inner).await?;
        assert_eq!(fence(), before);
        Ok::<_, Refused>((before, inside))
    };
    let (outer, inner) = cache.guard(&one, "outer", outer).wait().unwrap();
    assert!(outer.is_some() && inner.is_some() && outer != inner);
    assert_eq!(fence(), None);
}

#[test]
fn a_lock_outside_gives_no_number_to_one_whose_store_is_down() {
    let scene = Scene::with_store();
    let (cache, store) = (scene.cache(), scene.store().clone());
    let call = scene.simulation.spawn(async move {
        let one = Locked::new("10s");
        let inner = || async { Ok::<_, Refused>(fence()) };
        let outer = || async {
            let before = fence();
            store.refuse();
            let inside = cache.guard(&one, "inner", inner).await?;
            assert_eq!(fence(), before);
            Ok::<_, Refused>((before, inside))
        };
        cache.guard(&one, "outer", outer).await
    });
    let (outer, inner) = scene.simulation.block_on(call).unwrap().unwrap();
    assert!(outer.is_some());
    assert_eq!(inner, None);
}

#[test]
fn an_async_body_stops_when_the_store_has_forgotten_its_lock() {
    let scene = Scene::with_store();
    let (cache, other) = (scene.cache(), scene.other());
    let running = scene.call(&cache, Locked::new("9s"), secs(60));
    scene.simulation.advance(secs(4));
    scene.store().crash();
    let second = scene.call(&other, Locked::new("9s"), secs(60));
    scene.simulation.advance(secs(3));
    assert_eq!(reason(scene.ends(running)), Reason::Lost);
    let told = scene.told();
    assert!(told.len() == 1 && told[0].starts_with("lost "), "{told:?}");
    assert!(
        scene.ends(second).is_ok(),
        "the other's lock was not given back"
    );
}

#[test]
fn a_sync_body_runs_on_without_its_lock_and_it_is_told() {
    let scene = Scene::with_store();
    let (cache, own) = (scene.cache(), scene.simulation.clone());
    let running = scene.simulation.spawn_blocking(move || {
        #[locked(cache = cache, ttl = "9s", key = "job")]
        fn block(cache: &Cache, simulation: &Simulation) -> Result<u64, Refused> {
            let _ = cache;
            simulation.wait(simulation.sleep(secs(30)));
            Ok(fence().unwrap())
        }
        block(&cache, &own)
    });
    scene.simulation.advance(secs(4));
    scene.store().crash();
    assert!(scene.ends(running).is_ok());
    let told = scene.told();
    assert!(told.len() == 1 && told[0].starts_with("lost "), "{told:?}");
}

#[test]
fn a_lock_lost_just_before_its_body_came_back_is_told() {
    let scene = Scene::with_store();
    let cache = scene.cache();
    let running = scene.call(&cache, Locked::new("9s"), secs(2));
    scene.simulation.advance(secs(1));
    scene.store().crash();
    assert!(scene.ends(running).is_ok());
    let told = scene.told();
    assert!(told.len() == 1 && told[0].starts_with("lost "), "{told:?}");
}

#[test]
fn a_store_that_is_down_lets_calls_through_or_refuses_them_as_was_said() {
    let scene = Scene::with_store();
    let cache = scene.cache();
    scene.store().refuse();
    let open = scene.simulation.spawn({
        let cache = cache.clone();
        async move {
            let body = || async { Ok::<_, Refused>(fence()) };
            cache.guard(&Locked::new("10s"), "job", body).await
        }
    });
    let fence = scene.simulation.block_on(open).unwrap();
    assert_eq!(fence.unwrap(), None, "there is no number without a lock");
    assert!(scene.told()[0].ends_with("Open"));
    let closed = Locked::new("10s").on_outage(Outage::Closed);
    let refused = scene.ends(scene.call(&cache, closed, Duration::ZERO));
    assert_eq!(reason(refused), Reason::Unavailable);
    assert!(scene.told()[0].ends_with("Closed"));
}

#[test]
fn a_store_that_fails_while_the_body_runs_has_until_the_lock_ends() {
    for (outage, takes) in [(Outage::Open, 60), (Outage::Closed, 60)] {
        let scene = Scene::with_store();
        let cache = scene.cache();
        let one = Locked::new("9s").on_outage(outage);
        let began = scene.simulation.runtime().clock().now();
        let running = scene.call(&cache, one, secs(takes));
        scene.simulation.advance(secs(1));
        // Nothing is answered any more, and nothing says so.
        scene.store().cut();
        let ended = scene.ends(running);
        let took = scene.simulation.runtime().clock().now().since(began);
        match outage {
            Outage::Open => assert!(ended.is_ok(), "it goes on without"),
            Outage::Closed => {
                assert_eq!(reason(ended), Reason::Unavailable);
                assert!(
                    took > secs(6) && took < secs(9),
                    "before the lock ends: {took:?}"
                );
            }
        }
        let told = scene.told();
        assert!(told[0].starts_with("failed ") && told[0].ends_with(&format!("{outage:?}")));
    }
}

#[test]
fn a_short_outage_while_the_body_runs_is_survived() {
    let scene = Scene::with_store();
    let (cache, other) = (scene.cache(), scene.other());
    let running = scene.call(
        &cache,
        Locked::new("9s").on_outage(Outage::Closed),
        secs(30),
    );
    scene.simulation.advance(secs(2));
    scene.store().refuse();
    scene.simulation.advance(secs(5));
    scene.store().heal();
    scene.simulation.advance(secs(10));
    assert_eq!(reason(scene.tries(&other)), Reason::Locked);
    assert!(scene.ends(running).is_ok());
    assert_eq!(scene.told(), [""; 0]);
}

#[test]
fn who_waits_for_a_lock_that_is_known_to_be_held_does_not_go_on_when_the_store_fails() {
    let scene = Scene::with_store();
    let (cache, other) = (scene.cache(), scene.other());
    let _running = scene.call(&other, Locked::new("10s").deadline("1h"), secs(3_600));
    scene.simulation.advance(secs(1));
    let waiting = scene.call(&cache, Locked::new("10s").wait("5s"), Duration::ZERO);
    scene.simulation.advance(millis(200));
    scene.store().refuse();
    assert_eq!(reason(scene.ends(waiting)), Reason::Locked);
}

#[test]
fn under_cached_one_load_runs_over_all_processes() {
    static RUNS: AtomicU32 = AtomicU32::new(0);
    static INSIDE: AtomicBool = AtomicBool::new(false);

    #[cached(cache = cache, key = "report", ttl = "1h", local)]
    #[locked(cache = cache, ttl = "10s", wait = "1m")]
    async fn report(cache: &Cache, simulation: &Simulation) -> Result<u64, Refused> {
        let _ = cache;
        assert!(!INSIDE.swap(true, Ordering::SeqCst), "two at once");
        RUNS.fetch_add(1, Ordering::SeqCst);
        simulation.sleep(secs(2)).await;
        INSIDE.store(false, Ordering::SeqCst);
        Ok(7)
    }

    let scene = Scene::with_store();
    let caches = [scene.cache(), scene.other(), scene.other()];
    let calls: Vec<_> = caches
        .iter()
        .flat_map(|cache| [cache.clone(), cache.clone()])
        .map(|cache| {
            let own = scene.simulation.clone();
            scene
                .simulation
                .spawn(async move { report(&cache, &own).await })
        })
        .collect();
    for call in calls {
        assert_eq!(scene.ends(call).unwrap(), 7);
    }
    assert_eq!(
        RUNS.load(Ordering::SeqCst),
        3,
        "one for each process, one after the other"
    );
}

#[test]
fn what_cannot_be_is_refused_with_the_mend() {
    let scene = Scene::here();
    let cache = scene.cache();
    for (one, mend) in [
        (
            Locked::new("10s").deadline("5s"),
            "`deadline` must not be shorter",
        ),
        (Locked::new("0s"), "a duration cannot be zero"),
        (Locked::new("soon"), ""),
        (
            Locked::new("forever"),
            "stays with a process that was killed",
        ),
        (Locked::new("10s").wait("forever"), "give a span"),
        (Locked::new("10s").wait(-1), "negative"),
    ] {
        let refused = scene
            .ends(scene.call(&cache, one, Duration::ZERO))
            .unwrap_err();
        assert_eq!(refused.reason(), Reason::Misconfigured);
        assert!(refused.to_string().contains(mend), "{refused}");
    }
    let absurd = Locked::new("36000d").wait("36000d").deadline("36500d");
    assert!(
        scene
            .ends(scene.call(&cache, absurd, Duration::ZERO))
            .is_ok()
    );
    let ttl = millis(1);
    assert!(
        scene
            .ends(scene.call(&cache, Locked::new(ttl), Duration::ZERO))
            .is_ok()
    );
}

#[test]
fn a_call_inside_its_own_lock_is_refused_and_does_not_wait_for_ever() {
    let scene = Scene::here();
    let (cache, one) = (scene.cache(), Locked::new("10s").wait("5s"));
    let call = scene.simulation.spawn(async move {
        let inner = || async { Ok::<_, Refused>(()) };
        let outer = || async { cache.guard(&one, "job", inner).await };
        cache.guard(&one, "job", outer).await
    });
    let refused = scene.simulation.block_on(call).unwrap().unwrap_err();
    assert_eq!(refused.reason(), Reason::Locked);
}

#[test]
fn of_many_threads_one_is_inside_and_each_has_its_turn() {
    static INSIDE: AtomicU32 = AtomicU32::new(0);

    #[locked(cache = cache, ttl = "1h", wait, key = "job")]
    fn job(cache: &Cache) -> Result<(), Refused> {
        let _ = cache;
        assert_eq!(INSIDE.fetch_add(1, Ordering::SeqCst), 0);
        INSIDE.fetch_sub(1, Ordering::SeqCst);
        Ok(())
    }

    let cache = Cache::builder().build().unwrap();
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| (0..50).for_each(|_| job(&cache).unwrap()));
        }
    });
}
