//! The simulation's face: a runtime, tasks, time.

use std::future::Future;
use std::panic::Location;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use parking_lot::Mutex;

use super::blocking::Blocking;
use super::state::Kind;
use super::world::{Stuck, World};
use crate::cache::{Builder, Cache};
use crate::runtime::{BoxFuture, Clock, Runtime, Task, block_on, instead_of_parking};

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
        let tells = Tells(Arc::clone(&outcome));
        let task = async move { tells.with(future.await) };
        self.add(Box::pin(task), outcome, Location::caller())
    }

    /// Starts a blocking task: a thread of its own that runs only while it is its turn.
    ///
    /// Its turn ends where a call of Larder would park the thread: in a cached sync function that waits for another's load, in
    /// [`wait`](crate::GetOrLoad::wait), in [`wait`](Self::wait). It must not block on anything else.
    ///
    /// ```
    /// let simulation = larder::testing::Simulation::new(3);
    /// let cache = simulation.cache_builder().build()?;
    /// for _ in 0..3 {
    ///     let cache = cache.clone();
    ///     simulation.spawn_blocking(move || {
    ///         let one = || Ok::<_, std::io::Error>(1);
    ///         cache.blocking().get_or_load("one", one).ttl("1m").wait()
    ///     });
    /// }
    /// simulation.run();
    /// assert_eq!(cache.stats().loads, 1);
    /// # Ok::<(), larder::Error>(())
    /// ```
    #[track_caller]
    pub fn spawn_blocking<T: Send + 'static>(
        &self,
        job: impl FnOnce() -> T + Send + 'static,
    ) -> Spawned<T> {
        let outcome = Arc::new(Outcome::default());
        let tells = Tells(Arc::clone(&outcome));
        let task = Blocking::new(move || tells.with(job()));
        self.add(Box::pin(task), outcome, Location::caller())
    }

    fn add<T>(
        &self,
        task: BoxFuture<'static, ()>,
        outcome: Arc<Outcome<T>>,
        origin: &'static Location<'static>,
    ) -> Spawned<T> {
        Spawned {
            number: self.world.add(Kind::Own, Some(task), Some(origin)),
            world: Arc::clone(&self.world),
            outcome,
        }
    }

    /// Waits for a future inside a blocking task.
    ///
    /// # Panics
    /// In an async task, when the future is not ready at once: await it there.
    pub fn wait<F: Future>(&self, future: F) -> F::Output {
        block_on(future)
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
            Task::BlockingLoad(job) => (Kind::Load, Box::pin(Blocking::new(job))),
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

impl<T> Tells<T> {
    fn with(self, output: T) {
        self.0.state.lock().output = Some(output);
    }
}

impl<T> Drop for Tells<T> {
    fn drop(&mut self) {
        let mut state = self.0.state.lock();
        state.ended = true;
        let waiting = state.waiting.take();
        drop(state);
        waiting.into_iter().for_each(Waker::wake);
    }
}
