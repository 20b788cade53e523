//! A value that is kept warm on an interval, and a reader with a copy of its own.
//!
//! Time is that of `larder::testing`: the minutes below pass at once.

use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use larder::testing::Simulation;
use larder::{Cache, background};

static TIME: LazyLock<Simulation> = LazyLock::new(|| Simulation::new(1));
static CACHE: LazyLock<Cache> = LazyLock::new(|| TIME.cache_builder().build().expect("a cache"));
static RUNS: AtomicU64 = AtomicU64::new(0);

/// A slow service that is down now and then.
#[background(cache = CACHE, key = "rates", every = "30s", run_now, fail_safe = "1h", on_error = |error| println!("  {error}"))]
async fn rates() -> Result<u64, String> {
    match RUNS.fetch_add(1, Ordering::Relaxed) {
        run @ (2 | 3) => Err(format!("run {run} found the service down")),
        run => Ok(100 + run),
    }
}

fn main() -> larder::Result<()> {
    rates::start()?;
    let second = rates::start().expect_err("there is a writer already");
    println!("a second writer: {second}");

    let reader = rates::reader().every("10s").fallback(0).start()?;
    println!("before the first pull: {:?}", reader.value());
    for _ in 0..6 {
        TIME.advance(Duration::from_secs(30));
        let before = RUNS.load(Ordering::Relaxed);
        let value = TIME.block_on(rates()).expect("a value is kept");
        assert_eq!(RUNS.load(Ordering::Relaxed), before, "a call never loads");
        println!("a call: {value}, the reader: {:?}", reader.value());
    }
    let status = rates::status().expect("it was started");
    println!(
        "{} runs, {} failures in a row",
        status.runs, status.failures_in_a_row
    );
    assert!(status.runs >= 4);

    TIME.block_on(CACHE.shutdown().into_future())?;
    let runs = RUNS.load(Ordering::Relaxed);
    TIME.advance(Duration::from_secs(600));
    assert_eq!(RUNS.load(Ordering::Relaxed), runs, "nothing runs any more");
    Ok(())
}
