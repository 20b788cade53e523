//! What a call does at some age of the entry, under each strategy, while the source works and while it is down.
//!
//! Time is that of `larder::testing`: the minutes below pass at once.

use std::sync::LazyLock;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use larder::testing::Simulation;
use larder::{Cache, Source, cached, detect};

static TIME: LazyLock<Simulation> = LazyLock::new(|| Simulation::new(1));
static CACHE: LazyLock<Cache> = LazyLock::new(|| TIME.cache_builder().build().expect("a cache"));
static DOWN: AtomicBool = AtomicBool::new(false);

type SourceResult = Result<(), &'static str>;

fn source() -> SourceResult {
    if DOWN.load(Ordering::Relaxed) {
        Err("the source is down")
    } else {
        Ok(())
    }
}

#[cached(cache = CACHE, ttl = "60s")]
fn ttl() -> SourceResult {
    source()
}

#[cached(cache = CACHE, ttl = "60s", stale = "60s")]
fn stale() -> SourceResult {
    source()
}

#[cached(cache = CACHE, ttl = "60s", early = "45s")]
fn early() -> SourceResult {
    source()
}

#[cached(cache = CACHE, ttl = "60s", soft = "45s")]
fn soft() -> SourceResult {
    source()
}

#[cached(cache = CACHE, ttl = "60s", fail_safe = "60s")]
fn fail_safe() -> SourceResult {
    source()
}

#[cached(cache = CACHE, ttl = "60s", failover)]
fn failover() -> SourceResult {
    source()
}

/// A call at some age of the entry: what came of it.
fn call(age: u64, down: bool, function: fn() -> SourceResult) -> &'static str {
    DOWN.store(false, Ordering::Relaxed);
    function().expect("the source works");
    TIME.advance(Duration::from_secs(age));
    DOWN.store(down, Ordering::Relaxed);
    let (answer, reads) = detect(function);
    // Reloads behind run now, before the entry is thrown away for the next case.
    TIME.run();
    CACHE.blocking().clear().expect("the cache is open");
    match (answer, reads.first().map(|read| read.source)) {
        (Err(_), _) => "error",
        (_, Some(Source::Fresh)) => "kept",
        (_, Some(Source::Refresh)) => "kept+",
        (_, Some(Source::Saved)) => "saved",
        _ => "loads",
    }
}

const EXPECTED: &str = "
age, source     ttl  stale  early   soft  fail_safe  failover
30 s, works    kept   kept   kept   kept       kept     loads
50 s, works    kept   kept  kept+  loads       kept     loads
70 s, works   loads  kept+  loads  loads      loads     loads
50 s, down     kept   kept  kept+  saved       kept     saved
70 s, down    error  kept+  error  error      saved     error
130 s, down   error  error  error  error      error     error
";

fn main() {
    let mut table = EXPECTED.lines().take(2).collect::<Vec<_>>().join("\n");
    for (age, down) in [
        (30, false),
        (50, false),
        (70, false),
        (50, true),
        (70, true),
        (130, true),
    ] {
        let row = format!("{age} s, {}", if down { "down" } else { "works" });
        let [a, b, c, d] = [ttl, stale, early, soft].map(|function| call(age, down, function));
        let [e, f] = [fail_safe, failover].map(|function| call(age, down, function));
        table += &format!("\n{row:<12}{a:>7}{b:>7}{c:>7}{d:>7}{e:>11}{f:>10}");
    }
    println!("{table}\n\nkept   no load");
    println!("kept+  kept, and a reload behind it\nsaved  the load failed, so kept");
    assert_eq!(table + "\n", EXPECTED);
}
