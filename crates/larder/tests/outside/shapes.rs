//! Batches and streams over a store.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;

use larder::{Cache, cached_batch, cached_stream, invalidates};

use crate::nodes::{Oops, World, seconds};

thread_local! {
    static ASKED: RefCell<Vec<Vec<u64>>> = const { RefCell::new(Vec::new()) };
    static EDITION: Cell<u64> = const { Cell::new(0) };
    static FAILS: Cell<bool> = const { Cell::new(false) };
    static LACKS: Cell<u64> = const { Cell::new(0) };
}

fn asked() -> Vec<Vec<u64>> {
    ASKED.take()
}

fn load(ids: &[u64]) -> Result<HashMap<u64, String>, Oops> {
    ASKED.with_borrow_mut(|asked| asked.push(ids.to_vec()));
    if FAILS.get() {
        return Err(Oops);
    }
    let there = ids.iter().filter(|id| **id != LACKS.get());
    Ok(there
        .map(|id| (*id, format!("{id}.{}", EDITION.get())))
        .collect())
}

#[cached_batch(key = "user:{id}", ttl = "10m", tags = ["users", "user:{id}"])]
async fn users(ids: &[u64]) -> Result<HashMap<u64, String>, Oops> {
    load(ids)
}

#[cached_batch(key = "absent:{id}", ttl = "10m", absent = "1m", stale = "1h")]
async fn with_absence(ids: &[u64]) -> Result<HashMap<u64, String>, Oops> {
    load(ids)
}

#[cached_batch(key = "safe:{id}", ttl = "1m", fail_safe = "1h")]
async fn safe(ids: &[u64]) -> Result<HashMap<u64, String>, Oops> {
    load(ids)
}

#[invalidates(users(id = id))]
async fn rename(id: u64) {}

#[cached_stream(key = "rows:{count}", ttl = "10m", tags = ["rows"])]
fn rows(count: u64) -> impl Iterator<Item = Result<u64, Oops>> {
    drop(load(&[count]));
    (0..count).map(|at| {
        if FAILS.get() {
            Err(Oops)
        } else {
            Ok(at + 100 * EDITION.get())
        }
    })
}

fn found(ids: &[u64], edition: u64) -> HashMap<u64, String> {
    ids.iter()
        .map(|id| (*id, format!("{id}.{edition}")))
        .collect()
}

#[test]
fn a_batch_is_two_round_trips_to_load_and_one_to_read() {
    let world = World::new(1);
    let (a, b) = (world.node(), world.node());
    assert_eq!(
        world.wait(a.run(users(&[1, 2, 3]))),
        Ok(found(&[1, 2, 3], 0))
    );
    assert_eq!(a.trips(), 2, "one read for all, one fill for all");
    assert_eq!(world.wait(b.run(users(&[3, 1]))), Ok(found(&[1, 3], 0)));
    assert_eq!((b.trips(), asked().len()), (1, 1));
    assert_eq!(world.wait(b.run(users(&[3, 4]))), Ok(found(&[3, 4], 0)));
    assert_eq!((b.trips(), asked()), (2, vec![vec![4]]));
}

#[test]
fn what_one_process_forgets_all_ask_for_again_and_only_that() {
    let world = World::new(1);
    let (a, b) = (world.node(), world.node());
    assert!(world.wait(a.run(users(&[1, 2, 3]))).is_ok());
    world.wait(b.run(rename(2)));
    assert!(world.wait(a.run(users(&[1, 2, 3]))).is_ok());
    assert!(world.wait(b.cache.delete_tags(["user:3"])).is_ok());
    assert!(world.wait(a.run(users(&[1, 2, 3]))).is_ok());
    a.trips();
    assert_eq!(
        world.wait(b.run(users::invalidate_many(&[1, 2]))).unwrap(),
        2
    );
    assert!(world.wait(a.run(users(&[1, 2, 3]))).is_ok());
    assert_eq!(asked(), [vec![1, 2, 3], vec![2], vec![3], vec![1, 2]]);
}

#[test]
fn what_another_process_forgets_while_a_batch_is_loaded_is_not_kept() {
    let world = World::new(1);
    let (a, b) = (world.node(), world.node());
    #[cached_batch(key = "user:{id}", ttl = "10m")]
    async fn overtaken(other: &Cache, ids: &[u64]) -> Result<HashMap<u64, String>, Oops> {
        other.delete("user:1").await.unwrap();
        load(ids)
    }
    let got = world.wait(a.run(overtaken(&b.cache, &[1, 2])));
    assert_eq!(got, Ok(found(&[1, 2], 0)));
    EDITION.set(1);
    let got = world.wait(b.run(users(&[1, 2]))).unwrap();
    assert_eq!((&*got[&1], &*got[&2]), ("1.1", "2.0"));
}

#[test]
fn absence_is_known_to_all_processes() {
    let world = World::new(1);
    let (a, b) = (world.node(), world.node());
    LACKS.set(2);
    assert_eq!(world.wait(a.run(with_absence(&[1, 2]))), Ok(found(&[1], 0)));
    assert_eq!(world.wait(b.run(with_absence(&[1, 2]))), Ok(found(&[1], 0)));
    assert_eq!(asked().len(), 1);
}

#[test]
fn a_batch_that_is_stale_in_the_store_is_served_and_reloaded_behind() {
    let world = World::new(1);
    let (a, b) = (world.node(), world.node());
    assert!(world.wait(a.run(with_absence(&[1, 2]))).is_ok());
    world.advance(seconds(601));
    EDITION.set(1);
    assert_eq!(
        world.wait(b.run(with_absence(&[1, 2]))),
        Ok(found(&[1, 2], 0))
    );
    world.wait(b.cache.idle());
    assert_eq!(
        world.wait(a.run(with_absence(&[1, 2]))),
        Ok(found(&[1, 2], 1))
    );
    assert_eq!(asked(), [[1, 2], [1, 2]]);
}

#[test]
fn what_the_store_keeps_of_each_id_stands_in_for_a_failure() {
    let world = World::new(1);
    let (a, b) = (world.node(), world.node());
    assert!(world.wait(a.run(safe(&[1, 2]))).is_ok());
    world.advance(seconds(90));
    FAILS.set(true);
    assert_eq!(world.wait(b.run(safe(&[1, 2]))), Ok(found(&[1, 2], 0)));
    assert_eq!(world.wait(b.run(safe(&[2, 3]))), Err(Oops));
}

#[test]
fn what_the_source_no_longer_has_leaves_the_store() {
    let world = World::new(1);
    let (a, b) = (world.node(), world.node());
    assert!(world.wait(a.run(safe(&[1, 2]))).is_ok());
    world.advance(seconds(90));
    LACKS.set(2);
    assert_eq!(world.wait(a.run(safe(&[1, 2]))), Ok(found(&[1], 0)));
    FAILS.set(true);
    assert_eq!(world.wait(b.run(safe(&[2]))), Err(Oops));
}

#[test]
fn a_batch_goes_to_its_source_when_the_store_is_down() {
    let world = World::new(1);
    let a = world.node();
    world.store.refuse();
    assert_eq!(world.wait(a.run(users(&[1, 2]))), Ok(found(&[1, 2], 0)));
    world.store.heal();
}

#[test]
fn a_recording_is_one_entry_that_another_process_replays() {
    let world = World::new(1);
    let (a, b) = (world.node(), world.node());
    assert!(a.sync(|| rows::peek(3)).unwrap().is_none());
    let read = || rows(3).collect::<Vec<_>>();
    let first = a.sync(read);
    assert_eq!(first, [Ok(0), Ok(1), Ok(2)]);
    EDITION.set(1);
    assert_eq!(b.sync(read), first);
    assert_eq!(b.trips(), 1, "one read for all items");
    world.wait(a.cache.delete_tags(["rows"])).unwrap();
    assert_eq!(b.sync(read), [Ok(100), Ok(101), Ok(102)]);
    assert_eq!((b.trips(), asked()), (2, vec![vec![3], vec![3]]));
}

#[test]
fn what_another_process_forgets_while_a_stream_is_read_is_not_kept() {
    let world = World::new(1);
    let (a, b) = (world.node(), world.node());
    a.sync(|| {
        let mut reading = rows(2);
        assert_eq!(reading.next(), Some(Ok(0)));
        b.cache.blocking().delete("rows:2").unwrap();
        assert_eq!(reading.collect::<Vec<_>>(), [Ok(1)]);
    });
    assert_eq!(b.sync(|| rows::peek(2)).unwrap(), None);
}
