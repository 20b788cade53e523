//! A slow source does not hold up its callers: what is kept stands in, and the load finishes behind.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::{Duration, Instant};

use larder::{Reason, Refused, cached};
use tokio::sync::Notify;

static RUNS: AtomicU32 = AtomicU32::new(0);
static SLOW: AtomicBool = AtomicBool::new(false);
static GO_ON: Notify = Notify::const_new();

#[derive(Debug)]
struct TooLate(Refused);

impl From<Refused> for TooLate {
    fn from(refused: Refused) -> Self {
        Self(refused)
    }
}

#[cached(
    key = "rate:{currency}",
    ttl = "1h",
    failover,
    timeout = "20ms",
    hard_timeout = "40ms"
)]
async fn rate(currency: &str) -> Result<u32, TooLate> {
    let run = RUNS.fetch_add(1, Ordering::Relaxed) + 1;
    if SLOW.load(Ordering::Relaxed) {
        GO_ON.notified().await;
    }
    Ok(run)
}

#[tokio::main]
async fn main() {
    assert_eq!(rate("EUR").await.expect("a rate"), 1);
    SLOW.store(true, Ordering::Relaxed);

    let began = Instant::now();
    assert_eq!(rate("EUR").await.expect("a rate"), 1);
    println!("the kept rate, after {:?}", began.elapsed());
    assert!(began.elapsed() >= Duration::from_millis(20));
    GO_ON.notify_one();
    larder::cache().idle().await;
    let kept = rate::explain("EUR").await.expect("an open cache");
    println!("the load has finished behind: {}", kept.why());
    assert_eq!(RUNS.load(Ordering::Relaxed), 2);

    let refused = rate("USD").await.expect_err("nothing is kept").0;
    println!("{refused}");
    assert_eq!(refused.reason(), Reason::TimedOut);
    let stats = rate::stats();
    assert_eq!((stats.timed_out, stats.saved), (2, 1));
}
