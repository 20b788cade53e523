//! What a piece of code read and wrote; callbacks on keys; counts by template.

use std::sync::mpsc;

use larder::{Cache, Operations, Source, Strategy, Template, cached, detect};

#[cached(cache = cache, key = "price:{item}", ttl = "10m", fail_safe = "1d")]
fn price(cache: &Cache, item: u64) -> u64 {
    let _ = cache;
    item * 3
}

#[cached(cache = cache, key = "cart:{id}", ttl = "1m")]
fn total(cache: &Cache, id: u64) -> u64 {
    price(cache, id) + price(cache, id + 1)
}

fn main() -> Result<(), larder::Error> {
    let user = Template::parse("user:{id}")?;
    let cache = Cache::builder().template(user).build()?;
    price(&cache, 1);

    println!("detect: what does a cart read and write?");
    let (sum, detected) = detect(|| total(&cache, 1));
    assert_eq!((sum, detected.writes.len()), (9, 2));
    for read in &detected.reads {
        let (key, source, strategy) = (&read.key, read.source, read.strategy);
        println!("  {key:8} {source:?}, {strategy}, {:?}", read.remaining);
    }
    let first = &detected.reads[0];
    assert_eq!(first.source, Source::Fresh);
    assert_eq!(first.strategy, Strategy::TTL | Strategy::FAIL_SAFE);

    println!("callback: who changes users?");
    let (teller, told) = mpsc::channel();
    let changes = Operations::WRITE | Operations::REMOVE;
    let subscription = cache.on(changes, "user:*", move |told| {
        drop(teller.send(told.event.to_string()));
    });
    cache.blocking().set("user:7", "Ada").ttl("1h").wait()?;
    cache.blocking().delete("user:7")?;
    drop(subscription);
    let told: Vec<String> = told.iter().collect();
    println!("  {}", told.join("\n  "));
    assert_eq!(told.len(), 2);

    println!("templates: how do they do?");
    let rows = cache.stats_by_template();
    for row in &rows {
        let (hits, misses) = (row.hits(), row.misses);
        println!("  {:12} {hits} hits, {misses} misses", row.template);
    }
    let templates: Vec<&str> = rows.iter().map(|row| row.template.as_str()).collect();
    assert_eq!(templates, ["cart:{id}", "price:{item}", "user:{id}"]);
    Ok(())
}
