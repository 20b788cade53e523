//! A store that answers nonsense: misses and events, never a panic, never a wrong value.

use std::future::IntoFuture;
use std::sync::Arc;

use larder::store::{
    Bits, Condition, Counters, Fill, Found, Invalidations, LeaseLevel, Life, Locks, Page, Read,
    Removal, Scan, Store, StoreFuture, TagVersions, Touch, Windows, Write,
};
use larder::testing::MemoryStore;
use larder::{Cache, cache_put, cached};

use crate::nodes::{Calls, Oops, World};

/// What is wrong with the answers.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Twist {
    NoAnswers,
    MoreAnswers,
    NoVersions,
    VersionsOfNothing,
    NoLeases,
}

const TWISTS: [Twist; 5] = [
    Twist::NoAnswers,
    Twist::MoreAnswers,
    Twist::NoVersions,
    Twist::VersionsOfNothing,
    Twist::NoLeases,
];

#[derive(Debug)]
struct Twisted {
    inner: MemoryStore,
    twist: Twist,
}

impl Twisted {
    fn several<T: Clone>(&self, mut answers: Vec<T>) -> Vec<T> {
        match self.twist {
            Twist::NoAnswers => answers.clear(),
            Twist::MoreAnswers => answers.extend_from_within(..),
            _ => {}
        }
        answers
    }

    fn versions(&self, versions: Vec<u64>) -> Vec<u64> {
        match self.twist {
            Twist::NoVersions => Vec::new(),
            Twist::VersionsOfNothing => versions.iter().map(|_| 0).collect(),
            _ => self.several(versions),
        }
    }
}

#[deny(clippy::missing_trait_methods)]
impl Store for Twisted {
    fn name(&self) -> &str {
        "twisted"
    }

    fn lease_level(&self) -> LeaseLevel {
        self.inner.lease_level()
    }

    fn read<'a>(&'a self, reads: &'a [Read<'a>]) -> StoreFuture<'a, Vec<Found>> {
        Box::pin(async move {
            let mut found = self.inner.read(reads).await?;
            for found in &mut found {
                found.versions = self.versions(std::mem::take(&mut found.versions));
                if self.twist == Twist::NoLeases {
                    found.lease = None;
                }
            }
            Ok(self.several(found))
        })
    }

    fn fill<'a>(&'a self, fills: &'a [Fill<'a>]) -> StoreFuture<'a, Vec<bool>> {
        Box::pin(async move { Ok(self.several(self.inner.fill(fills).await?)) })
    }

    fn write<'a>(&'a self, writes: &'a [Write<'a>]) -> StoreFuture<'a, Vec<bool>> {
        Box::pin(async move { Ok(self.several(self.inner.write(writes).await?)) })
    }

    fn touch<'a>(&'a self, touch: &'a Touch<'a>) -> StoreFuture<'a, bool> {
        self.inner.touch(touch)
    }

    fn remaining<'a>(&'a self, keys: &'a [&'a str]) -> StoreFuture<'a, Vec<Option<Life>>> {
        Box::pin(async move { Ok(self.several(self.inner.remaining(keys).await?)) })
    }

    fn remove<'a>(&'a self, removal: &'a Removal<'a>) -> StoreFuture<'a, u64> {
        self.inner.remove(removal)
    }

    fn tag_versions<'a>(&'a self, tags: &'a [&'a str], life: Life) -> StoreFuture<'a, TagVersions> {
        Box::pin(async move {
            let found = self.inner.tag_versions(tags, life).await?;
            let versions = self.versions(found.versions);
            Ok(TagVersions { versions, ..found })
        })
    }

    fn forget_tags<'a>(&'a self, tags: &'a [&'a str]) -> StoreFuture<'a, ()> {
        self.inner.forget_tags(tags)
    }

    fn scan<'a>(&'a self, scan: &'a Scan<'a>) -> StoreFuture<'a, Page> {
        Box::pin(async move {
            let mut page = self.inner.scan(scan).await?;
            // The same page again and again.
            page.cursor = Some("here".into());
            Ok(page)
        })
    }

    fn ping(&self) -> StoreFuture<'_, ()> {
        self.inner.ping()
    }

    fn close(&self) -> StoreFuture<'_, ()> {
        self.inner.close()
    }

    fn counters(&self) -> Option<&dyn Counters> {
        None
    }

    fn locks(&self) -> Option<&dyn Locks> {
        None
    }

    fn windows(&self) -> Option<&dyn Windows> {
        None
    }

    fn bits(&self) -> Option<&dyn Bits> {
        None
    }

    fn invalidations(&self) -> Option<&dyn Invalidations> {
        None
    }
}

static CALLS: Calls = Calls::new();

#[cached(key = "nonsense:{id}", ttl = "1h", tags = ["t"])]
async fn function(id: u64) -> Result<u64, Oops> {
    let _ = id;
    CALLS.call()
}

#[cache_put(key = "nonsense:{id}", ttl = "1h", tags = ["t", |_| "late"])]
async fn put(id: u64) -> Result<u64, Oops> {
    let _ = id;
    CALLS.call()
}

#[test]
fn answers_that_do_not_fit_the_questions_are_misses() {
    for twist in TWISTS {
        for memory in [false, true] {
            let world = World::new(1);
            let store = Arc::new(Twisted {
                inner: world.store.connect(),
                twist,
            });
            let builder = world.simulation.cache_builder().store(store);
            let builder = match memory {
                true => builder.memory_ttl("1m"),
                false => builder,
            };
            let cache = builder.build().expect("a good builder");
            world.wait(larder::scope().default_cache(&cache).wrap(all(&cache)));
        }
    }
}

/// All that can be asked; functions give what their source gives, and a removal is final.
async fn all(cache: &Cache) {
    for _ in 0..2 {
        function(1).await.unwrap();
        put(1).await.unwrap();
        function::refresh(1).await.unwrap();
        drop(function::peek(1).await);
        drop(function::explain(1).await);
        drop(function::put(1, 7).await);
        drop(cache.get::<u64>("nonsense:1").await);
        drop(cache.get_many::<u64>(["nonsense:1", "x"]).await);
        drop(cache.set("x", &1_u64).ttl("1h").tags(["t"]).await);
        drop(
            cache
                .set_many([("x", 1_u64), ("y", 2)])
                .ttl("1h")
                .tags(["t"])
                .await,
        );
        let load = |keys: Vec<String>| async {
            Ok::<_, Oops>(keys.into_iter().map(|key| (key, 9_u64)).collect())
        };
        let many = cache.get_or_load_many(["x", "y", "z"], load).ttl("1h");
        assert_eq!(many.await.unwrap().len(), 3);
        drop(cache.exists("x").await);
        drop(cache.remaining_ttl("x").await);
        drop(cache.touch("x", "2h").await);
        assert!(cache.increment("n", 1).ttl("1h").await.is_err());
        assert!(cache.lock("l").await.is_err());
        assert!(cache.scan("*").await.is_err());
        cache.delete_tags(["t"]).await.unwrap();
        assert_eq!(function::peek(1).await.unwrap_or(None), None);
        cache.clear().await.unwrap();
        assert_eq!(cache.get::<u64>("x").await.unwrap_or(None), None);
    }
}

#[test]
fn bytes_that_are_no_entry_are_misses_and_told() {
    let world = World::new(1);
    let (a, told) = world.told(|builder| builder);
    let foreign: [&[u8]; 6] = [
        b"",
        b"\xC1",
        b"\xC1\x01\x02",
        b"nothing",
        b"\xFF\x00",
        b"{}",
    ];
    for bytes in foreign {
        world.wait(async {
            let write = Write {
                key: "larder:nonsense:2",
                bytes,
                life: None,
                condition: Condition::Always,
            };
            world.store.write(&[write]).await.unwrap();
            assert_eq!(
                a.cache.get::<String>("nonsense:2").await.unwrap(),
                None,
                "{bytes:?}"
            );
            assert!(told.count("Unreadable") > 0, "{bytes:?}");
            let loaded = a.run(function(2)).await.unwrap();
            assert_eq!(
                a.run(function(2)).await.unwrap(),
                loaded,
                "{bytes:?} gave way"
            );
        });
    }
}

#[test]
fn an_entry_of_another_type_gives_way_to_what_is_loaded() {
    let world = World::new(1);
    let (a, told) = world.told(|builder| builder);
    world.wait(async {
        a.cache.set("nonsense:3", "text").ttl("1h").await.unwrap();
        let loaded = a.run(function(3)).await.unwrap();
        assert!(told.count("Unreadable") > 0);
        assert_eq!(a.run(function(3)).await.unwrap(), loaded);
        let get = a.cache.get::<u64>("nonsense:3").into_future();
        assert_eq!(get.await.unwrap(), Some(loaded));
    });
}
