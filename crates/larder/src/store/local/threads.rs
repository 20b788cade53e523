//! Some threads that work off one queue. They start with the first job and end with the store.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use parking_lot::Mutex;

use super::answer::{Answer, Promise, answer};
use super::{Failure, Queue};
use crate::error::ErrorKind;

pub(crate) struct Threads<J: Send + 'static> {
    queue: Arc<Queue<J>>,
    state: Mutex<State<J>>,
}

type Body<J> = Arc<dyn Fn(&Queue<J>) + Send + Sync>;

enum State<J> {
    Waiting {
        name: &'static str,
        count: usize,
        body: Body<J>,
    },
    Running(Answer<()>),
    Closed,
}

impl<J: Send + 'static> Threads<J> {
    /// Threads that each run `body`, which ends when its queue is closed.
    pub(crate) fn new(
        name: &'static str,
        count: usize,
        body: impl Fn(&Queue<J>) + Send + Sync + 'static,
    ) -> Self {
        let body: Body<J> = Arc::new(body);
        Self {
            queue: Arc::new(Queue::new()),
            state: Mutex::new(State::Waiting { name, count, body }),
        }
    }

    /// Hands in a job that holds so many bytes.
    pub(crate) async fn push(&self, job: J, weight: usize) -> Result<(), Failure> {
        self.start()?;
        match self.queue.push(job, weight).await {
            true => Ok(()),
            false => Err(Failure::closed()),
        }
    }

    /// Starts the threads, if they have not.
    pub(crate) fn start(&self) -> Result<(), Failure> {
        let mut state = self.state.lock();
        let (name, count, body) = match &*state {
            State::Running(_) => return Ok(()),
            State::Closed => return Err(Failure::closed()),
            State::Waiting { name, count, body } => (*name, *count, Arc::clone(body)),
        };
        let (promise, ended) = answer();
        let promise: Arc<Promise<()>> = Arc::new(promise);
        for number in 0..count {
            let (queue, body) = (Arc::clone(&self.queue), Arc::clone(&body));
            let promise = Arc::clone(&promise);
            let spawned = std::thread::Builder::new()
                .name(name.to_owned())
                .spawn(move || {
                    body(&queue);
                    // What the body holds is let go of before the last word.
                    drop((body, queue));
                    drop(promise);
                });
            match spawned {
                Ok(_) => {}
                // Fewer threads do the same, later.
                Err(_) if number > 0 => break,
                Err(error) => {
                    return Err(Failure::new(
                        ErrorKind::Unavailable,
                        format!("no thread could be started: {error}"),
                    ));
                }
            }
        }
        *state = State::Running(ended);
        Ok(())
    }

    /// Ends the threads and waits until they have ended.
    pub(crate) async fn close(&self) {
        self.queue.close();
        let before = std::mem::replace(&mut *self.state.lock(), State::Closed);
        if let State::Running(ended) = before {
            ended.await;
        }
    }
}

impl<J: Send + 'static> Drop for Threads<J> {
    fn drop(&mut self) {
        self.queue.close();
    }
}

/// Runs a job; a panic ends the job, not its thread.
pub(crate) fn unwinding<T>(job: impl FnOnce() -> T) -> Option<T> {
    catch_unwind(AssertUnwindSafe(job)).ok()
}
