//! Transactions on Redis and on SQLite: what they apply there, and two processes that keep each other away.

#![cfg(all(feature = "redis", feature = "sqlite"))]

use std::process::{Child, Command};
use std::sync::Arc;

use larder::runtime::{Runtime, SystemRuntime};
use larder::store::{Address, Opening, open};
use larder::transaction::Mode;
use larder::{Cache, ErrorKind, deferred};

use crate::redis_server;
use crate::servers::Server;
use crate::{Done, Outsider, given_up};

const ROLE: &str = "LARDER_TEST_MODE";
const URL: &str = "LARDER_TEST_STORE";

/// How often each process adds one.
const TIMES: u64 = 60;

/// A store that goes with its test.
enum Place {
    Redis(Server),
    Sqlite(std::path::PathBuf),
}

impl Place {
    fn all() -> [Self; 2] {
        let name = format!(
            "larder-tx-{}-{:?}",
            std::process::id(),
            std::thread::current().id()
        );
        let directory = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&directory).unwrap();
        [Self::Redis(redis_server::alone()), Self::Sqlite(directory)]
    }

    fn url(&self) -> String {
        match self {
            Self::Redis(server) => format!("redis://{}/0?connect_timeout=20s", server.address()),
            Self::Sqlite(directory) => format!(
                "sqlite://{}?busy_timeout=30s",
                directory.join("a.db").display()
            ),
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if let Self::Sqlite(directory) = self {
            drop(std::fs::remove_dir_all(directory));
        }
    }
}

fn cache(url: &str) -> Cache {
    let mut address = Address::parse(url).unwrap();
    let runtime: Arc<dyn Runtime> = Arc::new(SystemRuntime::new());
    let opening = &mut Opening {
        address: &mut address,
        prefix: "",
        runtime: &runtime,
    };
    let store = open(opening).unwrap();
    Cache::builder()
        .store(store)
        .memory_ttl("1m")
        .build()
        .unwrap()
}

/// Played by the processes that other tests start; by itself it does nothing.
#[test]
fn child() {
    let (Ok(role), Ok(url)) = (std::env::var(ROLE), std::env::var(URL)) else {
        return;
    };
    let cache = cache(&url);
    let blocking = cache.blocking();
    match role.as_str() {
        "die" => {
            let _: Done = blocking
                .transaction(Mode::Locked, |_| {
                    blocking.set("k", &9_u64).ttl("1h").wait()?;
                    std::process::abort()
                })
                .timeout("10s")
                .wait();
        }
        role => {
            let mode = match role {
                "locked" => Mode::Locked,
                _ => Mode::Serializable,
            };
            (0..TIMES).for_each(|_| add(&cache, mode));
            blocking.close();
        }
    }
}

/// Adds one by reading and writing: without locks, one of two at once is lost.
fn add(cache: &Cache, mode: Mode) {
    let blocking = cache.blocking();
    let done: Done = blocking
        .transaction(mode, |_| {
            let before = blocking.get::<u64>("n")?.unwrap_or_default();
            blocking.set("n", &(before + 1)).ttl("1h").wait().map(drop)
        })
        .timeout("5m")
        .wait();
    done.unwrap();
}

/// A process that ends with its test.
struct Other(Child);

impl Other {
    fn succeeds(mut self) -> bool {
        self.0.wait().unwrap().success()
    }
}

impl Drop for Other {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

fn start(role: &str, url: &str) -> Other {
    let started = Command::new(std::env::current_exe().unwrap())
        .args(["real::child", "--exact"])
        .env(ROLE, role)
        .env(URL, url)
        .stdout(std::process::Stdio::null())
        .spawn();
    Other(started.unwrap())
}

#[test]
fn two_processes_that_read_and_write_one_number_lose_nothing() {
    for place in Place::all() {
        for role in ["locked", "serializable"] {
            let url = place.url();
            let cache = cache(&url);
            cache.blocking().delete("n").unwrap();
            let others = [start(role, &url), start(role, &url)];
            for other in others {
                assert!(other.succeeds());
            }
            let sum = cache.blocking().get::<u64>("n").unwrap();
            assert_eq!(sum, Some(2 * TIMES), "{role} on {url}");
            cache.blocking().close();
        }
    }
}

#[test]
fn a_process_that_dies_in_the_middle_changes_nothing_and_its_locks_end() {
    for place in Place::all() {
        let url = place.url();
        assert!(!start("die", &url).succeeds());
        let cache = cache(&url);
        let blocking = cache.blocking();
        assert_eq!(blocking.get::<u64>("k").unwrap(), None);
        let write = |limit: &str| {
            let done: Done = blocking
                .transaction(Mode::Locked, |_| {
                    blocking.set("k", &1_u64).ttl("1h").wait().map(drop)
                })
                .timeout(limit)
                .wait();
            done
        };
        assert_eq!(write("100ms").unwrap_err().kind(), ErrorKind::Conflict);
        write("1m").expect("its lock ends with its time limit and the grace of a commit");
        assert_eq!(blocking.get::<u64>("k").unwrap(), Some(1));
        blocking.close();
    }
}

#[test]
fn a_commit_applies_all_of_it_and_a_rollback_nothing() {
    for place in Place::all() {
        let url = place.url();
        let (one, two) = (cache(&url), cache(&url));
        let outsider = Outsider(two.clone());
        let blocking = one.blocking();
        for key in ["old", "p:1", "tagged"] {
            let tags = (key == "tagged").then_some("t");
            blocking
                .set(key, &1_u64)
                .ttl("1h")
                .tags(tags)
                .wait()
                .unwrap();
        }
        for fails in [true, false] {
            let done: Done = blocking
                .transaction(Mode::Locked, |_| {
                    let all = (0..1_000_u64).map(|n| (format!("k:{n}"), n));
                    if !fails {
                        assert_eq!(blocking.set_many(all).ttl("1h").wait()?, 1_000);
                    }
                    blocking.delete("old")?;
                    blocking.delete_prefix("p:")?;
                    blocking.delete_tags(["t"])?;
                    blocking.set("new", &2_u64).ttl("1h").tags(["t"]).wait()?;
                    assert_eq!(blocking.increment("n", 5).ttl("1h").wait()?, 5);
                    assert_eq!(outsider.number("new"), None);
                    assert_eq!(outsider.number("old"), Some(1));
                    if fails { Err(given_up()) } else { Ok(()) }
                })
                .timeout("1m")
                .wait();
            assert_eq!(done.is_err(), fails, "{done:?}");
        }
        let fresh = cache(&url);
        let third = Outsider(fresh.clone());
        for gone in ["old", "p:1", "tagged"] {
            assert_eq!(third.number(gone), None, "{gone}");
        }
        assert_eq!(third.number("new"), Some(2));
        assert_eq!(third.number("k:999"), Some(999));
        assert_eq!(fresh.blocking().get::<i64>("n").unwrap(), Some(5));
        assert!(!fresh.blocking().is_locked("@transaction:k:0").unwrap());
        [&one, &two, &fresh]
            .iter()
            .for_each(|cache| cache.blocking().close());
    }
}

#[test]
fn deferred_invalidations_reach_other_processes_with_their_commit() {
    for place in Place::all() {
        let url = place.url();
        let (one, two) = (cache(&url), cache(&url));
        let blocking = one.blocking();
        blocking.set("k", &1_u64).ttl("1h").wait().unwrap();
        let pending = deferred();
        pending.run(|| {
            assert!(blocking.delete("k").unwrap());
            assert_eq!(blocking.get::<u64>("k").unwrap(), None);
        });
        assert!(two.blocking().exists("k").unwrap());
        pending.commit().wait().unwrap();
        assert!(!two.blocking().exists("k").unwrap());
        [&one, &two]
            .iter()
            .for_each(|cache| cache.blocking().close());
    }
}
