//! A sweep over a million entries never keeps whoever shares its thread waiting.

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Wake, Waker};
use std::time::{Duration, Instant};

use larder::Cache;
use larder::runtime::{BoxFuture, Clock, Runtime, Task};

/// Real time, but chores run where and when the test polls them; the first sleep is over when it begins, all others last.
#[derive(Default)]
struct ByHand {
    chores: Mutex<Vec<BoxFuture<'static, ()>>>,
    slept: AtomicBool,
}

impl fmt::Debug for ByHand {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ByHand")
    }
}

impl Runtime for ByHand {
    fn clock(&self) -> Clock {
        Clock::system()
    }

    fn sleep(&self, _: Duration) -> BoxFuture<'static, ()> {
        if self.slept.swap(true, Ordering::Relaxed) {
            Box::pin(std::future::pending())
        } else {
            Box::pin(std::future::ready(()))
        }
    }

    fn spawn(&self, task: Task) {
        if let Task::Chore(chore) = task {
            self.chores.lock().unwrap().push(chore);
        }
    }

    fn random(&self) -> u64 {
        0
    }
}

#[derive(Default)]
struct Woken(AtomicBool);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[test]
fn a_sweep_of_a_million_entries_goes_in_slices_of_less_than_a_millisecond() {
    const ENTRIES: usize = 1_000_000;
    let runtime = Arc::new(ByHand::default());
    let builder = Cache::builder().size(2 * ENTRIES as u64);
    let cache = builder.runtime(runtime.clone()).build().unwrap();
    for n in 0..ENTRIES as u64 {
        // Every other one is gone at once, every other one stays.
        let ttl = if n % 2 == 0 {
            Duration::from_nanos(16)
        } else {
            Duration::from_secs(3_600)
        };
        cache
            .blocking()
            .set(format!("k:{n}"), &n)
            .ttl(ttl)
            .wait()
            .unwrap();
    }
    let mut chore = runtime.chores.lock().unwrap().remove(0);
    let (mut slices, mut most, mut swept) = (Vec::new(), 0, 0);
    let woken = Arc::new(Woken::default());
    let waker = Waker::from(Arc::clone(&woken));
    // It gives way by waking itself; when it does not, it waits for the next deadline, an hour away.
    loop {
        let began = Instant::now();
        let polled = chore.as_mut().poll(&mut Context::from_waker(&waker));
        slices.push(began.elapsed());
        let expired = cache.stats().expired;
        most = most.max(expired - swept);
        swept = expired;
        assert!(polled.is_pending());
        if !woken.0.swap(false, Ordering::Relaxed) {
            break;
        }
    }
    assert_eq!(cache.len(), ENTRIES / 2);
    assert_eq!(cache.stats().expired as usize, ENTRIES / 2);
    let total: Duration = slices.iter().sum();
    slices.sort_unstable();
    let median = slices[slices.len() / 2];
    let told = format!(
        "{} slices, half of them within {median:?}, all in {total:?}, with at most {most} entries",
        slices.len()
    );
    // A busy machine takes the thread away at any time, and the time until it comes back counts: so no single slice can be held to a time, but all to what they do.
    assert!(
        slices.len() >= 100 && most as usize <= ENTRIES / 20,
        "{told}"
    );
    assert!(median < Duration::from_millis(1), "{told}");
}
