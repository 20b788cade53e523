//! A filter that is lost while it is filled.

use std::sync::Arc;
use std::time::Duration;

use larder::guard::Bloom;
use larder::testing::{Faults, MemoryStore, Simulation};
use larder::{Cache, ErrorKind};

fn on(simulation: &Simulation, store: &MemoryStore) -> Cache {
    let store = Arc::new(store.connect());
    let builder = Cache::builder().runtime(simulation.runtime());
    builder.store(store).build().unwrap()
}

async fn is_lost(filter: &Bloom, cache: &Cache) {
    let error = filter.ready(cache).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Store);
    assert!(error.to_string().contains("again"), "{error}");
    assert!(filter.may_contain(cache, "nobody").await.unwrap());
}

#[test]
fn a_filter_whose_time_runs_out_while_it_is_filled_is_not_said_to_be_ready() {
    for place in [Bloom::local as fn(Bloom) -> Bloom, |filter| filter] {
        let simulation = Simulation::new(1);
        let store = MemoryStore::new(simulation.runtime());
        let cache = on(&simulation, &store);
        let world = simulation.clone();
        simulation.block_on(async move {
            let filter = place(Bloom::new("f", 100, "1%").ttl("1m"));
            filter.add_many(&cache, ["ada", "grace"]).await.unwrap();
            world.sleep(Duration::from_secs(61)).await;
            filter.add_many(&cache, ["alan"]).await.unwrap();
            is_lost(&filter, &cache).await;
            is_lost(&filter, &cache).await;
            assert!(filter.may_contain(&cache, "ada").await.unwrap());
            // Everything again.
            let all = ["ada", "grace", "alan"];
            filter.add_many(&cache, all).await.unwrap();
            filter.ready(&cache).await.unwrap();
            for key in all {
                assert!(filter.may_contain(&cache, key).await.unwrap());
            }
            assert!(!filter.may_contain(&cache, "nobody").await.unwrap());
        });
    }
}

#[test]
fn a_filter_that_another_process_resets_while_it_is_filled_is_not_said_to_be_ready() {
    let simulation = Simulation::new(1);
    let store = MemoryStore::new(simulation.runtime());
    let (one, two) = (on(&simulation, &store), on(&simulation, &store));
    simulation.block_on(async move {
        let filter = Bloom::new("f", 100, "1%");
        assert!(filter.add(&one, "ada").await.unwrap());
        assert!(filter.reset(&two).await.unwrap());
        assert!(filter.add(&two, "alan").await.unwrap(), "marks it too");
        assert!(filter.add(&one, "grace").await.unwrap());
        is_lost(&filter, &one).await;
        assert!(filter.add(&one, "ada").await.unwrap());
        assert!(!filter.add(&one, "grace").await.unwrap(), "it is there");
        filter.ready(&one).await.unwrap();
        filter.ready(&two).await.unwrap();
        assert!(!filter.may_contain(&two, "nobody").await.unwrap());
    });
}

/// A connection whose answers take their time.
fn slowly_on(simulation: &Simulation, store: &MemoryStore) -> Cache {
    let link = store.connect();
    link.suffer(Faults::none().delay(Duration::from_millis(4)));
    let builder = Cache::builder().runtime(simulation.runtime());
    builder.store(Arc::new(link)).build().unwrap()
}

#[test]
fn a_filter_that_is_lost_while_it_is_said_to_be_ready_is_not_ready_wherever_that_is_cut_off() {
    for lost_at in 0..24 {
        for cut_at in lost_at..32 {
            let simulation = Simulation::new(32 * lost_at + cut_at);
            let store = MemoryStore::new(simulation.runtime());
            let (one, two) = (slowly_on(&simulation, &store), on(&simulation, &store));
            let world = simulation.clone();
            simulation.block_on(async move {
                let filter = Bloom::new("f", 100, "1%");
                filter.add(&one, "ada").await.unwrap();
                let ready = {
                    let filter = filter.clone();
                    world.spawn(async move { filter.ready(&one).await })
                };
                world.sleep(Duration::from_millis(lost_at)).await;
                assert!(filter.reset(&two).await.unwrap());
                world.sleep(Duration::from_millis(cut_at - lost_at)).await;
                ready.cancel();
                let may_contain = filter.may_contain(&two, "ada").await.unwrap();
                assert!(may_contain, "lost at {lost_at} ms, cut off at {cut_at} ms");
            });
        }
    }
}

#[test]
fn two_who_say_that_a_lost_filter_is_ready_do_not_make_it_so_together() {
    for seed in 0..2_000 {
        let simulation = Simulation::new(seed);
        let store = MemoryStore::new(simulation.runtime());
        let sides = [(); 2].map(|()| slowly_on(&simulation, &store));
        let other = on(&simulation, &store);
        let world = simulation.clone();
        simulation.block_on(async move {
            let filter = Bloom::new("f", 100, "1%");
            let mut saying = Vec::new();
            for (cache, key) in sides.into_iter().zip(["ada", "alan"]) {
                filter.add(&cache, key).await.unwrap();
                let (filter, world) = (filter.clone(), world.clone());
                saying.push((cache, filter, world));
            }
            let saying = saying.into_iter().map(|(cache, filter, own)| {
                world.spawn(async move {
                    own.sleep(Duration::from_millis(own.random() % 12)).await;
                    drop(filter.ready(&cache).await);
                })
            });
            let saying: Vec<_> = saying.collect();
            let lost_at = world.random() % 24;
            world.sleep(Duration::from_millis(lost_at)).await;
            assert!(filter.reset(&other).await.unwrap());
            for said in saying {
                said.await.unwrap();
            }
            assert!(
                filter.may_contain(&other, "ada").await.unwrap(),
                "of {seed}"
            );
        });
    }
}

#[test]
fn whoever_has_added_nothing_marks_what_is_there_as_ready() {
    let simulation = Simulation::new(1);
    let store = MemoryStore::new(simulation.runtime());
    let (one, two) = (on(&simulation, &store), on(&simulation, &store));
    simulation.block_on(async move {
        let filter = Bloom::new("f", 100, "1%");
        filter.add(&one, "ada").await.unwrap();
        filter.ready(&two).await.unwrap();
        assert!(!filter.may_contain(&one, "nobody").await.unwrap());
        // Of a fill that was given up nothing is expected.
        assert!(filter.reset(&one).await.unwrap());
        filter.add(&one, "ada").await.unwrap();
        filter.ready(&one).await.unwrap();
        store.crash();
        filter.ready(&one).await.unwrap();
    });
}

#[test]
fn a_first_key_that_did_not_arrive_costs_only_itself() {
    let simulation = Simulation::new(1);
    let store = MemoryStore::new(simulation.runtime());
    let link = store.connect();
    let builder = Cache::builder().runtime(simulation.runtime());
    let cache = builder.store(Arc::new(link.clone())).build().unwrap();
    simulation.block_on(async move {
        let filter = Bloom::new("f", 100, "1%");
        link.refuse();
        filter.add(&cache, "ada").await.unwrap_err();
        filter.add_many(&cache, ["ada"]).await.unwrap_err();
        link.heal();
        filter.add(&cache, "ada").await.unwrap();
        filter.ready(&cache).await.unwrap();
        assert!(filter.may_contain(&cache, "ada").await.unwrap());
    });
}
