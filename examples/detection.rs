//! What a piece of code read, wrote and removed; callbacks on keys; counts by template.

use std::sync::mpsc;

use larder::{Cache, Operations, Source, Strategy, Template, cached, detect};

#[cached(cache = cache, key = "price:{item}", ttl = "10m", fail_safe = "1d")]
fn price(cache: &Cache, item: u64) -> Result<u64, String> {
    let _ = cache;
    if item == 0 {
        Err("no such item".to_owned())
    } else {
        Ok(item * 3)
    }
}

#[cached(cache = cache, key = "cart:{id}", ttl = "1m")]
fn total(cache: &Cache, id: u64) -> Result<u64, String> {
    Ok(price(cache, id)? + price(cache, id + 1)?)
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let cache = Cache::builder()
        .template(Template::parse("user:{id}")?)
        .build()?;
    price(&cache, 1)?;

    println!("detect: what does a cart read and write?");
    let (sum, detected) = detect(|| total(&cache, 1));
    assert_eq!(sum?, 9);
    for read in &detected.reads {
        println!(
            "  read  {:8} {:?} ({})",
            read.key, read.source, read.strategy
        );
    }
    for write in &detected.writes {
        println!("  wrote {:8} for {:?}", write.key, write.remaining);
    }
    let sources: Vec<Source> = detected.reads.iter().map(|read| read.source).collect();
    assert_eq!(sources, [Source::Fresh, Source::Loaded, Source::Loaded]);
    assert_eq!(
        detected.reads[0].strategy,
        Strategy::TTL | Strategy::FAIL_SAFE
    );
    assert_eq!(detected.writes.len(), 2);

    println!("callback: who changes users?");
    let (teller, told) = mpsc::channel();
    let subscription = cache.on(
        Operations::WRITE | Operations::REMOVE,
        "user:*",
        move |told| {
            drop(teller.send(told.event.to_string()));
        },
    );
    cache.blocking().set("user:7", "Ada").ttl("1h").wait()?;
    cache.blocking().delete("user:7")?;
    drop(subscription);
    let told: Vec<String> = told.iter().collect();
    told.iter().for_each(|event| println!("  {event}"));
    assert_eq!(told.len(), 2);

    println!("templates: how do they do?");
    let rows = cache.stats_by_template();
    for row in &rows {
        println!(
            "  {:12} {} hits, {} misses, {} stored",
            row.template,
            row.hits(),
            row.misses,
            row.stored
        );
    }
    let templates: Vec<&str> = rows.iter().map(|row| row.template.as_str()).collect();
    assert_eq!(templates, ["cart:{id}", "price:{item}", "user:{id}"]);
    Ok(())
}
