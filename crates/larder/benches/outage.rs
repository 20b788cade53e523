//! What a cached function costs while the server behind it does not answer or is dead, and after it is back: a table in Markdown.
//!
//! The source takes a millisecond. Each outage lasts [`OUTAGE`]; what is asked for is always a key that nobody has asked for before.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use larder::{Cache, cached, scope};

#[path = "../tests/servers/azurite.rs"]
mod azurite;
#[path = "../tests/servers/memcached.rs"]
mod memcached_server;
#[path = "../tests/servers/redis.rs"]
mod redis_server;
#[path = "../tests/servers/mod.rs"]
mod servers;

use azurite::Azurite;
use servers::Server;

const OUTAGE: Duration = Duration::from_secs(5);
const PATIENCE: Duration = Duration::from_secs(180);

static LOADS: AtomicU64 = AtomicU64::new(0);

#[cached(key = "number:{id}", ttl = "10m")]
async fn number(id: u64) -> u64 {
    tokio::time::sleep(Duration::from_millis(1)).await;
    LOADS.fetch_add(1, Ordering::Relaxed);
    id
}

fn fresh() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

async fn call(cache: &Cache, id: u64) -> Duration {
    let began = Instant::now();
    let given = scope().default_cache(cache).wrap(number(id)).await;
    assert_eq!(given, id);
    began.elapsed()
}

/// What the calls of one outage cost.
struct Costs {
    one: Duration,
    fifty: Duration,
    /// A hundred, one after another.
    steady: Vec<Duration>,
    first_hit: Duration,
}

/// Two processes with a cache each.
struct Pair([Cache; 2]);

impl Pair {
    fn on(url: &str) -> Self {
        let cache = || Cache::builder().url(url).and_then(larder::Builder::build);
        Self([(); 2].map(|()| cache().unwrap_or_else(|error| panic!("{url}: {error}"))))
    }

    /// Whether one reads what the other has loaded.
    async fn shares(&self) -> bool {
        let id = fresh();
        call(&self.0[0], id).await;
        let loads = LOADS.load(Ordering::Relaxed);
        call(&self.0[1], id).await;
        LOADS.load(Ordering::Relaxed) == loads
    }

    async fn during(&self, heal: impl FnOnce()) -> Costs {
        let began = Instant::now();
        let cache = &self.0[0];
        let one = call(cache, fresh()).await;
        let at_once = Instant::now();
        futures_util::future::join_all((0..50).map(|_| call(cache, fresh()))).await;
        let fifty = at_once.elapsed();
        let mut steady = Vec::new();
        for _ in 0..100 {
            steady.push(call(cache, fresh()).await);
        }
        steady.sort();
        // The other process meets the outage too.
        futures_util::future::join_all((0..50).map(|_| call(&self.0[1], fresh()))).await;
        tokio::time::sleep(OUTAGE.saturating_sub(began.elapsed())).await;
        heal();
        let healed = Instant::now();
        while !self.shares().await {
            assert!(healed.elapsed() < PATIENCE, "not used again");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        Costs {
            one,
            fifty,
            steady,
            first_hit: healed.elapsed(),
        }
    }
}

fn row(name: &str, limit: &str, fault: &str, costs: &Costs) {
    let ms = |span: Duration| format!("{:.1} ms", span.as_secs_f64() * 1e3);
    let Costs {
        one,
        fifty,
        steady,
        first_hit,
    } = costs;
    println!(
        "| {name} | {limit} | {fault} | {} | {} | {} | {} | {:.2} s |",
        ms(*one),
        ms(*fifty),
        ms(steady[steady.len() / 2]),
        ms(steady[steady.len() - 1]),
        first_hit.as_secs_f64(),
    );
}

/// A server that can be stopped and killed.
trait Faulty {
    fn server(&mut self) -> &mut Server;
    fn start_again(&mut self);
}

impl Faulty for Server {
    fn server(&mut self) -> &mut Server {
        self
    }

    fn start_again(&mut self) {
        Self::start_again(self);
    }
}

impl Faulty for Azurite {
    fn server(&mut self) -> &mut Server {
        self.server()
    }

    fn start_again(&mut self) {
        self.start_again();
    }
}

async fn measure(name: &str, url: &str, faulty: &mut impl Faulty) {
    for (limit, told) in [("", "1 s"), ("timeout=200ms", "200 ms")] {
        let and = if url.contains('?') { '&' } else { '?' };
        let url = format!("{url}{and}{limit}");
        let pair = Pair::on(url.trim_end_matches(and));
        assert!(pair.shares().await, "{name}: works at first");
        faulty.server().stop();
        let costs = pair.during(|| faulty.server().resume()).await;
        row(name, told, "stopped", &costs);
        faulty.server().kill();
        // Starting takes a moment, which is no fault of the cache: it counts from when the server answers.
        let costs = pair.during(|| faulty.start_again()).await;
        row(name, told, "killed", &costs);
    }
}

fn main() {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("a runtime");
    println!(
        "| store | time limit | server | one call | fifty keys at once | then, median | then, longest | from its return to the first hit |"
    );
    println!("|---|---|---|--:|--:|--:|--:|--:|");
    runtime.block_on(async {
        let mut redis = redis_server::alone();
        let at = format!("redis://{}/0?prefix=o:", redis.address());
        measure("Redis", &at, &mut redis).await;
        measure(
            "memory, then Redis",
            &format!("{at}&memory_ttl=60s"),
            &mut redis,
        )
        .await;
        measure(
            "Redis, copies kept true",
            &format!("{at}&client_side=1"),
            &mut redis,
        )
        .await;
        let mut memcached = memcached_server::alone();
        let at = format!("memcached://{}", memcached.address());
        measure("Memcached", &at, &mut memcached).await;
        let mut azurite = Azurite::start();
        let at = azurite.url("outage", "");
        measure("Azure (Azurite)", &at, &mut azurite).await;
    });
}
