//! Guards of several nodes that share a store, in many schedules, with a wire between them that delays, loses, doubles and is late.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use larder::guard::{CircuitBreaker, CircuitState, Locked, Outage, RateLimit, fence};
use larder::runtime::Timestamp;
use larder::store::Guarded;
use larder::testing::{Faults, MemoryStore, Simulation, Spawned, explore};
use larder::{Cache, Event, Reason, Refused};

fn millis(n: u64) -> Duration {
    Duration::from_millis(n)
}

fn up_to(simulation: &Simulation, most: u64) -> Duration {
    millis(simulation.random() % most)
}

/// The longest way of a request, and of an answer.
const DELAY: Duration = Duration::from_millis(60);

/// No operation of a store takes longer.
const LIMIT: Duration = Duration::from_millis(200);

/// A cache as one node has it: a connection of its own, with limits around it as set-up would put them.
fn node(
    simulation: &Simulation,
    store: &MemoryStore,
    faults: Faults,
    told: impl Fn(&Event<'_>) + Send + Sync + 'static,
) -> Cache {
    let link = store.connect();
    link.suffer(faults);
    let guarded = Guarded::builder(Arc::new(link), simulation.runtime()).timeout(LIMIT);
    let builder = simulation.cache_builder().store(Arc::new(guarded.build()));
    builder.observer(told).build().unwrap()
}

fn all_faults() -> Faults {
    Faults::none()
        .delay(DELAY)
        .errors(0.05)
        .lost_requests(0.04)
        .lost_answers(0.04)
        .doubled(0.05)
        .late(0.03, Duration::from_secs(3))
}

fn mild_faults() -> Faults {
    Faults::none().delay(DELAY).doubled(0.05)
}

/// What is written under a lock: who writes, and with which number.
#[derive(Default)]
struct Resource {
    inside: AtomicUsize,
    fence: AtomicU64,
    bodies: AtomicUsize,
}

/// A body under the lock, until it comes back or is dropped.
struct Inside(Arc<Resource>);

impl Inside {
    fn enter(resource: &Arc<Resource>) -> Self {
        let fence = fence().expect("a body under a lock has a number");
        let others = resource.inside.fetch_add(1, Ordering::SeqCst);
        assert_eq!(others, 0, "two bodies are in one lock");
        let before = resource.fence.swap(fence, Ordering::SeqCst);
        assert!(before < fence, "fence {fence} after {before}");
        resource.bodies.fetch_add(1, Ordering::SeqCst);
        Self(Arc::clone(resource))
    }
}

impl Drop for Inside {
    fn drop(&mut self) {
        self.0.inside.fetch_sub(1, Ordering::SeqCst);
    }
}

/// A call under the lock, whose body takes up to so long.
fn locked(
    simulation: &Simulation,
    cache: &Cache,
    resource: &Arc<Resource>,
    most: u64,
) -> Spawned<Result<(), Refused>> {
    let one = Locked::new(millis(1_000)).deadline(millis(3_000));
    let one = one.on_outage(Outage::Closed).wait(millis(30_000));
    let (cache, resource, own) = (cache.clone(), Arc::clone(resource), simulation.clone());
    simulation.spawn(async move {
        own.sleep(up_to(&own, 2_000)).await;
        let body = || async {
            let _inside = Inside::enter(&resource);
            own.sleep(up_to(&own, most)).await;
            Ok(())
        };
        cache.guard(&one, "l", body).await
    })
}

/// Drops a call after a while, as a client does that goes away.
fn cancel_later<T: Send + 'static>(simulation: &Simulation, call: Spawned<T>) {
    let own = simulation.clone();
    simulation.spawn(async move {
        own.sleep(up_to(&own, 4_000)).await;
        call.cancel();
    });
}

#[test]
fn at_most_one_body_is_in_a_lock_and_fences_grow_whatever_the_wire_does() {
    let bodies = AtomicUsize::new(0);
    explore(0..1_000, |simulation| {
        let store = MemoryStore::new(simulation.runtime());
        let resource = Arc::<Resource>::default();
        for _ in 0..3 {
            let cache = node(simulation, &store, all_faults(), |_| {});
            for _ in 0..3 {
                // Some bodies are longer than the lock's time, some than its deadline.
                let call = locked(simulation, &cache, &resource, 4_000);
                if simulation.random().is_multiple_of(4) {
                    cancel_later(simulation, call);
                }
            }
        }
        simulation.run();
        assert_eq!(resource.inside.load(Ordering::SeqCst), 0);
        bodies.fetch_add(resource.bodies.load(Ordering::SeqCst), Ordering::SeqCst);
    });
    assert!(bodies.into_inner() > 1_000, "nearly nothing has run");
}

#[test]
fn at_most_one_body_is_in_a_lock_of_a_process_and_each_has_its_turn() {
    explore(0..1_500, |simulation| {
        let cache = simulation.cache_builder().build().unwrap();
        let resource = Arc::<Resource>::default();
        let calls: Vec<_> = (0..6)
            .map(|_| locked(simulation, &cache, &resource, 2_000))
            .collect();
        let stays = calls.len() / 2;
        for (number, call) in calls.into_iter().enumerate() {
            if number < stays {
                simulation.spawn(async move { assert!(call.await.unwrap().is_ok()) });
            } else {
                cancel_later(simulation, call);
            }
        }
        simulation.run();
    });
}

#[test]
fn a_lock_of_a_sync_body_is_renewed_and_let_go_at_its_deadline() {
    explore(0..300, |simulation| {
        let store = MemoryStore::new(simulation.runtime());
        let resource = Arc::<Resource>::default();
        for _ in 0..2 {
            let cache = node(simulation, &store, mild_faults(), |_| {});
            let (own, resource) = (simulation.clone(), Arc::clone(&resource));
            simulation.spawn_blocking(move || {
                let one = Locked::new(millis(500)).wait(millis(30_000));
                for _ in 0..2 {
                    let body = || {
                        let _inside = Inside::enter(&resource);
                        own.wait(own.sleep(up_to(&own, 3_000)));
                        std::future::ready(Ok::<_, Refused>(()))
                    };
                    cache.guard(&one, "l", body).wait().unwrap();
                }
            });
        }
        simulation.run();
    });
}

/// A source that is down until a time, and who calls it.
struct Source {
    simulation: Simulation,
    up_at: Timestamp,
    running: AtomicUsize,
    most: AtomicUsize,
    tripped_at: Mutex<Option<Timestamp>>,
    half_open: usize,
}

struct Running<'a>(&'a Source);

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.0.running.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Source {
    fn now(&self) -> Timestamp {
        self.simulation.runtime().clock().now()
    }

    /// Whether all calls that began before it opened are certainly back.
    fn is_settled(&self) -> bool {
        let tripped = self.tripped_at.lock().unwrap();
        tripped.is_some_and(|at| self.now().since(at) > millis(1_000))
    }

    async fn call(&self) -> Result<(), Refused> {
        let running = self.running.fetch_add(1, Ordering::SeqCst) + 1;
        let _running = Running(self);
        self.most.fetch_max(running, Ordering::SeqCst);
        if self.is_settled() && self.now() < self.up_at {
            assert!(running <= self.half_open, "{running} are tried at once");
        }
        self.simulation.sleep(up_to(&self.simulation, 400)).await;
        match self.now() < self.up_at {
            true => Err(Refused::new("source", "", Reason::Unavailable)),
            false => Ok(()),
        }
    }
}

/// Three nodes call a source that comes up after a while; how often it was called while it was down.
fn circuit(
    simulation: &Simulation,
    caches: &[Cache],
    source: &Arc<Source>,
    breaker: CircuitBreaker,
) {
    for cache in caches {
        for _ in 0..2 {
            let (cache, source, own) = (cache.clone(), Arc::clone(source), simulation.clone());
            simulation.spawn(async move {
                while own.runtime().clock().now() < source.up_at.after(millis(10_000)) {
                    let call = async {
                        let _ = cache.guard(&breaker, "s", || source.call()).await;
                    };
                    call.await;
                    own.sleep(up_to(&own, 700)).await;
                }
            });
        }
    }
    simulation.run();
}

fn source(simulation: &Simulation, half_open: usize) -> Arc<Source> {
    Arc::new(Source {
        simulation: simulation.clone(),
        up_at: simulation.runtime().clock().now().after(millis(8_000)),
        running: AtomicUsize::new(0),
        most: AtomicUsize::new(0),
        tripped_at: Mutex::default(),
        half_open,
    })
}

fn notes_the_first_trip(source: &Arc<Source>) -> impl Fn(&Event<'_>) + Send + Sync + 'static {
    let source = Arc::clone(source);
    move |event| {
        if let Event::CircuitChanged {
            to: CircuitState::Open,
            ..
        } = event
        {
            let now = source.now();
            source.tripped_at.lock().unwrap().get_or_insert(now);
        }
    }
}

fn breaker() -> CircuitBreaker {
    let breaker = CircuitBreaker::new("50%", millis(10_000), millis(2_000));
    breaker.min_calls(4).half_open(2).successes(3)
}

#[test]
fn at_most_so_many_calls_are_tried_at_once_over_all_nodes() {
    explore(0..250, |simulation| {
        let source = source(simulation, 2);
        let store = MemoryStore::new(simulation.runtime());
        let caches: Vec<_> = (0..3)
            .map(|_| {
                node(
                    simulation,
                    &store,
                    mild_faults(),
                    notes_the_first_trip(&source),
                )
            })
            .collect();
        circuit(simulation, &caches, &source, breaker().shared());
        assert!(
            source.tripped_at.lock().unwrap().is_some(),
            "it never opened"
        );
        for cache in &caches {
            let state = CircuitBreaker::state(cache, "s");
            assert_eq!(state, CircuitState::Closed, "it never closed again");
        }
    });
}

#[test]
fn at_most_so_many_calls_are_tried_at_once_in_a_process() {
    explore(0..250, |simulation| {
        let source = source(simulation, 2);
        let cache = simulation.cache_builder();
        let cache = cache
            .observer(notes_the_first_trip(&source))
            .build()
            .unwrap();
        circuit(simulation, std::slice::from_ref(&cache), &source, breaker());
        assert!(
            source.tripped_at.lock().unwrap().is_some(),
            "it never opened"
        );
        assert_eq!(CircuitBreaker::state(&cache, "s"), CircuitState::Closed);
    });
}

#[test]
fn a_shared_circuit_opens_and_closes_whatever_the_wire_does() {
    explore(0..100, |simulation| {
        // Each node may try on its own while it cannot ask, so here nobody counts.
        let source = source(simulation, usize::MAX);
        let store = MemoryStore::new(simulation.runtime());
        let caches: Vec<_> = (0..3)
            .map(|_| {
                node(
                    simulation,
                    &store,
                    all_faults(),
                    notes_the_first_trip(&source),
                )
            })
            .collect();
        circuit(simulation, &caches, &source, breaker().shared());
        assert!(
            source.tripped_at.lock().unwrap().is_some(),
            "it never opened"
        );
        // All is well again, and each node finds it so.
        let breaker = breaker().shared();
        for _ in 0..6 {
            simulation.advance(millis(3_000));
            for cache in &caches {
                let call = cache.guard(&breaker, "s", || source.call());
                let _ = simulation.block_on(async { call.await });
            }
        }
        for cache in &caches {
            let state = CircuitBreaker::state(cache, "s");
            assert_ne!(state, CircuitState::Open, "it stays open for ever");
        }
    });
}

#[test]
fn a_limit_is_never_passed_in_any_window() {
    const LIMIT_OF: usize = 5;
    let per = millis(2_000);
    let admitted = AtomicUsize::new(0);
    explore(0..500, |simulation| {
        let store = MemoryStore::new(simulation.runtime());
        let begun = Arc::<Mutex<Vec<Timestamp>>>::default();
        for _ in 0..3 {
            let cache = node(simulation, &store, all_faults(), |_| {});
            for _ in 0..3 {
                let (cache, begun, own) = (cache.clone(), Arc::clone(&begun), simulation.clone());
                let limit = RateLimit::new(LIMIT_OF as u64, per).on_outage(Outage::Closed);
                simulation.spawn(async move {
                    for _ in 0..6 {
                        own.sleep(up_to(&own, 1_000)).await;
                        let body = || async {
                            let now = own.runtime().clock().now();
                            begun.lock().unwrap().push(now);
                            Ok::<_, Refused>(())
                        };
                        let _ = cache.guard(&limit, "w", body).await;
                    }
                });
            }
        }
        simulation.run();
        let mut begun = begun.lock().unwrap().clone();
        begun.sort();
        // The store counts before its answer is on its way.
        for window in begun.windows(LIMIT_OF + 1) {
            let took = window[LIMIT_OF].since(window[0]);
            assert!(took + DELAY >= per, "{} calls in {took:?}", LIMIT_OF + 1);
        }
        admitted.fetch_add(begun.len(), Ordering::SeqCst);
    });
    assert!(
        admitted.into_inner() > 500 * LIMIT_OF,
        "nearly nothing was let through"
    );
}
