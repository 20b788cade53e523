//! Who asks the source for which ids.

use std::collections::{BTreeMap, HashMap};

use larder::cached_batch;

use crate::support::{Oops, World};
use crate::table::{Names, Scene, Table, get, names, start};

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
