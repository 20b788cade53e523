//! advanced-caching: what is refreshed behind. The rest is in `advanced_caching.rs`.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

use larder::testing::Simulation;
use larder::{Cache, ErrorKind, background, scope};
use serde_json::{Value, json};

use crate::support::{millis, secs};
use crate::{on_redis, redis, servers};

/// `BGCache.register_loader("inventory", interval_seconds=300)`, sync.
#[test]
fn a_loader_runs_on_its_interval() {
    static RUNS: AtomicU32 = AtomicU32::new(0);

    #[background(key = "inventory", every = 300, run_now, jitter = 0.0001)]
    fn load_inventory() -> u32 {
        RUNS.fetch_add(1, Ordering::Relaxed)
    }

    let time = Simulation::new(1);
    let cache = time.cache_builder().build().unwrap();
    scope().default_cache(&cache).run(|| {
        load_inventory::start().unwrap();
        time.advance(millis(1));
        assert_eq!(load_inventory(), 0, "what the first run gave");
        time.advance(secs(301));
        assert_eq!(
            load_inventory(),
            1,
            "the next one, an interval later, not two"
        );
        assert_eq!(RUNS.load(Ordering::Relaxed), 2, "reading runs nothing");
        // "enforced single registration per key"
        let twice = load_inventory::start().unwrap_err();
        assert_eq!(twice.kind(), ErrorKind::AlreadyStarted);
        assert!(load_inventory::stop());
        time.advance(secs(3_000));
        assert_eq!(RUNS.load(Ordering::Relaxed), 2);
    });
}

/// `register_loader("config_map", cache=lambda: HybridCache(..))`: two levels, reached when they are needed, and a value of maps.
#[test]
fn a_config_map_on_two_levels_that_are_reached_later() {
    static CACHE: OnceLock<Cache> = OnceLock::new();

    #[background(key = "config_map", every = 3_600, run_now, cache = CACHE.get().expect("set at the start"))]
    fn load_config_map() -> Value {
        json!({"db": {"host": "localhost"}, "cache": {"ttl": 300}})
    }

    let mut server = redis::alone();
    server.kill();
    let two = on_redis(&server, "prefix=app:&memory_ttl=1h&store_ttl=1d");
    let cache = CACHE.get_or_init(|| two);
    server.start_again();
    load_config_map::start().unwrap();
    servers::eventually("the first run has written it", || {
        redis::cli(server.port(), &["EXISTS", "app:config_map"]).trim() == "1"
    });
    assert_eq!(load_config_map()["db"]["host"], "localhost");
    let left = redis::cli(server.port(), &["PTTL", "app:config_map"]);
    let left: u64 = left.trim().parse().unwrap();
    assert!(
        (3_600_001..=7_200_000).contains(&left),
        "longer than in memory: {left}"
    );
    cache.shutdown().wait().unwrap();
}

/// The same on `async def`, with `run_immediately=False` and `on_error`.
#[test]
fn an_async_loader_whose_errors_are_heard() {
    static RUNS: AtomicU32 = AtomicU32::new(0);
    static ERRORS: AtomicU32 = AtomicU32::new(0);

    #[background(key = "inventory_async", every = 300, jitter = 0.0001, on_error = |_| { ERRORS.fetch_add(1, Ordering::Relaxed); })]
    async fn load_inventory_async() -> Result<u32, &'static str> {
        match RUNS.fetch_add(1, Ordering::Relaxed) {
            1 => Err("down"),
            run => Ok(run),
        }
    }

    let time = Simulation::new(1);
    let cache = time.cache_builder().build().unwrap();
    scope().default_cache(&cache).run(|| {
        load_inventory_async::start().unwrap();
        time.advance(millis(1));
        assert_eq!(RUNS.load(Ordering::Relaxed), 0, "not at once");
        time.advance(secs(301));
        time.advance(secs(301));
        assert_eq!(
            (RUNS.load(Ordering::Relaxed), ERRORS.load(Ordering::Relaxed)),
            (2, 1)
        );
    });
    let value = scope().default_cache(&cache).wrap(load_inventory_async());
    assert_eq!(time.block_on(value), Ok(0), "what was kept stays");
}

/// "interval_seconds <= 0 disables scheduling; wrapper still writes-on-demand on misses."
#[test]
fn an_interval_of_zero_is_on_demand() {
    static RUNS: AtomicU32 = AtomicU32::new(0);

    #[background(key = "on demand", on_demand, ttl = "10m")]
    fn load() -> u32 {
        RUNS.fetch_add(1, Ordering::Relaxed)
    }

    let time = Simulation::new(1);
    let cache = time.cache_builder().build().unwrap();
    scope().default_cache(&cache).run(|| {
        load::start().unwrap();
        time.advance(secs(3_600));
        assert_eq!(RUNS.load(Ordering::Relaxed), 0);
        assert_eq!(load(), 0, "on a miss");
        assert_eq!(load::refresh(), 1);
        assert_eq!(load(), 1);
    });
}

/// "Single-writer/multi-reader": readers keep a copy of their own, from the writer's Redis.
#[test]
fn readers_pull_from_the_writers_store() {
    #[background(key = "daily_config", every = "1h", run_now)]
    fn load_config() -> String {
        "host=localhost".to_owned()
    }

    let server = redis::alone();
    let (writer, reading) = (on_redis(&server, ""), on_redis(&server, ""));
    let reader = reading
        .reader::<String>("daily_config")
        .every("10ms")
        .fallback("nothing".to_owned())
        .start()
        .unwrap();
    let other = reading
        .reader::<String>("daily_config")
        .every(0_u64)
        .start()
        .unwrap();
    assert_eq!(reader.value().as_deref(), Some("nothing"));
    assert_eq!(other.value(), None, "without a value, without a fallback");
    scope()
        .default_cache(&writer)
        .run(|| load_config::start().unwrap());
    servers::eventually("the reader has it", || {
        reader.value().as_deref() == Some("host=localhost")
    });
    assert_eq!(
        other.pull().wait().unwrap().as_deref(),
        Some("host=localhost")
    );
    writer.shutdown().wait().unwrap();
}
