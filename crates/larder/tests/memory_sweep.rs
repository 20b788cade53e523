//! A sweep over a million entries never keeps whoever shares its thread waiting.

use std::fmt;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use larder::Cache;
use larder::runtime::{BoxFuture, Clock, Runtime, Task};

/// Real time, but chores run where and when the test polls them, and sleep not at all.
#[derive(Default)]
struct ByHand(Mutex<Vec<BoxFuture<'static, ()>>>);

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
        Box::pin(std::future::ready(()))
    }

    fn spawn(&self, task: Task) {
        if let Task::Chore(chore) = task {
            self.0.lock().unwrap().push(chore);
        }
    }

    fn random(&self) -> u64 {
        0
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
    let mut chore = runtime.0.lock().unwrap().remove(0);
    let mut slices = Vec::new();
    loop {
        let began = Instant::now();
        let polled = chore.as_mut().poll(&mut Context::from_waker(Waker::noop()));
        slices.push(began.elapsed());
        if polled == Poll::Ready(()) {
            break;
        }
    }
    assert_eq!(cache.len(), ENTRIES / 2);
    assert_eq!(cache.stats().expired as usize, ENTRIES / 2);
    let total: Duration = slices.iter().sum();
    slices.sort_unstable();
    let long = slices
        .iter()
        .filter(|slice| **slice > Duration::from_millis(1))
        .count();
    // The machine may take the thread away at any time: a few slices are longer for that, never many.
    assert!(
        long * 50 <= slices.len(),
        "{long} of {} slices took longer than a millisecond; the longest {:?}, all {total:?}",
        slices.len(),
        slices.last()
    );
}
