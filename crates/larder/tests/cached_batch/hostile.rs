//! Cancellation, panics, and what is invalidated while a batch is loaded.

use larder::cached_batch;

use crate::support::{Oops, secs};
use crate::table::{Names, Scene, Table, get, names, start};

#[cached_batch(key = "user:{id}", ttl = "1m", stale = "1h", chunk = 2, cache = table.cache)]
async fn users(table: &Table, ids: &[u64]) -> Result<Names, Oops> {
    table.load(ids).await
}

#[test]
fn of_a_batch_only_what_was_not_invalidated_meanwhile_is_kept() {
    let scene = Scene::new();
    let gate = scene.table.hold();
    let call = start!(scene, |t| users(&t, &[1, 2]));
    assert!(get!(scene, |t| users::invalidate(&t, &1)).is_ok());
    gate.open();
    scene.world.settle();
    assert_eq!(
        call.value(),
        Ok(names(&[1, 2], 0)),
        "the caller has its values"
    );
    assert_eq!(scene.table.cache.blocking().scan("*").unwrap(), ["user:2"]);
    assert_eq!(scene.log.count("superseded user:1"), 1);
}

#[test]
fn an_id_of_a_later_chunk_that_is_invalidated_before_it_is_asked_for_is_not_kept_either() {
    let scene = Scene::new();
    let gate = scene.table.hold();
    let call = start!(scene, |t| users(&t, &[1, 2, 3]));
    assert!(get!(scene, |t| users::invalidate(&t, &3)).is_ok());
    gate.open();
    scene.world.settle();
    assert!(call.value().is_ok());
    let mut kept = scene.table.cache.blocking().scan("*").unwrap();
    kept.sort();
    assert_eq!(kept, ["user:1", "user:2"]);
}

#[test]
fn a_batch_that_is_dropped_hands_its_ids_over() {
    let scene = Scene::new();
    let _gate = scene.table.hold();
    let leader = start!(scene, |t| users(&t, &[1, 2, 3]));
    let follower = start!(scene, |t| users(&t, &[3, 2, 1]));
    scene.table.flow();
    leader.cancel();
    scene.world.settle();
    assert_eq!(follower.value(), Ok(names(&[1, 2, 3], 0)));
    assert_eq!(scene.log.count("waited too long"), 0);
}

#[test]
fn a_panic_of_the_source_reaches_its_caller_and_poisons_nothing() {
    let scene = Scene::new();
    scene.table.change(|state| state.panics = true);
    let call = start!(scene, |t| users(&t, &[1, 2]));
    assert_eq!(call.panic(), "the table is broken");
    scene.table.change(|state| state.panics = false);
    assert_eq!(get!(scene, |t| users(&t, &[1, 2])), Ok(names(&[1, 2], 0)));
}

#[test]
fn a_reload_behind_that_panics_or_is_dropped_is_told() {
    let scene = Scene::new();
    assert!(get!(scene, |t| users(&t, &[1])).is_ok());
    scene.world.advance(secs(60));
    scene.table.change(|state| state.panics = true);
    assert_eq!(get!(scene, |t| users(&t, &[1])), Ok(names(&[1], 0)));
    scene.world.settle();
    assert_eq!(scene.log.count("refresh failed user:1"), 1);
    scene.table.change(|state| state.panics = false);
    let _gate = scene.table.hold();
    scene.world.advance(secs(60));
    assert_eq!(get!(scene, |t| users(&t, &[1])), Ok(names(&[1], 0)));
    scene.world.drop_loads();
    assert_eq!(scene.log.count("refresh failed user:1"), 2);
}

#[test]
fn a_put_while_a_batch_is_loaded_is_the_truth() {
    let scene = Scene::new();
    let gate = scene.table.hold();
    let call = start!(scene, |t| users(&t, &[1, 2]));
    assert!(get!(scene, |t| users::put(&t, &1, "put".to_owned())).is_ok());
    gate.open();
    scene.world.settle();
    assert!(call.value().is_ok());
    assert_eq!(get!(scene, |t| users(&t, &[1])).unwrap()[&1], "put");
}

#[cached_batch(key = "nested:{id}", ttl = "1m", cache = table.cache)]
async fn nested(table: &Table, ids: &[u64]) -> Result<Names, Oops> {
    if ids.len() > 1 {
        Box::pin(nested(table, &ids[..1])).await?;
    }
    table.load(ids).await
}

#[test]
fn a_batch_that_asks_for_its_own_ids_is_noticed() {
    let scene = Scene::new();
    assert_eq!(get!(scene, |t| nested(&t, &[1, 2])), Ok(names(&[1, 2], 0)));
    assert_eq!(scene.log.count("recursion nested:1"), 1);
}

#[test]
fn batches_on_many_threads_ask_for_each_id_once() {
    use std::collections::HashMap;
    use std::sync::atomic::{AtomicU64, Ordering};

    static ASKED: AtomicU64 = AtomicU64::new(0);
    #[cached_batch(key = "threads:{id}", ttl = "1m", cache = cache)]
    fn squares(cache: &larder::Cache, ids: &[u64]) -> HashMap<u64, u64> {
        ASKED.fetch_add(ids.len() as u64, Ordering::Relaxed);
        std::thread::yield_now();
        ids.iter().map(|id| (*id, id * id)).collect()
    }

    let cache = larder::Cache::builder().build().unwrap();
    std::thread::scope(|scope| {
        for first in 0..8_u64 {
            let cache = &cache;
            scope.spawn(move || {
                let ids: Vec<u64> = (first..first + 50).collect();
                let got = squares(cache, &ids);
                assert!(ids.iter().all(|id| got[id] == id * id));
            });
        }
    });
    assert_eq!(ASKED.load(Ordering::Relaxed), 57);
}
