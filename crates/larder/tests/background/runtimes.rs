//! Where runs happen in real time: in the runtime in which the schedule was started, or on threads.

use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant};

use larder::background::Phase;
use larder::runtime::{Runtime, SystemRuntime, Task};
use larder::{Cache, background};

const PATIENCE: Duration = Duration::from_secs(60);

/// A source that tells where it ran.
fn told() -> (Sender<String>, Receiver<String>) {
    channel()
}

fn here() -> String {
    std::thread::current().name().unwrap_or_default().to_owned()
}

#[background(cache = cache, key = "threads", every = "5ms", run_now)]
async fn on_threads(cache: &Cache, told: &Sender<String>) -> u32 {
    let _ = cache;
    drop(told.send(here()));
    7
}

#[test]
fn without_a_runtime_an_async_function_runs_on_threads() {
    let cache = Cache::builder().build().unwrap();
    let (sender, heard) = told();
    on_threads::start(&cache, &sender).unwrap();
    for _ in 0..3 {
        assert_eq!(heard.recv_timeout(PATIENCE).unwrap(), "larder-load");
    }
    cache.shutdown().wait().unwrap();
}

#[cfg(feature = "tokio")]
#[background(cache = cache, key = "tokio", every = "5ms", run_now)]
async fn in_tokio(cache: &Cache, told: &Sender<String>) -> u32 {
    let _ = cache;
    // Needs the reactor.
    tokio::time::sleep(Duration::from_millis(1)).await;
    drop(told.send(here()));
    7
}

#[cfg(feature = "tokio")]
fn runtime(name: &str) -> tokio::runtime::Runtime {
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    let builder = builder.worker_threads(1).thread_name(name).enable_all();
    builder.build().unwrap()
}

#[cfg(feature = "tokio")]
#[test]
fn a_schedule_runs_in_the_runtime_in_which_it_was_started_and_ends_with_it() {
    let cache = Cache::builder().build().unwrap();
    let (sender, heard) = told();
    let first = runtime("first");
    first.block_on(async { in_tokio::start(&cache, &sender).unwrap() });
    for _ in 0..3 {
        assert_eq!(heard.recv_timeout(PATIENCE).unwrap(), "first");
    }
    assert!(in_tokio::start(&cache, &sender).is_err());
    drop(first);
    let second = runtime("second");
    let began = Instant::now();
    while second.block_on(async { in_tokio::start(&cache, &sender).is_err() }) {
        assert!(began.elapsed() < PATIENCE, "the key is never free");
        std::thread::yield_now();
    }
    while heard.recv_timeout(PATIENCE).unwrap() != "second" {}
    assert_ne!(
        in_tokio::status(&cache, &sender).unwrap().phase,
        Phase::Standby
    );
    second.block_on(cache.shutdown().into_future()).unwrap();
}

#[test]
fn a_reader_pulls_in_real_time_too() {
    let cache = Cache::builder().build().unwrap();
    let (sender, heard) = told();
    on_threads::start(&cache, &sender).unwrap();
    heard.recv_timeout(PATIENCE).unwrap();
    let reader = on_threads::reader(&cache, &sender).every("1ms");
    let reader = reader.start().unwrap();
    let began = Instant::now();
    while reader.value() != Some(7) {
        assert!(began.elapsed() < PATIENCE, "nothing is ever pulled");
        std::thread::yield_now();
    }
    cache.shutdown().wait().unwrap();
    assert_eq!(reader.status().phase, Phase::Stopped);
}

/// Panics where it is dropped.
struct Bomb;

impl Drop for Bomb {
    fn drop(&mut self) {
        panic!("dropped");
    }
}

#[test]
fn a_chore_that_panics_ends_alone() {
    let runtime = SystemRuntime::new();
    let (sender, heard) = told();
    let waits = runtime.sleep(Duration::from_millis(20));
    let tells = sender.clone();
    runtime.spawn(Task::Chore(Box::pin(async move {
        waits.await;
        drop(tells.send("before".to_owned()));
    })));
    runtime.spawn(Task::Chore(Box::pin(async { panic!("polled") })));
    let bomb = Bomb;
    runtime.spawn(Task::Chore(Box::pin(async move { drop(bomb) })));
    let bomb = Bomb;
    runtime.spawn(Task::Chore(Box::pin(async move {
        // Nobody will ever wake it.
        std::future::pending::<()>().await;
        drop(bomb);
    })));
    let mut bomb = Some(Bomb);
    let dropped_with_its_future = std::future::poll_fn(move |_| {
        let _ = &mut bomb;
        std::task::Poll::Ready(())
    });
    runtime.spawn(Task::Chore(Box::pin(dropped_with_its_future)));
    runtime.spawn(Task::Chore(Box::pin(async move {
        drop(sender.send(here()));
    })));
    let mut all: Vec<_> = (0..2)
        .map(|_| heard.recv_timeout(PATIENCE).unwrap())
        .collect();
    all.sort();
    assert_eq!(all, ["before", "larder-chores"]);
}
