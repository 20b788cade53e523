//! Loads behind a hit: they own their arguments, and the caller does not wait for them.

#![cfg(feature = "macros")]

use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use larder::runtime::{BoxFuture, Clock, Runtime, Task};
use larder::{Cache, cached};

const MINUTE: Duration = Duration::from_secs(60);

/// Time that is moved by hand, and tasks that run when they are told to.
#[derive(Debug)]
struct ByHand {
    clock: Clock,
    tasks: Mutex<Vec<Task>>,
}

impl Runtime for ByHand {
    fn clock(&self) -> Clock {
        self.clock.clone()
    }

    fn sleep(&self, _: Duration) -> BoxFuture<'static, ()> {
        Box::pin(std::future::pending())
    }

    fn spawn(&self, task: Task) {
        self.tasks.lock().unwrap().push(task);
    }

    fn random(&self) -> u64 {
        7
    }
}

/// A cache in such a runtime, and a count of the bodies that ran.
#[derive(Clone, Debug)]
struct World {
    cache: Cache,
    runtime: Arc<ByHand>,
    runs: Arc<AtomicU32>,
}

impl World {
    fn new() -> Self {
        let runtime = Arc::new(ByHand {
            clock: Clock::manual(),
            tasks: Mutex::default(),
        });
        let cache = Cache::builder()
            .runtime(runtime.clone())
            .build()
            .expect("a cache");
        Self {
            cache,
            runtime,
            runs: Arc::default(),
        }
    }

    /// How often bodies have run, this time included.
    fn run(&self) -> u32 {
        self.runs.fetch_add(1, Ordering::Relaxed) + 1
    }

    fn runs(&self) -> u32 {
        self.runs.load(Ordering::Relaxed)
    }

    /// Runs the loads that were started, and says how many there were.
    async fn loads(&self) -> usize {
        let tasks = std::mem::take(&mut *self.runtime.tasks.lock().unwrap());
        let mut loads = 0;
        for task in tasks {
            match task {
                Task::Load(load) => load.await,
                Task::BlockingLoad(load) => load(),
                Task::Chore(_) => continue,
            }
            loads += 1;
        }
        loads
    }
}

#[derive(Clone, Debug)]
struct Filter {
    least: u32,
}

#[tokio::test]
async fn a_stale_hit_reloads_behind_with_owned_arguments() {
    #[cached(key = "stale:{org}:{ids}", ttl = "10m", stale = "1h", cache = world.cache)]
    async fn stale(world: &World, org: &str, ids: &[u32], filter: &Filter, name: String) -> String {
        let run = world.run();
        tokio::task::yield_now().await;
        format!("{run} {org} {ids:?} {} {name}", filter.least)
    }
    let world = World::new();
    let load = async || {
        // Nothing of this outlives the call.
        let (org, ids, filter) = (String::from("acme"), vec![1, 2], Filter { least: 3 });
        stale(&world, &org, &ids, &filter, "n".to_owned()).await
    };
    assert_eq!(load().await, "1 acme [1, 2] 3 n");
    world.runtime.clock.advance(11 * MINUTE);
    assert_eq!(load().await, "1 acme [1, 2] 3 n");
    assert_eq!(world.runs(), 1);
    assert_eq!(world.loads().await, 1);
    assert_eq!(load().await, "2 acme [1, 2] 3 n");
    assert_eq!((world.runs(), world.loads().await), (2, 0));
}

#[tokio::test]
async fn a_sync_function_reloads_behind_too() {
    #[cached(key = "early:{id}", ttl = "10m", early = 0.5, cache = world.cache)]
    fn early(world: &World, id: u64, path: &std::path::Path) -> String {
        format!("{} {id} {}", world.run(), path.display())
    }
    let world = World::new();
    let load = || early(&world, 7, std::path::Path::new("a"));
    assert_eq!(load(), "1 7 a");
    world.runtime.clock.advance(6 * MINUTE);
    assert_eq!((load(), load()), ("1 7 a".to_owned(), "1 7 a".to_owned()));
    assert_eq!(world.loads().await, 1);
    assert_eq!(load(), "2 7 a");
}

#[tokio::test]
async fn a_reload_after_some_hits() {
    #[cached(key = "hits:{id}", ttl = "10m", refresh_hits = 2, cache = world.cache)]
    async fn counted(world: &World, id: u64) -> (u64, u32) {
        (id, world.run())
    }
    let world = World::new();
    for _ in 0..4 {
        assert_eq!(counted(&world, 7).await, (7, 1));
    }
    assert_eq!(world.loads().await, 1);
    assert_eq!(counted(&world, 7).await, (7, 2));
}

#[derive(Clone, Debug)]
struct Users {
    world: World,
}

impl Users {
    #[cached(key = "user:{id}", ttl = "10m", stale = "1h", cache = self.world.cache)]
    async fn user(&self, id: u64) -> (u64, u32) {
        (id, self.world.run())
    }

    #[cached(key = "shared:{id}", ttl = "10m", stale = "1h", cache = self.world.cache)]
    async fn shared(self: Arc<Self>, id: u64) -> (u64, u32) {
        (id, self.world.run())
    }

    #[cached(key = "lent:{id}", ttl = "10m", stale = "1h", cache = self.world.cache)]
    fn lent(self: &Arc<Self>, id: u64) -> (u64, u32) {
        (id, self.world.run())
    }

    #[cached(key = "taken:{id}", ttl = "10m", stale = "1h", cache = self.world.cache)]
    fn taken(self, id: u64) -> (u64, u32) {
        (id, self.world.run())
    }
}

#[tokio::test]
async fn methods_take_a_copy_of_self_along() {
    let world = World::new();
    let users = Arc::new(Users {
        world: world.clone(),
    });
    let all = async || {
        [
            users.user(7).await.1,
            users.clone().shared(7).await.1,
            users.lent(7).1,
            Users::clone(&users).taken(7).1,
        ]
    };
    assert_eq!(all().await, [1, 2, 3, 4]);
    world.runtime.clock.advance(11 * MINUTE);
    assert_eq!(all().await, [1, 2, 3, 4]);
    assert_eq!(world.loads().await, 4);
    assert_eq!(all().await, [5, 6, 7, 8]);
}
