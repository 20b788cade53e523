//! Who asks the source for which ids.

use larder::cached_batch;

use crate::support::{Oops, millis, secs};
use crate::table::{Names, Scene, Table, get, name, names, start};

#[cached_batch(key = "user:{id}", ttl = "1m", cache = table.cache)]
async fn users(table: &Table, ids: &[u64]) -> Result<Names, Oops> {
    table.load(ids).await
}

#[test]
fn only_what_is_missing_is_asked_for_and_with_one_call() {
    let scene = Scene::new();
    assert_eq!(get!(scene, |t| users(&t, &[2])), Ok(names(&[2], 0)));
    scene.table.change(|state| state.edition = 1);
    let got = get!(scene, |t| users(&t, &[1, 2, 3])).unwrap();
    assert_eq!((&*got[&2], &*got[&3]), ("name 2.0", "name 3.1"));
    assert_eq!(scene.table.asked(), [vec![2], vec![1, 3]]);
    assert_eq!(get!(scene, |t| users(&t, &[3, 2, 1])), Ok(got));
    assert_eq!(scene.table.calls(), 2, "now all are there");
}

#[test]
fn no_ids_are_no_call() {
    let scene = Scene::new();
    assert_eq!(get!(scene, |t| users(&t, &[])), Ok(Names::new()));
    assert_eq!(scene.table.calls(), 0);
}

#[test]
fn an_id_that_is_given_twice_is_asked_for_once() {
    let scene = Scene::new();
    let got = get!(scene, |t| users(&t, &[1, 2, 1, 1]));
    assert_eq!(got, Ok(names(&[1, 2], 0)));
    assert_eq!(scene.table.asked(), [[1, 2]]);
}

#[test]
fn an_id_that_the_source_does_not_have_is_left_out_and_asked_for_again() {
    let scene = Scene::new();
    scene.table.lack(2);
    assert_eq!(get!(scene, |t| users(&t, &[1, 2])), Ok(names(&[1], 0)));
    scene.table.change(|state| state.lacks.clear());
    assert_eq!(get!(scene, |t| users(&t, &[1, 2])), Ok(names(&[1, 2], 0)));
    assert_eq!(scene.table.asked(), [vec![1, 2], vec![2]]);
}

#[test]
fn overlapping_batches_ask_for_each_id_once() {
    let scene = Scene::new();
    let gate = scene.table.hold();
    let first = start!(scene, |t| users(&t, &[1, 2, 3]));
    let second = start!(scene, |t| users(&t, &[2, 3, 4]));
    gate.open();
    scene.world.settle();
    assert_eq!(first.value(), Ok(names(&[1, 2, 3], 0)));
    assert_eq!(second.value(), Ok(names(&[2, 3, 4], 0)));
    assert_eq!(scene.table.asked(), [vec![1, 2, 3], vec![4]]);
    assert_eq!(scene.table.cache.stats().coalesced, 2);
}

#[test]
fn batches_that_overlap_in_a_circle_all_come_to_an_end() {
    let scene = Scene::new();
    let gate = scene.table.hold();
    let calls = [
        start!(scene, |t| users(&t, &[1, 2])),
        start!(scene, |t| users(&t, &[2, 3])),
        start!(scene, |t| users(&t, &[3, 1])),
    ];
    gate.open();
    scene.world.settle();
    assert!(calls.iter().all(|call| call.value().is_ok()));
    let mut asked: Vec<u64> = scene.table.asked().concat();
    asked.sort_unstable();
    assert_eq!(asked, [1, 2, 3], "each id once, whoever asked for it");
}

#[test]
fn who_waits_for_an_id_that_the_source_does_not_have_does_not_ask_too() {
    let scene = Scene::new();
    scene.table.lack(1);
    let gate = scene.table.hold();
    let first = start!(scene, |t| users(&t, &[1]));
    let others: Vec<_> = (0..20)
        .map(|_| start!(scene, |t| users(&t, &[1])))
        .collect();
    gate.open();
    scene.world.settle();
    assert_eq!(first.value(), Ok(Names::new()));
    assert!(others.iter().all(|other| other.value() == Ok(Names::new())));
    assert_eq!(scene.table.calls(), 1);
}

#[test]
fn who_waits_for_a_batch_that_fails_gets_its_error_without_another_call() {
    let scene = Scene::new();
    scene.table.change(|state| state.fails = true);
    let gate = scene.table.hold();
    let first = start!(scene, |t| users(&t, &[1, 2]));
    let second = start!(scene, |t| users(&t, &[2]));
    gate.open();
    scene.world.settle();
    assert_eq!(first.value(), Err(Oops("down")));
    assert_eq!(second.value(), Err(Oops("down")));
    assert_eq!(scene.table.calls(), 1);
    assert!(scene.table.cache.is_empty());
}

#[cached_batch(key = "user:{id}", ttl = "1m", wait = "2s", cache = table.cache)]
async fn impatient(table: &Table, ids: &[u64]) -> Result<Names, Oops> {
    table.load(ids).await
}

#[test]
fn a_batch_waits_for_another_no_longer_than_its_policy_says() {
    let scene = Scene::new();
    let _gate = scene.table.hold();
    let _leader = start!(scene, |t| users(&t, &[1]));
    scene.table.flow();
    scene.table.change(|state| state.edition = 1);
    let follower = start!(scene, |t| impatient(&t, &[1, 2]));
    scene.world.advance(secs(2) - millis(1));
    assert!(!follower.is_done());
    scene.world.advance(millis(1));
    assert_eq!(follower.value(), Ok(names(&[1, 2], 1)));
}

#[cached_batch(key = "chunked:{id}", ttl = "1m", chunk = 3, cache = table.cache)]
async fn chunked(table: &Table, ids: &[u64]) -> Result<Names, Oops> {
    table.load(ids).await
}

#[test]
fn a_chunk_bounds_how_many_ids_one_call_asks_for() {
    let scene = Scene::new();
    let got = get!(scene, |t| chunked(&t, &[1, 2, 3, 4, 5, 6, 7]));
    assert_eq!(got, Ok(names(&[1, 2, 3, 4, 5, 6, 7], 0)));
    let asked = scene.table.asked();
    assert_eq!(asked, [vec![1, 2, 3], vec![4, 5, 6], vec![7]]);
}

#[test]
fn what_earlier_chunks_brought_is_kept_when_a_later_one_fails() {
    let scene = Scene::new();
    let gate = scene.table.hold();
    let call = start!(scene, |t| chunked(&t, &[1, 2, 3, 4, 5]));
    scene.table.change(|state| state.fails = true);
    gate.open();
    scene.world.settle();
    assert_eq!(call.value(), Err(Oops("down")));
    scene.table.change(|state| state.fails = false);
    assert!(get!(scene, |t| chunked(&t, &[1, 2, 3])).is_ok());
    assert_eq!(scene.table.asked(), [vec![1, 2, 3], vec![4, 5]]);
}

#[cached_batch(key = "folded:{id:self::even}", ttl = "1m", each = id, ids = numbers, cache = table.cache)]
async fn folded(table: &Table, numbers: &[u64]) -> Result<Names, Oops> {
    table.load(numbers).await
}

fn even(number: &u64) -> u64 {
    number & !1
}

#[test]
fn ids_with_one_key_have_one_entry_and_each_is_answered() {
    let scene = Scene::new();
    let got = get!(scene, |t| folded(&t, &[4, 5])).unwrap();
    assert_eq!((&got[&4], &got[&5]), (&name(4, 0), &name(4, 0)));
    assert_eq!(scene.table.asked(), [[4]]);
}

#[test]
fn a_key_of_one_call_means_nothing_to_a_batch() {
    let scene = Scene::new();
    let cache = scene.table.cache.clone();
    let other = "another".to_owned();
    let set = cache.blocking().set("preview", &other).ttl("1h");
    set.wait().unwrap();
    for _ in 0..2 {
        let key = larder::scope().key("preview");
        let got = get!(scene, |t| key.wrap(users(&t, &[1, 2])));
        assert_eq!(got, Ok(names(&[1, 2], 0)));
    }
    assert_eq!(scene.table.asked(), [[1, 2]]);
}
