//! Loading many keys ahead of their readers, with progress, and going on where it stopped.

use std::sync::atomic::{AtomicU64, Ordering};

use larder::cached;

static LOADS: AtomicU64 = AtomicU64::new(0);

#[cached(key = "user:{org}:{id}", ttl = "10m")]
async fn user(org: &str, id: u64) -> Result<String, String> {
    LOADS.fetch_add(1, Ordering::Relaxed);
    tokio::task::yield_now().await;
    match id {
        13 | 66 => Err(format!("{org} has no user {id}")),
        id => Ok(format!("user {id} of {org}")),
    }
}

#[cached(key = "square:{n}", ttl = "10m")]
fn square(n: u64) -> u64 {
    n * n
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let ids = || (0..100).map(|id| ("acme", id));

    let stopped = user::warm(ids()).concurrency(1).stop_after(1).await?;
    println!("stopped at item {}: {stopped}", stopped.next);
    assert_eq!((stopped.loaded, stopped.failed, stopped.next), (13, 1, 14));

    let rest = user::warm(ids())
        .concurrency(16)
        .resume_from(stopped.next)
        .on_progress(|warmed| {
            if warmed.done() % 20 == 0 {
                println!("  {warmed}");
            }
        })
        .await?;
    println!("the rest: {rest}");
    assert_eq!((rest.loaded, rest.failed, rest.next), (85, 1, 100));

    let again = user::warm(ids()).await?;
    println!("once more: {again}");
    assert_eq!((again.skipped, again.failed), (98, 2));

    let before = LOADS.load(Ordering::Relaxed);
    assert_eq!(user("acme", 42).await?, "user 42 of acme");
    assert_eq!(LOADS.load(Ordering::Relaxed), before, "a hit");

    let squares = square::warm(1..=10).wait()?;
    println!("a sync function: {squares}");
    assert_eq!(square::stats().loads, 10);
    Ok(())
}
