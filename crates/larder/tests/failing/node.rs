//! One process that uses a cache, and what its calls may cost.

use std::time::{Duration, Instant};

use larder::{Cache, scope};

use crate::origin::{Answer, Origin, TAKES, answer, answer_sync, fresh};

/// The time limit of an operation of the store.
pub(crate) const LIMIT: Duration = Duration::from_millis(800);
/// What a busy machine may add; less than one limit, so that a third wait is seen.
pub(crate) const SLACK: Duration = Duration::from_millis(700);
/// The most that a call may take: its source, a read, a fill.
pub(crate) const BOUND: Duration = TAKES
    .saturating_add(LIMIT)
    .saturating_add(LIMIT)
    .saturating_add(SLACK);
/// From the end of a fault to the first good hit. The probe comes 100 ms after the fault began and then waits twice as long each time,
/// so at most as long again as the fault lasted, and a limit; on a busy machine a probe may fail that the server would have answered.
pub(crate) const HEALED: Duration = Duration::from_secs(60);

/// A cache with the limits of these tests.
pub(crate) struct Node {
    pub(crate) cache: Cache,
    name: String,
}

impl Node {
    pub(crate) fn new(name: &str, url: &str) -> Self {
        let and = if url.contains('?') { '&' } else { '?' };
        let url = format!("{url}{and}timeout={}ms&probe=100ms", LIMIT.as_millis());
        let built = Cache::builder().url(&url).and_then(larder::Builder::build);
        Self {
            cache: built.unwrap_or_else(|error| panic!("{url}: {error}")),
            name: name.to_owned(),
        }
    }

    /// Calls the cached function, and checks the value and the time.
    pub(crate) async fn call(&self, origin: &Origin, id: u64) -> Duration {
        let version = origin.version();
        self.call_of(origin, id, version).await
    }

    /// As [`call`](Self::call), where a value as old as this version is right.
    pub(crate) async fn call_of(&self, origin: &Origin, id: u64, version: u64) -> Duration {
        let began = Instant::now();
        let given = scope().default_cache(&self.cache).wrap(answer(origin, id));
        let given = given.await;
        self.check(&given, (id, version), began)
    }

    /// As [`call`](Self::call), from a sync caller.
    pub(crate) fn call_sync(&self, origin: &Origin, id: u64) -> Duration {
        let version = origin.version();
        let began = Instant::now();
        let call = || answer_sync(origin, id);
        let given = scope().default_cache(&self.cache).run(call);
        self.check(&given, (id, version), began)
    }

    /// That a value is right and came in time.
    pub(crate) fn check(&self, given: &Answer, due: (u64, u64), began: Instant) -> Duration {
        let took = began.elapsed();
        let (id, version) = due;
        assert!(
            given.is_right(id, version),
            "{}: {given:?}, but version {version} of {id} is due",
            self.name
        );
        assert!(took < BOUND, "{}: a call took {took:?}", self.name);
        took
    }

    /// Fifty keys that nobody has asked for, at once.
    pub(crate) async fn fifty(&self, origin: &Origin) -> Duration {
        let began = Instant::now();
        let calls = (0..50).map(|_| self.call(origin, fresh()));
        futures_util::future::join_all(calls).await;
        began.elapsed()
    }

    /// Calls one after another while the breaker is open: none of them waits for the store.
    pub(crate) async fn is_steady(&self, origin: &Origin) {
        let before = self.cache.stats();
        let mut times = Vec::new();
        for _ in 0..30 {
            times.push(self.call(origin, fresh()).await);
        }
        times.sort();
        // A busy machine may hold up one or two of them; a breaker that does not open holds up all.
        let (median, most) = (times[times.len() / 2], times[times.len() - 3]);
        let name = &self.name;
        assert!(
            median < TAKES + Duration::from_millis(95),
            "{name}: {times:?}"
        );
        assert!(most < LIMIT, "{name}: {times:?}");
        let since = self.cache.stats().since(&before);
        assert_eq!(since.store_hits, 0, "{name}: the store is down");
    }
}

/// Two processes.
pub(crate) struct Pair {
    pub(crate) a: Node,
    pub(crate) b: Node,
}

impl Pair {
    pub(crate) fn new(name: &str, url: &str) -> Self {
        Self {
            a: Node::new(&format!("{name}, a"), url),
            b: Node::new(&format!("{name}, b"), url),
        }
    }

    /// A key that `a` has loaded and both read from the store.
    ///
    /// The first operations of a server that has just been started may take longer than the limit.
    pub(crate) async fn warm(&self, origin: &Origin) -> u64 {
        let began = Instant::now();
        loop {
            let id = fresh();
            self.a.call(origin, id).await;
            let loads = origin.loads();
            self.b.call(origin, id).await;
            if origin.loads() == loads {
                return id;
            }
            let so_far = began.elapsed();
            assert!(so_far < HEALED, "{}: not shared by the store", self.b.name);
        }
    }

    /// Waits until one reads what the other has loaded.
    pub(crate) async fn heals(&self, origin: &Origin) -> Duration {
        let began = Instant::now();
        while !self.is_healed(origin).await {
            let so_far = began.elapsed();
            assert!(so_far < HEALED, "{}: no hit after {so_far:?}", self.a.name);
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        began.elapsed()
    }

    /// Whether one reads what the other has loaded.
    pub(crate) async fn is_healed(&self, origin: &Origin) -> bool {
        let id = fresh();
        self.a.call(origin, id).await;
        let loads = origin.loads();
        self.b.call(origin, id).await;
        origin.loads() == loads
    }
}
