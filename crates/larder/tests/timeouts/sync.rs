//! The same for sync functions, whose bodies cannot be dropped: they run on a thread beside their caller.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use larder::testing::Simulation;
use larder::{Cache, Reason, Refused, cached};

const MINUTE: Duration = Duration::from_secs(60);

/// A source that takes as long as it is told.
#[derive(Clone)]
struct Slow {
    simulation: Simulation,
    takes: Duration,
    calls: Arc<AtomicUsize>,
}

impl Slow {
    fn call(&self) -> u64 {
        let call = self.calls.fetch_add(1, Ordering::Relaxed) + 1;
        if !self.takes.is_zero() {
            self.simulation.wait(self.simulation.sleep(self.takes));
        }
        call as u64
    }
}

#[derive(Debug, PartialEq)]
struct Late(Reason);

impl From<Refused> for Late {
    fn from(refused: Refused) -> Self {
        Self(refused.reason())
    }
}

#[cached(
    cache = cache, key = "page:{id}", ttl = "1m", fail_safe = "1h", timeout = "200ms", hard_timeout = "5s"
)]
fn page(cache: &Cache, slow: &Slow, id: u64) -> Result<u64, Late> {
    let _ = (cache, id);
    if id == 13 {
        panic!("an unlucky number");
    }
    Ok(slow.call())
}

struct Scene {
    simulation: Simulation,
    cache: Cache,
    slow: Slow,
}

impl Scene {
    fn new(loads: usize) -> Self {
        let simulation = Simulation::new(7);
        let builder = simulation.cache_builder().background_loads(loads);
        Self {
            cache: builder.build().unwrap(),
            slow: Slow {
                simulation: simulation.clone(),
                takes: Duration::ZERO,
                calls: Arc::default(),
            },
            simulation,
        }
    }

    /// What a call gives whose source takes so long, and how long the call took.
    fn call(&self, id: u64, takes: Duration) -> (Result<u64, Late>, Duration) {
        let (cache, simulation) = (self.cache.clone(), self.simulation.clone());
        let slow = Slow {
            takes,
            ..self.slow.clone()
        };
        let call = self.simulation.spawn_blocking(move || {
            let began = simulation.runtime().clock().now();
            let output = page(&cache, &slow, id);
            (output, simulation.runtime().clock().now().since(began))
        });
        let simulation = self.simulation.clone();
        let done = simulation.spawn(call);
        simulation.run();
        self.simulation
            .wait(done)
            .flatten()
            .expect("the call has ended")
    }
}

#[test]
fn a_sync_call_is_answered_in_time_and_its_body_goes_on() {
    let scene = Scene::new(64);
    assert_eq!(scene.call(7, Duration::ZERO), (Ok(1), Duration::ZERO));
    scene.simulation.advance(MINUTE);
    let (output, took) = scene.call(7, Duration::from_secs(1));
    assert_eq!((output, took), (Ok(1), Duration::from_millis(200)));
    assert_eq!(
        scene.call(7, Duration::ZERO).0,
        Ok(2),
        "what the body brought"
    );
    assert_eq!(scene.cache.stats().loads, 2);
}

#[test]
fn a_sync_call_is_refused_in_time() {
    let scene = Scene::new(64);
    let (output, took) = scene.call(7, Duration::from_secs(20));
    assert_eq!(output, Err(Late(Reason::TimedOut)));
    assert_eq!(took, Duration::from_secs(5));
    assert_eq!(
        scene.call(7, Duration::ZERO).0,
        Ok(1),
        "the body has ended behind"
    );
}

#[test]
fn a_sync_call_that_finds_no_place_behind_waits_for_its_body() {
    let scene = Scene::new(0);
    let (output, took) = scene.call(7, Duration::from_secs(20));
    assert_eq!((output, took), (Ok(1), Duration::from_secs(20)));
    assert_eq!(scene.cache.stats().refreshes_refused, 1);
}

#[test]
fn a_panic_of_the_body_is_the_callers_own() {
    let cache = Cache::builder().build().unwrap();
    let slow = Scene::new(64).slow;
    let call = std::thread::spawn(move || page(&cache, &slow, 13));
    let panic = call.join().unwrap_err();
    assert_eq!(panic.downcast_ref(), Some(&"an unlucky number"));
}

#[test]
fn a_body_that_asks_for_itself_in_a_circle_is_not_waited_for() {
    let cache = Cache::builder().build().unwrap();
    let (done, ended) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        static DEPTH: AtomicUsize = AtomicUsize::new(0);
        #[cached(cache = cache, key = "circle:{n}", ttl = "1m", hard_timeout = "1h")]
        fn circle(cache: &Cache, n: u64) -> Result<u64, Late> {
            if DEPTH.fetch_add(1, Ordering::Relaxed) > 3 {
                return Ok(n);
            }
            circle(cache, 1 - n)
        }
        done.send(circle(&cache, 0)).unwrap();
    });
    let answer = ended.recv_timeout(Duration::from_secs(20));
    assert!(answer.expect("a circle ends").is_ok());
}

#[test]
fn a_scope_of_the_caller_holds_for_the_body_beside_it() {
    #[cached(cache = cache, key = "tenant:{id}", ttl = "1m", hard_timeout = "1h")]
    fn tenant(cache: &Cache, id: u64) -> Result<String, Late> {
        let inner = inner(cache);
        let _ = id;
        Ok(inner)
    }

    #[cached(cache = cache, key = "inner:{@client}", ttl = "1m")]
    fn inner(cache: &Cache) -> String {
        let _ = cache;
        "made".into()
    }

    let cache = Cache::builder().build().unwrap();
    larder::scope()
        .with("client", "ada")
        .run(|| tenant(&cache, 1))
        .unwrap();
    assert!(cache.blocking().exists("inner:ada").unwrap());
}
