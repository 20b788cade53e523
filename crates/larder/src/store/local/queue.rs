//! Jobs for threads, bounded in number and in bytes; who finds it full waits without a thread.

use std::collections::{BTreeMap, VecDeque};
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};
use std::time::Instant;

use parking_lot::{Condvar, Mutex};

/// Jobs in flight.
const MOST_JOBS: usize = 1_024;
/// What the jobs in flight may hold together, in bytes; one that is larger is let in alone.
const MOST_BYTES: usize = 64 << 20;

pub(crate) struct Queue<J> {
    inner: Mutex<Inner<J>>,
    ready: Condvar,
}

struct Inner<J> {
    jobs: VecDeque<(J, usize)>,
    bytes: usize,
    closed: bool,
    waiting: BTreeMap<u64, Waker>,
    next: u64,
}

/// What a thread finds.
pub(crate) enum Popped<J> {
    Job(J),
    /// Nothing came until the deadline.
    Idle,
    /// Nothing will come any more.
    Closed,
}

impl<J> Inner<J> {
    fn has_room(&self, weight: usize) -> bool {
        self.jobs.is_empty()
            || (self.jobs.len() < MOST_JOBS && self.bytes.saturating_add(weight) <= MOST_BYTES)
    }

    /// Takes the first job, and whom to wake: all who wait, once half of the room is free.
    fn take(&mut self) -> Option<(J, BTreeMap<u64, Waker>)> {
        let (job, weight) = self.jobs.pop_front()?;
        self.bytes -= weight;
        let roomy = self.jobs.len() <= MOST_JOBS / 2 && self.bytes <= MOST_BYTES / 2;
        let woken = match roomy {
            true => std::mem::take(&mut self.waiting),
            false => BTreeMap::new(),
        };
        Some((job, woken))
    }
}

impl<J> Queue<J> {
    pub(crate) fn new() -> Self {
        Self {
            inner: Mutex::new(Inner {
                jobs: VecDeque::new(),
                bytes: 0,
                closed: false,
                waiting: BTreeMap::new(),
                next: 0,
            }),
            ready: Condvar::new(),
        }
    }

    /// Hands in a job that holds so many bytes; `false` when the queue is closed.
    pub(crate) fn push(&self, job: J, weight: usize) -> Push<'_, J> {
        Push {
            queue: self,
            job: Some(job),
            weight,
            ticket: None,
        }
    }

    /// Waits for a job.
    pub(crate) fn pop(&self, until: Option<Instant>) -> Popped<J> {
        let mut inner = self.inner.lock();
        let (job, woken) = loop {
            if let Some(taken) = inner.take() {
                break taken;
            }
            if inner.closed {
                return Popped::Closed;
            }
            match until {
                None => self.ready.wait(&mut inner),
                Some(until) => {
                    if self.ready.wait_until(&mut inner, until).timed_out()
                        && inner.jobs.is_empty()
                        && !inner.closed
                    {
                        return Popped::Idle;
                    }
                }
            }
        };
        drop(inner);
        woken.into_values().for_each(Waker::wake);
        Popped::Job(job)
    }

    /// Takes a job if one is there.
    #[cfg(feature = "sqlite")]
    pub(crate) fn pop_now(&self) -> Option<J> {
        let (job, woken) = self.inner.lock().take()?;
        woken.into_values().for_each(Waker::wake);
        Some(job)
    }

    /// Lets nothing in any more and drops what waits: its askers are told that nobody will answer.
    pub(crate) fn close(&self) {
        let (jobs, waiting) = {
            let mut inner = self.inner.lock();
            inner.closed = true;
            inner.bytes = 0;
            (
                std::mem::take(&mut inner.jobs),
                std::mem::take(&mut inner.waiting),
            )
        };
        self.ready.notify_all();
        drop(jobs);
        waiting.into_values().for_each(Waker::wake);
    }
}

/// See [`Queue::push`].
pub(crate) struct Push<'a, J> {
    queue: &'a Queue<J>,
    job: Option<J>,
    weight: usize,
    ticket: Option<u64>,
}

/// The job is never pinned.
impl<J> Unpin for Push<'_, J> {}

impl<J> Future for Push<'_, J> {
    type Output = bool;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<bool> {
        let mut inner = self.queue.inner.lock();
        if inner.closed {
            drop(inner);
            return Poll::Ready(false);
        }
        if !inner.has_room(self.weight) {
            let ticket = *self.ticket.get_or_insert(inner.next);
            inner.next = inner.next.max(ticket + 1);
            let before = inner.waiting.insert(ticket, context.waker().clone());
            drop(inner);
            drop(before);
            return Poll::Pending;
        }
        if let Some(job) = self.job.take() {
            inner.jobs.push_back((job, self.weight));
            inner.bytes += self.weight;
        }
        drop(inner);
        self.queue.ready.notify_one();
        Poll::Ready(true)
    }
}

impl<J> Drop for Push<'_, J> {
    fn drop(&mut self) {
        if let Some(ticket) = self.ticket {
            // A waker may run anything when it is dropped.
            let waker = self.queue.inner.lock().waiting.remove(&ticket);
            drop(waker);
        }
    }
}
