//! 1 000 tasks and 100 threads ask for one cold key, and the source runs once.

use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::Instant;

use larder::cached;
use tokio::runtime::Handle;

const TASKS: u32 = 1_000;
const THREADS: u32 = 100;

static ASKED: AtomicU32 = AtomicU32::new(0);
static RUNS: AtomicU32 = AtomicU32::new(0);

/// Slow: it does not answer before all have asked.
#[cached(key = "report:{year}", ttl = "1h")]
async fn report(year: u16) -> String {
    RUNS.fetch_add(1, Ordering::Relaxed);
    while ASKED.load(Ordering::Acquire) < TASKS + THREADS {
        tokio::task::yield_now().await;
    }
    format!("the report of {year}")
}

async fn ask() -> String {
    ASKED.fetch_add(1, Ordering::Release);
    report(2025).await
}

#[tokio::main]
async fn main() {
    let began = Instant::now();
    let tasks: Vec<_> = (0..TASKS).map(|_| tokio::spawn(ask())).collect();
    let runtime = Handle::current();
    let threads: Vec<_> = (0..THREADS)
        .map(|_| {
            let runtime = runtime.clone();
            thread::spawn(move || runtime.block_on(ask()))
        })
        .collect();
    for task in tasks {
        assert_eq!(task.await.expect("a task"), "the report of 2025");
    }
    for thread in threads {
        assert_eq!(thread.join().expect("a thread"), "the report of 2025");
    }
    let (stats, took) = (report::stats(), began.elapsed());
    println!("{TASKS} tasks and {THREADS} threads, one cold key, {took:.1?}");
    println!(
        "  runs of the source            {}",
        RUNS.load(Ordering::Relaxed)
    );
    println!("  answers from that one load    {}", stats.coalesced);
    println!("  answers from the entry        {}", stats.hits());
    assert_eq!((RUNS.load(Ordering::Relaxed), stats.loads), (1, 1));
    assert_eq!(
        stats.coalesced + stats.hits() + 1,
        u64::from(TASKS + THREADS)
    );
}
