//! 1 000 tasks and 100 threads that all ask for the same cold key.

use std::future::Future;
use std::sync::{Arc, Barrier};
use std::time::Instant;

use crate::board::Herd;
use crate::material::{runtime, take_loads};

const TASKS: usize = 1000;
const THREADS: usize = 100;

/// Sends all callers through async code; a thread blocks on its future.
pub fn send<F, R>(ask: F) -> Herd
where
    F: Fn() -> R + Clone + Send + 'static,
    R: Future<Output = u64> + Send + 'static,
{
    let blocking = ask.clone();
    send_both(ask, move || runtime().block_on(blocking()))
}

/// Sends the tasks through async code and the threads through sync code.
pub fn send_both<F, R, B>(ask: F, blocking: B) -> Herd
where
    F: Fn() -> R + Clone + Send + 'static,
    R: Future<Output = u64> + Send + 'static,
    B: Fn() -> u64 + Clone + Send + 'static,
{
    take_loads();
    // The threads stand ready before the clock starts: starting them is not the cache's work.
    let start = Arc::new(Barrier::new(THREADS + 1));
    let threads: Vec<_> = (0..THREADS)
        .map(|_| {
            let (start, blocking) = (Arc::clone(&start), blocking.clone());
            std::thread::spawn(move || {
                start.wait();
                blocking()
            })
        })
        .collect();
    start.wait();
    let began = Instant::now();
    let values = runtime().block_on(async move {
        let tasks: Vec<_> = (0..TASKS).map(|_| tokio::spawn(ask())).collect();
        let mut values = Vec::with_capacity(TASKS);
        for task in tasks {
            values.push(task.await.expect("no asking task panics"));
        }
        values
    });
    let more = threads
        .into_iter()
        .map(|thread| thread.join().expect("no asking thread panics"));
    let first = values[0];
    let equal = values
        .iter()
        .copied()
        .chain(more)
        .all(|value| value == first);
    let time = began.elapsed();
    assert!(equal, "callers of one key got different values");
    Herd {
        time,
        loads: take_loads(),
    }
}
