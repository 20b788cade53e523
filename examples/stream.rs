//! What an iterator yields is recorded while it is read, and replayed; a partial recording is not kept.

use std::sync::atomic::{AtomicU32, Ordering};

use larder::cached_stream;

static READS: AtomicU32 = AtomicU32::new(0);

#[cached_stream(key = "lines:{file}", ttl = "10m", max_items = 1_000)]
fn lines(file: &str) -> impl Iterator<Item = Result<String, std::num::ParseIntError>> {
    READS.fetch_add(1, Ordering::Relaxed);
    (1..=3).map(move |line| Ok(format!("{file}:{line}")))
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    assert_eq!(lines("a.txt").take(2).count(), 2);
    assert!(
        lines::peek("a.txt")?.is_none(),
        "it was not read to its end"
    );

    let first: Vec<String> = lines("a.txt").collect::<Result<_, _>>()?;
    let again: Vec<String> = lines("a.txt").collect::<Result<_, _>>()?;
    assert_eq!((first.len(), &first), (3, &again));
    assert_eq!(READS.load(Ordering::Relaxed), 2, "the third call replayed");

    let mut reading = lines("b.txt");
    assert!(reading.next().is_some());
    lines::invalidate("b.txt")?;
    assert_eq!(reading.count(), 2, "who reads has what it asked for");
    assert!(lines::peek("b.txt")?.is_none(), "and nothing old is kept");

    println!("{} calls, {} of the body", 4, READS.load(Ordering::Relaxed));
    println!("{}", lines::explain("a.txt")?.why());
    Ok(())
}
