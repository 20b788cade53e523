//! Where the bits are: in the store of the cache, in this process, or nowhere.

use std::sync::Arc;

use larder::guard::Bloom;
use larder::store::Store;
use larder::testing::{MemoryStore, Simulation};
use larder::{Cache, ErrorKind, Reason, Refused, bloom};

use crate::shelf;

#[bloom(cache = cache, capacity = 1_000, false_positives = "1%", key = "{id}")]
async fn exists(cache: &Cache, id: u64) -> bool {
    let _ = (cache, id);
    true
}

#[bloom(cache = cache, capacity = 1_000, false_positives = "1%", key = "{id}", local)]
async fn exists_here(cache: &Cache, id: u64) -> bool {
    let _ = (cache, id);
    true
}

#[bloom(cache = cache, capacity = 1_000, false_positives = "1%", key = "{id}")]
fn found(cache: &Cache, id: u64) -> Result<u64, Refused> {
    let _ = cache;
    Ok(id)
}

fn on(simulation: &Simulation, store: &MemoryStore) -> Cache {
    let store = Arc::new(store.connect());
    let builder = Cache::builder().runtime(simulation.runtime());
    builder.store(store).build().unwrap()
}

#[test]
fn processes_share_a_filter_in_the_store() {
    let simulation = Simulation::new(1);
    let store = MemoryStore::new(simulation.runtime());
    let (one, two) = (on(&simulation, &store), on(&simulation, &store));
    simulation.block_on(async move {
        exists::add(&one, 1).await.unwrap();
        exists::ready(&one).await.unwrap();
        assert!(exists(&two, 1).await);
        assert!(!exists(&two, 2).await);
        exists::add(&two, 2).await.unwrap();
        assert!(exists(&one, 2).await);
        // Entries go, the filter stays; with the store it is lost, and then it rules out nothing.
        two.clear().await.unwrap();
        assert!(!exists(&one, 3).await);
        store.crash();
        assert!(exists(&one, 3).await);
        exists::add(&one, 4).await.unwrap();
        assert!(exists(&one, 3).await, "nobody has filled it again");
    });
}

#[test]
fn a_local_filter_stays_in_its_process() {
    let simulation = Simulation::new(1);
    let store = MemoryStore::new(simulation.runtime());
    let (one, two) = (on(&simulation, &store), on(&simulation, &store));
    store.refuse();
    simulation.block_on(async move {
        exists_here::ready(&one).await.unwrap();
        assert!(!exists_here(&one, 1).await);
        assert!(exists_here(&two, 1).await);
        let filter = Bloom::new("f", 10, "1%").local();
        filter.ready(&one).await.unwrap();
        assert!(!filter.may_contain(&one, "a").await.unwrap());
        assert!(filter.may_contain(&two, "a").await.unwrap());
    });
}

#[test]
fn what_stands_in_the_store_is_what_every_release_looks_for() {
    let simulation = Simulation::new(1);
    let store = MemoryStore::new(simulation.runtime());
    let cache = on(&simulation, &store);
    simulation.block_on(async move {
        let row = "larder:bloom:f:10112x7";
        let filter = Bloom::new("f", 1_000, "1%");
        filter.add(&cache, "a").await.unwrap();
        filter.ready(&cache).await.unwrap();
        // The two bits of a ready filter, and seven after the first 64. Between them are marks of who has filled it.
        let bits = store.bits().unwrap();
        let all: Vec<u32> = (0..64 + 10_112).collect();
        let set = bits.test(row, &all).await.unwrap();
        let is_set = |at: &u32| set[*at as usize] && !(2..64).contains(at);
        let set: Vec<u32> = all.into_iter().filter(is_set).collect();
        assert_eq!(set.len(), 9, "{set:?}");
        assert_eq!(set[..2], [0, 1]);
        assert!(set[2..].iter().all(|at| *at >= 64));
    });
}

#[test]
fn a_store_without_bits_is_named_with_the_mend() {
    shelf::known();
    let cache = Cache::builder()
        .url("shelf://bloom")
        .unwrap()
        .build()
        .unwrap();
    let error = found::add(&cache, 1).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    let text = error.to_string();
    assert!(
        text.contains("bloom") && text.contains("shelf") && text.contains("`local`"),
        "{text}"
    );
    let refused = found(&cache, 1).unwrap_err();
    assert_eq!(refused.reason(), Reason::Misconfigured);
    assert!(refused.to_string().contains("`local`"), "{refused}");
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    assert!(
        runtime.block_on(exists(&cache, 1)),
        "cannot refuse, so it calls"
    );
    assert!(runtime.block_on(exists_here(&cache, 1)));
}
