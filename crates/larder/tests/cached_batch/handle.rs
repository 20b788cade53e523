//! The handle of a batch: one id at a time, and several at once.

use std::sync::LazyLock;

use larder::{Cache, cached, cached_batch, invalidates};

use crate::support::{Oops, World};
use crate::table::{Names, Scene, Table, get, name, names};

#[cached_batch(key = "{org}:user:{id}", ttl = "1m", cache = table.cache)]
async fn users(table: &Table, org: &str, ids: &[u64]) -> Result<Names, Oops> {
    let _ = org;
    table.load(ids).await
}

#[test]
fn the_handle_is_asked_with_one_id_and_the_other_arguments() {
    let scene = Scene::new();
    assert_eq!(users::key(&scene.table, "a", &7).as_str(), "a:user:7");
    assert_eq!(get!(scene, |t| users::peek(&t, "a", &7)).unwrap(), None);
    assert!(get!(scene, |t| users::put(&t, "a", &7, "put".to_owned())).is_ok());
    assert_eq!(
        get!(scene, |t| users::peek(&t, "a", &7)).unwrap(),
        Some("put".to_owned())
    );
    assert_eq!(get!(scene, |t| users(&t, "a", &[7])).unwrap()[&7], "put");
    assert_eq!(
        get!(scene, |t| users::refresh(&t, "a", &7)),
        Ok(Some(name(7, 0)))
    );
    assert_eq!(
        get!(scene, |t| users(&t, "a", &[7])).unwrap()[&7],
        name(7, 0)
    );
    let explained = get!(scene, |t| users::explain(&t, "a", &7)).unwrap();
    assert_eq!(explained.key, "a:user:7");
    assert!(get!(scene, |t| users::invalidate(&t, "a", &7)).unwrap());
    assert_eq!(
        get!(scene, |t| users::uncached(&t, "a", &7)),
        Ok(Some(name(7, 0)))
    );
    assert_eq!(
        get!(scene, |t| users::peek(&t, "a", &7)).unwrap(),
        None,
        "past the cache"
    );
    assert_eq!(scene.table.asked(), [[7], [7]]);
    assert_eq!(users::stats().template, "{org}:user:{id}");
}

#[test]
fn a_refresh_of_what_the_source_does_not_have_says_so_and_forgets_it() {
    let scene = Scene::new();
    assert!(get!(scene, |t| users(&t, "a", &[7])).is_ok());
    scene.table.lack(7);
    assert_eq!(get!(scene, |t| users::refresh(&t, "a", &7)), Ok(None));
    assert_eq!(get!(scene, |t| users::peek(&t, "a", &7)).unwrap(), None);
}

#[test]
fn a_refresh_that_fails_leaves_what_is_kept() {
    let scene = Scene::new();
    assert!(get!(scene, |t| users(&t, "a", &[7])).is_ok());
    scene.table.change(|state| state.fails = true);
    assert_eq!(
        get!(scene, |t| users::refresh(&t, "a", &7)),
        Err(Oops("down"))
    );
    assert_eq!(get!(scene, |t| users(&t, "a", &[7])), Ok(names(&[7], 0)));
}

#[test]
fn many_ids_are_forgotten_at_once() {
    let scene = Scene::new();
    assert!(get!(scene, |t| users(&t, "a", &[1, 2, 3])).is_ok());
    assert_eq!(
        get!(scene, |t| users::invalidate_many(&t, "a", &[1, 2, 9])).unwrap(),
        2
    );
    assert!(get!(scene, |t| users(&t, "a", &[1, 2, 3])).is_ok());
    assert_eq!(scene.table.asked(), [vec![1, 2, 3], vec![1, 2]]);
    assert_eq!(scene.log.count("invalidated"), 1);
}

#[derive(Clone, Debug)]
struct Renamed {
    id: u64,
}

#[invalidates(users(table = table, org = "a", id = returned.id))]
async fn rename(table: &Table, id: u64) -> Result<Renamed, Oops> {
    let _ = table;
    Ok(Renamed { id })
}

#[test]
fn an_edge_names_one_id() {
    let scene = Scene::new();
    assert!(get!(scene, |t| users(&t, "a", &[1, 2])).is_ok());
    assert!(get!(scene, |t| rename(&t, 2)).is_ok());
    assert!(get!(scene, |t| users(&t, "a", &[1, 2])).is_ok());
    assert_eq!(scene.table.asked(), [vec![1, 2], vec![2]]);
}

#[cached(key = "{org}:user:{id}", ttl = "1m", cache = table.cache)]
async fn user(table: &Table, org: &str, id: u64) -> Result<String, Oops> {
    let _ = org;
    let found = table.load(&[id]).await?;
    found.into_values().next().ok_or(Oops("nobody"))
}

#[test]
fn a_function_of_one_id_with_the_same_key_has_the_same_entries() {
    let scene = Scene::new();
    assert_eq!(get!(scene, |t| user(&t, "a", 1)), Ok(name(1, 0)));
    assert_eq!(
        get!(scene, |t| users(&t, "a", &[1, 2])),
        Ok(names(&[1, 2], 0))
    );
    assert_eq!(get!(scene, |t| user(&t, "a", 2)), Ok(name(2, 0)));
    assert_eq!(scene.table.asked(), [[1], [2]]);
}

static CACHE: LazyLock<Cache> = LazyLock::new(|| World::new().cache());

#[derive(Clone, Debug)]
struct Service {
    table: Table,
}

impl Service {
    #[cached_batch(key = "member:{id}", ttl = "1m", stale = "1h", cache = self.table.cache)]
    async fn members(&self, ids: &[u64]) -> Result<Names, Oops> {
        self.table.load(ids).await
    }

    #[cached_batch(key = "guest:{id}", ttl = "1m", absent = "1m", cache = self.table.cache)]
    fn guests(&self, ids: &[u64]) -> Names {
        self.table.read(ids).unwrap_or_default()
    }

    #[cached_batch(key = "static:{id}", ttl = "1m", associated, cache = CACHE)]
    fn of_type(ids: &[u64]) -> Names {
        names(ids, 0)
    }

    #[invalidates(self.members(id = id))]
    fn leave(&self, id: u64) {}
}

#[test]
fn a_method_has_a_handle_with_one_id() {
    let scene = Scene::new();
    let got = get!(scene, |table| async move {
        let service = Service { table };
        let all = service.members(&[1, 2]).await?;
        let members = service.members_cache();
        assert_eq!(members.key(&1).as_str(), "member:1");
        assert_eq!(members.peek(&1).await.unwrap(), Some(name(1, 0)));
        assert_eq!(members.refresh(&1).await, Ok(Some(name(1, 0))));
        assert_eq!(members.uncached(&1).await, Ok(Some(name(1, 0))));
        assert!(members.invalidate(&1).await.unwrap());
        assert!(members.put(&1, "put".into()).await.is_ok());
        assert_eq!(service.members(&[1]).await?[&1], "put");
        assert_eq!(members.invalidate_many([(&2,), (&9,)]).await.unwrap(), 1);
        service.leave(1);
        assert_eq!(members.peek(&1).await.unwrap(), None);
        Ok::<_, Oops>(all)
    });
    assert_eq!(got, Ok(names(&[1, 2], 0)));
}

#[test]
fn a_sync_method_keeps_absence_when_asked_for() {
    let scene = Scene::new();
    scene.table.lack(2);
    let service = Service {
        table: scene.table.clone(),
    };
    assert_eq!(service.guests(&[1, 2]), names(&[1], 0));
    assert_eq!(service.guests_cache().peek(&2).unwrap(), Some(None));
    assert_eq!(service.guests_cache().refresh(&2), None);
    assert_eq!(service.guests(&[1, 2]), names(&[1], 0));
    assert_eq!(scene.table.asked(), [vec![1, 2], vec![2]]);
    assert_eq!(Service::of_type(&[1]), names(&[1], 0));
    assert_eq!(Service::of_type_cache().stats().loads, 1);
}
