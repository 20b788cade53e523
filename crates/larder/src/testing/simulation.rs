//! The simulation's face: a runtime, tasks, time.

use std::future::Future;
use std::panic::Location;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use parking_lot::Mutex;

use super::world::{Kind, Stuck, World};
use crate::cache::{Builder, Cache};
use crate::runtime::{BoxFuture, Clock, Runtime, Task, instead_of_parking};

/// A world of its own: tasks on one thread, a clock that moves only when nobody can go on, chance from a seed.
///
/// Cheap to clone; all clones are one simulation, and sources may hold one. Time does not pass while a task runs: a load that should take time
/// has to [`sleep`](Self::sleep), one that should be overtaken has to [`yield_now`](super::yield_now).
///
/// ```
/// use std::time::Duration;
/// let simulation = larder::testing::Simulation::new(42);
/// let cache = simulation.cache_builder().build()?;
/// cache.blocking().set("k", &1_u64).ttl("1h").wait()?;
/// simulation.advance(Duration::from_secs(3_600));
/// assert!(!cache.blocking().exists("k")?);
/// # Ok::<(), larder::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Simulation {
    world: Arc<World>,
}

impl Simulation {
    /// A world whose chance is this seed.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self {
            world: World::new(seed),
        }
    }

    /// Lets every poll take a random time of up to `lag`, so that time limits can be hit while others are busy.
    ///
    /// Without it a time limit passes only when everybody waits.
    #[must_use]
    pub fn with_lag(self, lag: Duration) -> Self {
        self.world.set_lag(lag);
        self
    }

    /// The seed it was made from.
    #[must_use]
    pub fn seed(&self) -> u64 {
        self.world.seed
    }

    /// The runtime to build caches with.
    #[must_use]
    pub fn runtime(&self) -> Arc<dyn Runtime> {
        Arc::new(self.clone())
    }

    /// A builder of a cache that lives in this simulation.
    pub fn cache_builder(&self) -> Builder {
        Cache::builder().runtime(self.runtime())
    }

    /// Starts a task. It runs when the simulation does, and a panic in it ends the run.
    #[track_caller]
    pub fn spawn<F>(&self, future: F) -> Spawned<F::Output>
    where
        F: Future<Output: Send> + Send + 'static,
    {
        let outcome = Arc::new(Outcome::default());
        let (done, origin) = (Tells(Arc::clone(&outcome)), Location::caller());
        let task = Box::pin(async move {
            let output = future.await;
            done.0.state.lock().output = Some(output);
        });
        Spawned {
            number: self.world.add(Kind::Own, Some(task), Some(origin)),
            world: Arc::clone(&self.world),
            outcome,
        }
    }

    /// Runs until all tasks and all background loads have ended.
    ///
    /// # Panics
    /// With the panic of a task; with [`Stuck`] when some wait and nothing will ever wake them.
    pub fn run(&self) {
        if let Err(stuck) = self.try_run() {
            panic!("{stuck}");
        }
    }

    /// Runs until all tasks and all background loads have ended, or cannot end.
    ///
    /// # Errors
    /// [`Stuck`] when some wait and nothing will ever wake them.
    pub fn try_run(&self) -> Result<(), Stuck> {
        let _instead = instead_of_parking(Arc::clone(&self.world) as _);
        self.world.run()
    }

    /// Runs until a future is done. The other tasks run meanwhile, and stay where they are afterwards.
    ///
    /// # Panics
    /// As [`run`](Self::run).
    #[track_caller]
    pub fn block_on<F: Future>(&self, future: F) -> F::Output {
        let _instead = instead_of_parking(Arc::clone(&self.world) as _);
        let mut output = None;
        let origin = Some(Location::caller());
        let driven = self
            .world
            .drive(pin!(async { output = Some(future.await) }), origin);
        if let Err(stuck) = driven {
            panic!("{stuck}");
        }
        output.expect("a future that is done has an output")
    }

    /// Lets time pass: everything that is due meanwhile happens at its time.
    pub fn advance(&self, by: Duration) {
        self.block_on(self.sleep(by));
    }

    /// Resolves after `duration` of virtual time.
    #[must_use]
    pub fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        self.world.sleep(duration)
    }

    /// 64 bits of this seed's chance.
    #[must_use]
    pub fn random(&self) -> u64 {
        self.world.random()
    }

    /// How many background loads have panicked. As in other runtimes, such a panic ends the load and nothing else.
    #[must_use]
    pub fn panicked_behind(&self) -> usize {
        self.world.panicked_behind()
    }
}

impl Runtime for Simulation {
    fn clock(&self) -> Clock {
        self.world.clock.clone()
    }

    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        self.world.sleep(duration)
    }

    fn spawn(&self, task: Task) {
        let (kind, future): (_, BoxFuture<'static, ()>) = match task {
            Task::Load(future) => (Kind::Load, future),
            Task::BlockingLoad(job) => (Kind::Load, Box::pin(async move { job() })),
            Task::Chore(future) => (Kind::Chore, future),
        };
        self.world.add(kind, Some(future), None);
    }

    fn random(&self) -> u64 {
        self.world.random()
    }
}

/// A task of a [`Simulation`]. Awaited, it gives the task's output, or `None` when the task was cancelled. Dropping it lets the task go on.
#[derive(Debug)]
pub struct Spawned<T> {
    number: usize,
    world: Arc<World>,
    outcome: Arc<Outcome<T>>,
}

impl<T> Spawned<T> {
    /// Drops the task where it stands, as a caller that goes away does; false when it has ended already.
    pub fn cancel(&self) -> bool {
        self.world.cancel(self.number)
    }
}

impl<T> Future for Spawned<T> {
    type Output = Option<T>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<T>> {
        let mut state = self.outcome.state.lock();
        if state.ended {
            return Poll::Ready(state.output.take());
        }
        state.waiting = Some(context.waker().clone());
        Poll::Pending
    }
}

#[derive(Debug)]
struct Outcome<T> {
    state: Mutex<OutcomeState<T>>,
}

#[derive(Debug)]
struct OutcomeState<T> {
    output: Option<T>,
    ended: bool,
    waiting: Option<Waker>,
}

impl<T> Default for Outcome<T> {
    fn default() -> Self {
        Self {
            state: Mutex::new(OutcomeState {
                output: None,
                ended: false,
                waiting: None,
            }),
        }
    }
}

/// Tells who awaits the task that it has ended, however that came about.
struct Tells<T>(Arc<Outcome<T>>);

impl<T> Drop for Tells<T> {
    fn drop(&mut self) {
        let mut state = self.0.state.lock();
        state.ended = true;
        let waiting = state.waiting.take();
        drop(state);
        waiting.into_iter().for_each(Waker::wake);
    }
}
