//! No runtime and no `.await`: cached functions and the direct operations on plain threads.

use std::num::ParseIntError;
use std::thread;

use larder::{Cache, ErrorKind, cached};

#[cached(key = "primes:{below}", ttl = "forever")]
fn primes(below: u32) -> usize {
    let is_prime = |n: &u32| {
        (2..*n)
            .take_while(|d| d * d <= *n)
            .all(|d| !n.is_multiple_of(d))
    };
    (2..below).filter(is_prime).count()
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let threads: Vec<_> = (0..4).map(|_| thread::spawn(|| primes(20_000))).collect();
    for thread in threads {
        assert_eq!(thread.join().expect("a thread"), 2_262);
    }
    let loads = primes::stats().loads;
    println!("four threads ask for the primes: {loads} load");
    assert_eq!(loads, 1);

    let cache = Cache::builder().prefix("shop:").build()?;
    let shop = cache.blocking();
    let price = 995_u64;
    let is_written = shop.set("price:1", &price).ttl("10m").tags(["prices"]);
    assert!(is_written.wait()?);
    assert!(!shop.set("price:1", &0_u64).ttl("10m").if_absent().wait()?);
    println!("get:                {:?}", shop.get::<u64>("price:1")?);
    assert_eq!(shop.get("price:1")?, Some(price));

    let parse = || "1250".parse::<u64>();
    let loaded = shop.get_or_load("price:2", parse).ttl("10m").wait()?;
    println!("get_or_load:        {loaded}");
    assert_eq!(shop.get("price:2")?, Some(1_250_u64));

    let parse = || "dear".parse::<u64>();
    let refused = shop.get_or_load("price:3", parse).ttl("10m").wait();
    let error = refused.expect_err("`dear` is no number");
    println!("a source that fails: {error}");
    assert_eq!(error.kind(), ErrorKind::Source);
    assert!(error.source_as::<ParseIntError>().is_some());

    for visit in 1..=3 {
        assert_eq!(shop.increment("visits", 1).ttl("1h").wait()?, visit);
    }
    println!("increment, thrice:  {:?}", shop.get::<i64>("visits")?);

    let lock = shop.lock("stocktaking").wait()?;
    let error = shop.lock("stocktaking").wait().expect_err("it is held");
    println!("a second lock:      {:?}", error.kind());
    drop(lock);
    assert!(shop.lock("stocktaking").wait().is_ok());

    shop.delete_tags(["prices"])?;
    println!(
        "keys after delete_tags([\"prices\"]): {:?}",
        shop.scan("*")?
    );
    assert!(!shop.exists("price:1")? && shop.exists("price:2")?);
    Ok(())
}
