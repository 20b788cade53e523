//! A source that becomes slow is left alone for a while, and a kept value stands in. Time is virtual, so this takes none.

use std::time::Duration;

use larder::testing::Simulation;
use larder::{Cache, Refused, cached, slow_call};

#[cached(cache = cache, key = "price", ttl = "1s", fail_safe = "1h")]
#[slow_call(cache = cache, factor = 3, window = 5, for = "1m")]
fn price(cache: &Cache, time: &Simulation, millis: u64) -> Result<u64, Refused> {
    let _ = cache;
    time.advance(Duration::from_millis(millis));
    Ok(millis)
}

fn main() {
    let time = Simulation::new(1);
    let builder = time.cache_builder().observer(|event: &larder::Event<'_>| {
        if let larder::Event::SlowCall { .. } = event {
            println!("  {event}");
        }
    });
    let cache = builder.build().expect("a cache");
    let ask = |millis| {
        let value = price(&cache, &time, millis).expect("a value, new or kept");
        time.advance(Duration::from_secs(1));
        value
    };
    for millis in [100, 120, 90, 110, 80, 290] {
        assert_eq!(ask(millis), millis, "up to three times the mean is usual");
    }
    assert_eq!(ask(900), 900, "the slow one itself has its value");
    for _ in 0..10 {
        assert_eq!(ask(100), 900, "kept: the source is left alone");
    }
    assert_eq!(cache.stats().refused, 10);
    time.advance(Duration::from_secs(60));
    assert_eq!(ask(100), 100, "asked again");
    println!(
        "{} of 18 calls were refused, and nobody saw it",
        cache.stats().refused
    );
}
