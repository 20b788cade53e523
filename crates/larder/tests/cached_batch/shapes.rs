//! Which functions can be cached id by id.

use std::collections::{BTreeMap, HashMap};
use std::fmt::Display;
use std::sync::Arc;

use larder::{Cache, cached_batch};

use crate::support::{Oops, World};
use crate::table::{Names, Scene, Table, get, names, sorted};

#[cached_batch(key = "sync:{id}", ttl = "1m", cache = table.cache)]
fn sync(table: &Table, ids: &[u64]) -> Result<Names, Oops> {
    table.read(ids)
}

#[test]
fn a_sync_function_asks_on_its_own_thread() {
    let scene = Scene::new();
    let table = &scene.table;
    assert_eq!(sync(table, &[1, 2]), Ok(names(&[1, 2], 0)));
    assert_eq!(sync(table, &[2, 3]), Ok(names(&[2, 3], 0)));
    assert_eq!(table.asked(), [vec![1, 2], vec![3]]);
    assert_eq!(sync::peek(table, &3).unwrap(), Some("name 3.0".to_owned()));
    assert!(sync::invalidate(table, &3).unwrap());
    assert_eq!(sync::refresh(table, &2), Ok(Some("name 2.0".to_owned())));
    assert_eq!(sync::stats().stored, 4);
}

#[cached_batch(ttl = "1m", cache = table.cache, skip = [table])]
async fn by_value(table: Table, label: String, ids: Vec<u64>) -> BTreeMap<u64, String> {
    assert_eq!(label, "given away");
    sorted(&table.load(&ids).await.unwrap_or_default())
}

#[test]
fn ids_and_other_arguments_may_be_given_away_and_the_key_may_be_left_to_the_library() {
    let scene = Scene::new();
    let call = |t: Table, ids: Vec<u64>| by_value(t, "given away".into(), ids);
    assert_eq!(
        get!(scene, |t| call(t, vec![2, 1])),
        sorted(&names(&[1, 2], 0))
    );
    assert_eq!(get!(scene, |t| call(t, vec![3, 1])).len(), 2);
    assert_eq!(scene.table.asked(), [vec![2, 1], vec![3]]);
    let key = by_value::key(scene.table.clone(), "given away".into(), &1);
    assert!(key.as_str().contains("by_value("), "{key}");
}

#[derive(Debug, Default)]
struct Connection {
    used: usize,
}

#[cached_batch(key = "lent:{org}:{user}", ttl = "1m", each = user, chunk = 2, cache = table.cache)]
async fn lent(
    connection: &mut Connection,
    table: &Table,
    org: &str,
    ids: &[u64],
) -> Result<Names, Oops> {
    connection.used += 1;
    table.load(ids).await
}

#[test]
fn what_is_lent_to_be_changed_is_lent_again_for_each_chunk() {
    let scene = Scene::new();
    let used = get!(scene, |table| async move {
        let mut connection = Connection::default();
        let got = lent(&mut connection, &table, "acme", &[1, 2, 3]).await;
        assert_eq!(got, Ok(names(&[1, 2, 3], 0)));
        lent(&mut connection, &table, "acme", &[3]).await.unwrap();
        lent(&mut connection, &table, "other", &[3]).await.unwrap();
        connection.used
    });
    assert_eq!(used, 3, "two chunks, a hit, and another organisation");
}

#[cached_batch(key = "words:{word}", ttl = "1m", cache = cache)]
fn words(cache: &Cache, words: &[&str]) -> HashMap<String, usize> {
    words
        .iter()
        .map(|word| ((*word).to_owned(), word.len()))
        .collect()
}

#[test]
fn borrowed_text_may_be_answered_by_text_of_its_own() {
    let cache = World::new().cache();
    assert_eq!(words(&cache, &["one", "three"])["three"], 5);
    assert_eq!(words::peek(&cache, &"one").unwrap(), Some(3));
}

#[cached_batch(key = "generic:{id}", ttl = "1m", cache = cache)]
fn generic<T: Display + Clone + Eq + std::hash::Hash + larder::KeyPart>(
    cache: &Cache,
    ids: &[T],
) -> HashMap<T, Arc<str>> {
    ids.iter()
        .map(|id| (id.clone(), id.to_string().into()))
        .collect()
}

#[test]
fn a_generic_function_is_cached_for_each_of_its_types() {
    let cache = World::new().cache();
    assert_eq!(&*generic(&cache, &[7_u64])[&7], "7");
    assert_eq!(&*generic(&cache, &["x".to_owned()])["x"], "x");
    assert_eq!(generic::stats().loads, 2);
}

type Answer<T> = Result<HashMap<u64, Arc<T>>, Oops>;

#[cached_batch(key = "alias:{id}", ttl = "1m", result, cache = table.cache)]
async fn aliased(table: &Table, ids: &[u64]) -> Answer<String> {
    let names = table.load(ids).await?;
    Ok(names
        .into_iter()
        .map(|(id, name)| (id, Arc::new(name)))
        .collect())
}

#[cached_batch(key = "arc:{id}", ttl = "1m", cache = table.cache)]
async fn arcs(table: &Table, ids: &[u64]) -> Result<HashMap<u64, Arc<String>>, Oops> {
    aliased(table, ids).await
}

#[test]
fn a_result_by_another_name_is_said_to_be_one_and_arcs_are_kept_as_they_are() {
    let scene = Scene::new();
    let first = get!(scene, |t| arcs(&t, &[1])).unwrap();
    let second = get!(scene, |t| arcs(&t, &[1])).unwrap();
    assert!(Arc::ptr_eq(&first[&1], &second[&1]));
    assert_eq!(scene.table.calls(), 1);
}

#[cached_batch(key = "bypassed:{id}", ttl = "1m", bypass = ids.len() > 2, cache = table.cache)]
async fn bypassed(table: &Table, ids: &[u64]) -> Result<Names, Oops> {
    table.load(ids).await
}

#[test]
fn a_call_past_the_cache_is_the_function_as_it_is() {
    let scene = Scene::new();
    assert!(get!(scene, |t| bypassed(&t, &[1, 1, 1])).is_ok());
    assert!(get!(scene, |t| bypassed::uncached_many(&t, &[1, 1])).is_ok());
    scene.table.cache.switch_off(larder::Operations::ALL);
    assert!(get!(scene, |t| bypassed(&t, &[1, 1])).is_ok());
    assert_eq!(scene.table.asked(), [vec![1, 1, 1], vec![1, 1], vec![1, 1]]);
    assert!(scene.table.cache.is_empty());
}
