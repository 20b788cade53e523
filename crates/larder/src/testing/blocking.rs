//! Blocking code in a simulation: a thread that runs only while it is its turn.

use std::any::Any;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::thread::JoinHandle;

use parking_lot::{Condvar, Mutex};

use crate::runtime::{InsteadOfParking, instead_of_parking};

/// A blocking job as a future: each poll is one turn of its thread, up to where the job would park.
///
/// Never do both sides run at once, so the seed decides over blocking code as it does over tasks.
pub(super) struct Blocking {
    job: Option<Box<dyn FnOnce() + Send>>,
    thread: Option<JoinHandle<()>>,
    baton: Arc<Baton>,
}

/// Whose turn it is.
enum Turn {
    Scheduler,
    Job,
    /// The simulation is gone: the job has to unwind.
    GiveUp,
    Ended(Result<(), Box<dyn Any + Send>>),
}

struct Baton {
    turn: Mutex<Turn>,
    changed: Condvar,
    /// Wakes the task whose thread this is.
    waker: Mutex<Waker>,
}

/// Unwinds a job that has nobody to go on for.
struct GivenUp;

impl Blocking {
    pub(super) fn new(job: impl FnOnce() + Send + 'static) -> Self {
        Self {
            job: Some(Box::new(job)),
            thread: None,
            baton: Arc::new(Baton {
                turn: Mutex::new(Turn::Scheduler),
                changed: Condvar::new(),
                waker: Mutex::new(Waker::noop().clone()),
            }),
        }
    }

    fn start(&mut self, job: Box<dyn FnOnce() + Send>) {
        let baton = Arc::clone(&self.baton);
        let spawned = std::thread::Builder::new()
            .name("larder-simulated".into())
            .spawn(move || {
                let outcome = catch_unwind(AssertUnwindSafe(|| {
                    baton.wait_for_turn();
                    let _instead = instead_of_parking(Arc::clone(&baton) as _);
                    job();
                }));
                baton.pass(Turn::Ended(outcome));
            });
        self.thread = Some(spawned.expect("larder: cannot start a thread for a blocking task"));
    }
}

impl Baton {
    fn pass(&self, turn: Turn) {
        *self.turn.lock() = turn;
        self.changed.notify_all();
    }

    /// On the job's thread.
    fn wait_for_turn(&self) {
        let mut turn = self.turn.lock();
        loop {
            match &*turn {
                Turn::Job => return,
                Turn::GiveUp => break,
                Turn::Scheduler | Turn::Ended(_) => self.changed.wait(&mut turn),
            }
        }
        drop(turn);
        resume_unwind(Box::new(GivenUp));
    }

    /// On the scheduler's thread: what the job came to.
    fn wait_for_job(&self) -> Option<Result<(), Box<dyn Any + Send>>> {
        let mut turn = self.turn.lock();
        while matches!(&*turn, Turn::Job | Turn::GiveUp) {
            self.changed.wait(&mut turn);
        }
        match std::mem::replace(&mut *turn, Turn::Scheduler) {
            Turn::Ended(outcome) => Some(outcome),
            _ => None,
        }
    }
}

impl InsteadOfParking for Baton {
    fn drive(self: Arc<Self>, mut future: Pin<&mut dyn Future<Output = ()>>) {
        loop {
            let waker = self.waker.lock().clone();
            let polled = future.as_mut().poll(&mut Context::from_waker(&waker));
            if polled.is_ready() {
                return;
            }
            self.pass(Turn::Scheduler);
            self.wait_for_turn();
        }
    }
}

impl Future for Blocking {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        context.waker().clone_into(&mut self.baton.waker.lock());
        if let Some(job) = self.job.take() {
            self.start(job);
        }
        self.baton.pass(Turn::Job);
        let Some(outcome) = self.baton.wait_for_job() else {
            return Poll::Pending;
        };
        if let Some(thread) = self.thread.take() {
            // It has ended but for its thread locals, which must be gone before the simulation goes on.
            drop(thread.join());
        }
        match outcome {
            Ok(()) => Poll::Ready(()),
            Err(panic) => resume_unwind(panic),
        }
    }
}

impl Drop for Blocking {
    fn drop(&mut self) {
        if let Some(thread) = self.thread.take() {
            self.baton.pass(Turn::GiveUp);
            drop(thread.join());
        }
    }
}
