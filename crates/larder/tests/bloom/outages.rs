//! A store that is down, slow, or wrong.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use larder::guard::{Bloom, Outage};
use larder::runtime::Runtime;
use larder::store::Guarded;
use larder::testing::{MemoryStore, Simulation};
use larder::{Cache, ErrorKind, Event, Reason, Refused, bloom};

#[bloom(cache = cache, capacity = 1_000, false_positives = "1%", key = "{id}")]
async fn open(cache: &Cache, id: u64) -> bool {
    let _ = (cache, id);
    true
}

#[bloom(cache = cache, capacity = 1_000, false_positives = "1%", key = "{id}", on_outage = "closed")]
async fn closed(cache: &Cache, id: u64) -> Result<bool, Refused> {
    let _ = (cache, id);
    Ok(true)
}

#[bloom(cache = cache, capacity = 1_000, false_positives = "1%", key = "{id}", pair)]
async fn pair(cache: &Cache, id: u64) -> bool {
    let _ = (cache, id);
    true
}

type Told = Arc<Mutex<Vec<String>>>;

fn guarded(simulation: &Simulation) -> (MemoryStore, Cache, Told) {
    let store = MemoryStore::new(simulation.runtime());
    let guarded = Guarded::builder(Arc::new(store.clone()), simulation.runtime())
        .timeout(Duration::from_millis(200))
        .build();
    let told = Told::default();
    let tell = Arc::clone(&told);
    let cache = Cache::builder()
        .runtime(simulation.runtime())
        .store(Arc::new(guarded))
        .observer(move |event: &Event<'_>| {
            if let Event::GuardFailed { guard, outage, .. } = event {
                tell.lock().unwrap().push(format!("{guard} {outage:?}"));
            }
        })
        .build()
        .unwrap();
    (store, cache, told)
}

#[test]
fn a_store_that_is_down_lets_calls_through_or_refuses_them() {
    let simulation = Simulation::new(1);
    let (store, cache, told) = guarded(&simulation);
    let ran = simulation.block_on(async move {
        open::ready(&cache).await.unwrap();
        closed::ready(&cache).await.unwrap();
        assert!(!open(&cache, 1).await);
        assert!(!closed(&cache, 1).await.unwrap());
        store.refuse();
        assert!(open(&cache, 1).await);
        assert!(pair(&cache, 1).await);
        let refused = closed(&cache, 1).await.unwrap_err();
        assert_eq!(refused.reason(), Reason::Unavailable);
        let error = open::add(&cache, 1).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unavailable);
        let row = error.affected_key().expect("whose it is").as_str();
        assert!(row.contains("bloom:") && row.contains("::open:"), "{row}");
        store.heal();
        cache
    });
    assert_eq!(
        *told.lock().unwrap(),
        ["bloom Open", "bloom Open", "bloom Closed"]
    );
    assert_eq!(ran.stats().refused, 1);
}

#[test]
fn a_store_that_says_nothing_costs_its_time_limit_and_no_more() {
    let simulation = Simulation::new(1);
    let (store, cache, _) = guarded(&simulation);
    let began = simulation.clock().now();
    simulation.block_on(async move {
        open::ready(&cache).await.unwrap();
        store.cut();
        assert!(open(&cache, 1).await);
    });
    let took = simulation.clock().now().since(began);
    assert!(took < Duration::from_millis(400), "{took:?}");
}

#[test]
fn a_pair_that_cannot_learn_gives_the_answer_all_the_same() {
    let simulation = Simulation::new(1);
    let (store, cache, told) = guarded(&simulation);

    #[bloom(cache = cache, capacity = 1_000, false_positives = "1%", key = "{id}", pair)]
    async fn breaks(cache: &Cache, store: &MemoryStore, id: u64) -> bool {
        let _ = (cache, id);
        store.refuse();
        true
    }

    simulation.block_on(async move {
        assert!(breaks(&cache, &store, 1).await);
    });
    assert_eq!(*told.lock().unwrap(), ["bloom Open"]);
}

#[test]
fn a_call_that_is_dropped_while_the_filter_is_asked_leaves_nothing_behind() {
    let simulation = Simulation::new(1);
    let (store, cache, _) = guarded(&simulation);
    let world = simulation.clone();
    simulation.block_on(async move {
        open::ready(&cache).await.unwrap();
        store.cut();
        {
            let mut call = Box::pin(open(&cache, 1));
            let waker = std::task::Waker::noop();
            let mut context = std::task::Context::from_waker(waker);
            assert!(call.as_mut().poll(&mut context).is_pending());
        }
        store.heal();
        world.sleep(Duration::from_secs(60)).await;
        assert!(!open(&cache, 1).await);
    });
}

#[test]
fn the_value_refuses_or_lets_through_as_it_is_told() {
    let simulation = Simulation::new(1);
    let (store, cache, _) = guarded(&simulation);
    store.refuse();
    simulation.block_on(async move {
        let load = || async { Ok::<_, Refused>(()) };
        let filter = Bloom::new("f", 10, "1%");
        assert!(cache.guard(&filter, "a", load).await.is_ok());
        let filter = filter.on_outage(Outage::Closed);
        let refused = cache.guard(&filter, "a", load).await.unwrap_err();
        assert_eq!(refused.reason(), Reason::Unavailable);
    });
}
