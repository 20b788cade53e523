//! Real threads and a real Tokio runtime on one cache.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;

use larder::testing::{UnderWay, under_way};
use larder::{Cache, Policy};

fn policy() -> Policy {
    Policy::new().ttl("1h").wait("forever")
}

const THREADS: u64 = 100;
const TASKS: u64 = 1_000;

/// The source gives nothing before everybody has missed, so that all of them must wait for the one load.
async fn once(cache: &Cache, loads: &AtomicU64) -> Result<u64, std::io::Error> {
    while cache.stats().misses < THREADS + TASKS {
        tokio::task::yield_now().await;
        thread::yield_now();
    }
    Ok(loads.fetch_add(1, Ordering::SeqCst))
}

#[test]
fn a_thousand_tasks_and_a_hundred_threads_run_the_source_of_a_cold_key_once() {
    let cache = Cache::builder().build().unwrap();
    let loads = Arc::new(AtomicU64::new(0));
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(4)
        .build()
        .unwrap();
    let threads: Vec<_> = (0..THREADS)
        .map(|_| {
            let (cache, loads) = (cache.clone(), Arc::clone(&loads));
            thread::spawn(move || {
                let loading = cache.get_or_load("k", || once(&cache, &loads));
                loading.policy(policy()).wait().unwrap()
            })
        })
        .collect();
    let tasks: Vec<_> = (0..TASKS)
        .map(|_| {
            let (cache, loads) = (cache.clone(), Arc::clone(&loads));
            runtime.spawn(async move {
                let loading = cache.get_or_load("k", || once(&cache, &loads));
                loading.policy(policy()).await.unwrap()
            })
        })
        .collect();
    for thread in threads {
        assert_eq!(thread.join().unwrap(), 0);
    }
    for task in tasks {
        assert_eq!(runtime.block_on(task).unwrap(), 0);
    }
    assert_eq!(loads.load(Ordering::SeqCst), 1);
    assert_eq!(cache.stats().coalesced, THREADS + TASKS - 1);
    assert_eq!(under_way(&cache), UnderWay::default());
}

/// A number that only grows, and how far it had grown before the last invalidation that was acknowledged.
#[derive(Default)]
struct Truth {
    value: AtomicU64,
    forgotten: AtomicU64,
    done: AtomicBool,
}

impl Truth {
    fn change(&self, cache: &Cache, round: u64) {
        let value = self.value.fetch_add(1, Ordering::SeqCst) + 1;
        let blocking = cache.blocking();
        match round % 5 {
            0 => drop(blocking.delete("a:k").unwrap()),
            1 => drop(blocking.delete_prefix("a:").unwrap()),
            2 => drop(blocking.delete_pattern("?:k").unwrap()),
            3 => blocking.delete_tags(["t"]).unwrap(),
            _ => blocking.clear().unwrap(),
        }
        self.forgotten.fetch_max(value, Ordering::SeqCst);
    }

    fn check(&self, read: impl FnOnce() -> u64) {
        let floor = self.forgotten.load(Ordering::SeqCst);
        let value = read();
        assert!(
            value >= floor,
            "read {value}, which was forgotten before {floor}"
        );
    }
}

#[test]
fn nothing_that_was_forgotten_is_served_to_who_asks_later() {
    let cache = Cache::builder().build().unwrap();
    let truth = Arc::new(Truth::default());
    let readers: Vec<_> = (0..4)
        .map(|_| {
            let (cache, truth) = (cache.clone(), Arc::clone(&truth));
            thread::spawn(move || {
                let load = || Ok::<_, std::io::Error>(truth.value.load(Ordering::SeqCst));
                while !truth.done.load(Ordering::SeqCst) {
                    truth.check(|| {
                        let loading = cache.blocking().get_or_load("a:k", load);
                        loading.policy(policy()).tags(["t"]).wait().unwrap()
                    });
                }
            })
        })
        .collect();
    let writers: Vec<_> = (0..2)
        .map(|writer| {
            let (cache, truth) = (cache.clone(), Arc::clone(&truth));
            thread::spawn(move || (0..20_000).for_each(|n| truth.change(&cache, n + writer)))
        })
        .collect();
    writers.into_iter().for_each(|t| t.join().unwrap());
    truth.done.store(true, Ordering::SeqCst);
    readers.into_iter().for_each(|t| t.join().unwrap());
    let stats = cache.stats();
    assert!(stats.hits() > 0 && stats.loads > 0, "{stats:?}");
    assert_eq!(under_way(&cache), UnderWay::default());
}
