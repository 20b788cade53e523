//! How long and under which tags each id is kept.

use std::collections::HashMap;

use larder::{cached_batch, scope};

use crate::support::{Oops, secs};
use crate::table::{Names, Scene, Table, get, name, names, start};

#[cached_batch(key = "absent:{id}", ttl = "1m", absent = "10s", cache = table.cache)]
async fn with_absence(table: &Table, ids: &[u64]) -> Result<Names, Oops> {
    table.load(ids).await
}

#[test]
fn that_an_id_is_absent_is_kept_for_its_own_time_when_asked_for() {
    let scene = Scene::new();
    scene.table.lack(2);
    assert_eq!(
        get!(scene, |t| with_absence(&t, &[1, 2])),
        Ok(names(&[1], 0))
    );
    assert_eq!(
        get!(scene, |t| with_absence(&t, &[1, 2])),
        Ok(names(&[1], 0))
    );
    assert_eq!(scene.table.calls(), 1);
    let peeked = get!(scene, |t| with_absence::peek(&t, &2)).unwrap();
    assert_eq!(peeked, Some(None), "known to be absent");
    scene.table.change(|state| state.lacks.clear());
    scene.world.advance(secs(10));
    assert_eq!(
        get!(scene, |t| with_absence(&t, &[1, 2])),
        Ok(names(&[1, 2], 0))
    );
    assert_eq!(scene.table.asked(), [vec![1, 2], vec![2]]);
}

#[cached_batch(
    key = "tagged:{id}",
    ttl = "1m",
    tags = ["all", "id:{id}", |name| name.to_lowercase()],
    cache = table.cache,
)]
async fn tagged(table: &Table, ids: &[u64]) -> Result<Names, Oops> {
    table.load(ids).await
}

#[test]
fn tags_of_one_id_forget_that_id_alone() {
    let scene = Scene::new();
    let cache = scene.table.cache.blocking();
    assert!(get!(scene, |t| tagged(&t, &[1, 2, 3])).is_ok());
    cache.delete_tags(["id:2"]).unwrap();
    assert!(get!(scene, |t| tagged(&t, &[1, 2, 3])).is_ok());
    cache.delete_tags(["name 3.0"]).unwrap();
    assert!(get!(scene, |t| tagged(&t, &[1, 2, 3])).is_ok());
    cache.delete_tags(["all"]).unwrap();
    assert!(get!(scene, |t| tagged(&t, &[1, 2, 3])).is_ok());
    let asked = scene.table.asked();
    assert_eq!(asked, [vec![1, 2, 3], vec![2], vec![3], vec![1, 2, 3]]);
}

#[cached_batch(
    key = "decided:{id}",
    ttl = if *id == 1 { secs(10) } else { secs(60) },
    when = |name: &String| !name.ends_with("3.0"),
    cache = table.cache,
)]
async fn decided(table: &Table, ids: &[u64]) -> Result<Names, Oops> {
    table.load(ids).await
}

#[test]
fn each_id_has_the_ttl_and_the_condition_that_its_knobs_give() {
    let scene = Scene::new();
    assert!(get!(scene, |t| decided(&t, &[1, 2, 3])).is_ok());
    assert!(get!(scene, |t| decided(&t, &[1, 2, 3])).is_ok());
    scene.world.advance(secs(10));
    assert!(get!(scene, |t| decided(&t, &[1, 2])).is_ok());
    assert_eq!(scene.table.asked(), [vec![1, 2, 3], vec![3], vec![1]]);
}

#[cached_batch(key = "by_value:{id}", ttl_with = |seconds| secs(*seconds), cache = table.cache)]
async fn seconds(table: &Table, ids: &[u64]) -> HashMap<u64, u64> {
    let names = table.load(ids).await.unwrap_or_default();
    names.into_keys().map(|id| (id, id * 10)).collect()
}

#[test]
fn a_value_says_for_how_long_it_is_kept() {
    let scene = Scene::new();
    assert_eq!(get!(scene, |t| seconds(&t, &[1, 2]))[&2], 20);
    scene.world.advance(secs(10));
    get!(scene, |t| seconds(&t, &[1, 2]));
    assert_eq!(scene.table.asked(), [vec![1, 2], vec![1]]);
}

#[cached_batch(key = "safe:{id}", ttl = "1m", fail_safe = "1h", cache = table.cache)]
async fn safe(table: &Table, ids: &[u64]) -> Result<Names, Oops> {
    table.load(ids).await
}

#[test]
fn a_kept_value_stands_in_for_its_id_when_the_source_fails() {
    let scene = Scene::new();
    assert!(get!(scene, |t| safe(&t, &[1, 2])).is_ok());
    scene.world.advance(secs(60));
    scene.table.change(|state| state.fails = true);
    assert_eq!(get!(scene, |t| safe(&t, &[1, 2])), Ok(names(&[1, 2], 0)));
    assert_eq!(scene.log.count("saved"), 2);
    assert_eq!(
        get!(scene, |t| safe(&t, &[2, 3])),
        Err(Oops("down")),
        "of 3 nothing is kept"
    );
}

#[test]
fn what_the_source_no_longer_has_does_not_stand_in_later() {
    let scene = Scene::new();
    assert!(get!(scene, |t| safe(&t, &[1, 2])).is_ok());
    scene.world.advance(secs(60));
    scene.table.lack(2);
    assert_eq!(get!(scene, |t| safe(&t, &[1, 2])), Ok(names(&[1], 0)));
    scene.table.change(|state| state.fails = true);
    assert_eq!(get!(scene, |t| safe(&t, &[2])), Err(Oops("down")));
}

#[cached_batch(key = "stale:{id}", ttl = "1m", stale = "1h", cache = table.cache)]
async fn stale(table: &Table, ids: &[u64]) -> Result<Names, Oops> {
    table.load(ids).await
}

#[test]
fn stale_ids_are_served_at_once_and_reloaded_together_behind() {
    let scene = Scene::new();
    assert!(get!(scene, |t| stale(&t, &[1, 2, 3])).is_ok());
    scene.world.advance(secs(60));
    scene.table.change(|state| state.edition = 1);
    let gate = scene.table.hold();
    assert_eq!(get!(scene, |t| stale(&t, &[1, 2])), Ok(names(&[1, 2], 0)));
    assert_eq!(get!(scene, |t| stale(&t, &[2, 1])), Ok(names(&[1, 2], 0)));
    assert_eq!(scene.world.loads(), 1, "one load for both ids");
    gate.open();
    scene.world.settle();
    assert_eq!(get!(scene, |t| stale(&t, &[1, 2])), Ok(names(&[1, 2], 1)));
    assert_eq!(scene.table.asked(), [vec![1, 2, 3], vec![1, 2]]);
}

#[test]
fn a_stale_id_and_a_missing_one_are_two_calls_and_only_one_is_waited_for() {
    let scene = Scene::new();
    assert!(get!(scene, |t| stale(&t, &[1])).is_ok());
    scene.world.advance(secs(60));
    scene.table.change(|state| state.edition = 1);
    let got = get!(scene, |t| stale(&t, &[1, 2])).unwrap();
    assert_eq!((&got[&1], &got[&2]), (&name(1, 0), &name(2, 1)));
    let mut asked = scene.table.asked();
    asked.sort();
    assert_eq!(asked, [vec![1], vec![1], vec![2]]);
}

#[test]
fn a_reload_behind_that_finds_an_id_gone_forgets_it() {
    let scene = Scene::new();
    assert!(get!(scene, |t| stale(&t, &[1, 2])).is_ok());
    scene.world.advance(secs(60));
    scene.table.lack(2);
    assert_eq!(get!(scene, |t| stale(&t, &[1, 2])), Ok(names(&[1, 2], 0)));
    scene.world.settle();
    assert_eq!(get!(scene, |t| stale::peek(&t, &2)).unwrap(), None);
    assert_eq!(get!(scene, |t| stale(&t, &[1, 2])), Ok(names(&[1], 0)));
}

#[test]
fn a_reload_behind_that_fails_is_told_and_leaves_the_source_alone_for_a_while() {
    let scene = Scene::new();
    assert!(get!(scene, |t| stale(&t, &[1, 2])).is_ok());
    scene.world.advance(secs(60));
    scene.table.change(|state| state.fails = true);
    for _ in 0..5 {
        assert!(get!(scene, |t| stale(&t, &[1, 2])).is_ok());
    }
    assert_eq!(scene.table.calls(), 2);
    assert_eq!(scene.log.count("refresh failed"), 2);
}

#[test]
fn a_reload_behind_that_takes_too_long_is_given_up() {
    let scene = Scene::new();
    assert!(get!(scene, |t| stale(&t, &[1])).is_ok());
    scene.world.advance(secs(60));
    let _gate = scene.table.hold();
    assert!(get!(scene, |t| stale(&t, &[1])).is_ok());
    scene.world.advance(secs(600));
    assert_eq!(scene.log.count("refresh failed stale:1"), 1);
    assert!(
        !scene
            .table
            .cache
            .blocking()
            .explain("stale:1")
            .unwrap()
            .loading
    );
}

#[cached_batch(key = "sync_stale:{id}", ttl = "1m", early = "30s", cache = table.cache)]
fn sync_early(table: &Table, ids: &[u64]) -> Result<Names, Oops> {
    table.read(ids)
}

#[test]
fn a_sync_function_reloads_behind_on_another_thread() {
    let scene = Scene::new();
    let table = &scene.table;
    assert!(sync_early(table, &[1, 2]).is_ok());
    scene.world.advance(secs(30));
    table.change(|state| state.edition = 1);
    assert_eq!(sync_early(table, &[1, 2]), Ok(names(&[1, 2], 0)));
    scene.world.settle();
    assert_eq!(sync_early(table, &[1, 2]), Ok(names(&[1, 2], 1)));
    assert_eq!(table.calls(), 2);
}

#[cached_batch(key = "errors:{id}", ttl = "1m", errors(ttl = "10s", when = |e: &Oops| e.0 == "down"), cache = table.cache)]
async fn with_errors(table: &Table, ids: &[u64]) -> Result<Names, Oops> {
    table.load(ids).await
}

#[test]
fn an_error_is_kept_for_the_ids_of_its_call_when_asked_for() {
    let scene = Scene::new();
    scene.table.change(|state| state.fails = true);
    assert_eq!(get!(scene, |t| with_errors(&t, &[1, 2])), Err(Oops("down")));
    scene.table.change(|state| state.fails = false);
    assert_eq!(get!(scene, |t| with_errors(&t, &[2, 3])), Err(Oops("down")));
    assert_eq!(get!(scene, |t| with_errors(&t, &[3])), Ok(names(&[3], 0)));
    scene.world.advance(secs(10));
    assert_eq!(
        get!(scene, |t| with_errors(&t, &[2, 3])),
        Ok(names(&[2, 3], 0))
    );
}

#[test]
fn a_scope_that_invalidates_further_asks_for_all_ids_anew() {
    let scene = Scene::new();
    assert!(get!(scene, |t| stale(&t, &[1, 2])).is_ok());
    scene.table.change(|state| state.edition = 1);
    let table = scene.table.clone();
    let call = scope()
        .invalidate_further()
        .wrap(async move { stale(&table, &[1, 2]).await });
    assert_eq!(scene.world.run(call), Ok(names(&[1, 2], 1)));
    drop(start!(scene, |t| stale(&t, &[])));
}
