//! Tasks, sleepers and chance behind one lock; what a step is.

use std::fmt;
use std::future::Future;
use std::panic::{AssertUnwindSafe, Location, catch_unwind};
use std::pin::Pin;
use std::sync::{Arc, Weak};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use parking_lot::Mutex;

use super::sleep::Sleep;
use super::state::{Ended, Kind, Picked, State, Task};
use crate::runtime::{BoxFuture, Clock, InsteadOfParking, Timestamp, nanos};
use crate::scope;

/// Everything of one simulation.
#[derive(Debug)]
pub(super) struct World {
    pub(super) seed: u64,
    pub(super) clock: Clock,
    pub(super) state: Mutex<State>,
}

/// What a step came to.
enum Step {
    Ran,
    /// It is the turn of the future that this `block_on` polls itself.
    Mine,
    /// Nobody can go on.
    Idle,
}

/// Why a simulation cannot go on: tasks wait, nobody can wake them, and no time that passes will.
///
/// Its [`Display`](fmt::Display) names the seed and the tasks.
#[derive(Clone, Debug)]
pub struct Stuck {
    seed: u64,
    now: Timestamp,
    waiting: Vec<String>,
}

impl World {
    pub(super) fn new(seed: u64) -> Arc<Self> {
        Arc::new(Self {
            seed,
            clock: Clock::manual(),
            state: Mutex::new(State::new(seed)),
        })
    }

    pub(super) fn random(&self) -> u64 {
        self.state.lock().random()
    }

    pub(super) fn set_lag(&self, lag: Duration) {
        self.state.lock().lag = nanos(lag);
    }

    pub(super) fn panicked_behind(&self) -> usize {
        self.state.lock().panicked_behind
    }

    /// Adds a task, ready to be polled if it has a future; its number.
    pub(super) fn add(
        self: &Arc<Self>,
        kind: Kind,
        future: Option<BoxFuture<'static, ()>>,
        origin: Option<&'static Location<'static>>,
    ) -> usize {
        let mut state = self.state.lock();
        let number = state.tasks.len();
        let is_ready = future.is_some();
        let waker = Waker::from(Arc::new(Wakes {
            number,
            world: Arc::downgrade(self),
        }));
        state.tasks.push(Some(Task {
            future,
            waker,
            is_ready,
            is_cancelled: false,
            kind,
            origin,
        }));
        if is_ready {
            state.ready.push(number);
        }
        state.unfinished += usize::from(kind.must_end());
        number
    }

    /// Drops a task's future where it stands; false when it has ended already.
    pub(super) fn cancel(&self, number: usize) -> bool {
        let mut state = self.state.lock();
        let Some(task) = &mut state.tasks[number] else {
            return false;
        };
        task.is_cancelled = true;
        if task.future.is_none() {
            // It cancels itself: it goes when its poll is over.
            return true;
        }
        let task = state.end(number);
        // Dropping a future runs code of its owner.
        drop(state);
        drop(task);
        true
    }

    /// Runs until every task but the chores has ended.
    pub(super) fn run(self: &Arc<Self>) -> Result<(), Stuck> {
        while self.state.lock().unfinished > 0 {
            if matches!(self.step(None), Step::Idle) {
                return Err(self.stuck());
            }
        }
        Ok(())
    }

    /// Polls `future` as one task among the others, on this stack.
    pub(super) fn drive(
        self: &Arc<Self>,
        mut future: Pin<&mut dyn Future<Output = ()>>,
        origin: Option<&'static Location<'static>>,
    ) -> Result<(), Stuck> {
        let number = self.add(Kind::Blocking, None, origin);
        let mine = OnStack {
            world: self,
            number,
        };
        let waker = self.waker(number);
        let mut context = Context::from_waker(&waker);
        loop {
            let polled = future.as_mut().poll(&mut context);
            self.pass_time();
            if polled.is_ready() {
                drop(mine);
                return Ok(());
            }
            loop {
                match self.step(Some(number)) {
                    Step::Ran => {}
                    Step::Idle => return Err(self.stuck()),
                    Step::Mine => break,
                }
            }
        }
    }

    fn waker(&self, number: usize) -> Waker {
        let state = self.state.lock();
        let task = state.tasks[number].as_ref();
        task.expect("a task that is being driven").waker.clone()
    }

    /// One poll of one task that the seed picks; if there is none, time passes until a sleeper wakes.
    fn step(self: &Arc<Self>, mine: Option<usize>) -> Step {
        let picked = self.state.lock().pick(mine);
        match picked {
            Picked::Mine => Step::Mine,
            Picked::Task(number, future, waker, kind) => {
                self.poll(number, future, &waker, kind);
                Step::Ran
            }
            Picked::None if self.skip_time() => Step::Ran,
            Picked::None => Step::Idle,
        }
    }

    fn poll(&self, number: usize, mut future: BoxFuture<'static, ()>, waker: &Waker, kind: Kind) {
        let mut context = Context::from_waker(waker);
        // A scope around the run is not around what others started.
        let poll = || scope::outside(|| future.as_mut().poll(&mut context));
        let polled = catch_unwind(AssertUnwindSafe(poll));
        self.pass_time();
        let mut state = self.state.lock();
        let ended = match polled {
            Ok(Poll::Pending) => state.put_back(number, future),
            Ok(Poll::Ready(())) => Ended(state.end(number), Some(future), None),
            Err(panic) => {
                state.panicked_behind += usize::from(kind != Kind::Own);
                Ended(state.end(number), Some(future), Some(panic))
            }
        };
        drop(state);
        let Ended(task, future, panic) = ended;
        // What is dropped here is the test's own, and may wake others.
        drop((task, future));
        if let Some(panic) = panic
            && kind == Kind::Own
        {
            std::panic::resume_unwind(panic);
        }
    }

    /// What a poll costs: nothing, unless the simulation was told otherwise.
    fn pass_time(&self) {
        let mut state = self.state.lock();
        if state.lag == 0 {
            return;
        }
        let lag = state.lag;
        let took = state.random() % (lag + 1);
        self.clock.advance(Duration::from_nanos(took));
        let due = state.due(self.clock.now());
        drop(state);
        due.into_iter().for_each(Waker::wake);
    }

    /// Moves the clock to the next sleeper; false when there is none.
    fn skip_time(&self) -> bool {
        let mut state = self.state.lock();
        let Some((&(until, _), _)) = state.sleepers.first_key_value() else {
            return false;
        };
        let now = self.clock.now();
        self.clock.advance(Timestamp(until).since(now));
        let due = state.due(self.clock.now());
        drop(state);
        due.into_iter().for_each(Waker::wake);
        true
    }

    fn stuck(&self) -> Stuck {
        let state = self.state.lock();
        let tasks = state.tasks.iter().enumerate();
        let waiting = tasks.filter_map(|(number, task)| {
            let task = task.as_ref().filter(|task| task.kind != Kind::Chore)?;
            Some(match task.origin {
                Some(origin) => format!("task {number} from {origin}"),
                None => format!("task {number}, {:?}", task.kind),
            })
        });
        Stuck {
            seed: self.seed,
            now: self.clock.now(),
            waiting: waiting.collect(),
        }
    }

    pub(super) fn sleep(self: &Arc<Self>, duration: Duration) -> BoxFuture<'static, ()> {
        Box::pin(Sleep {
            world: Arc::downgrade(self),
            until: self.clock.now().after(duration),
            place: None,
        })
    }
}

impl InsteadOfParking for World {
    /// On the thread of all tasks: parking it would stop whoever could wake it.
    fn drive(self: Arc<Self>, future: Pin<&mut dyn Future<Output = ()>>) {
        let polled = future.poll(&mut Context::from_waker(Waker::noop()));
        assert!(
            polled.is_ready(),
            "a blocking call waits inside an async task (seed {}): it would never end on one thread. Start it with `Simulation::spawn_blocking`",
            self.seed
        );
    }
}

/// The place of a `block_on` among the tasks, given up also in a panic.
struct OnStack<'a> {
    world: &'a World,
    number: usize,
}

impl Drop for OnStack<'_> {
    fn drop(&mut self) {
        let task = self.world.state.lock().end(self.number);
        drop(task);
    }
}

/// Weak: wakers lie in sleepers and in flights, and the world holds both.
struct Wakes {
    number: usize,
    world: Weak<World>,
}

impl Wake for Wakes {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        let Some(world) = self.world.upgrade() else {
            return;
        };
        let mut state = world.state.lock();
        if let Some(task) = &mut state.tasks[self.number]
            && !task.is_ready
        {
            task.is_ready = true;
            state.ready.push(self.number);
        }
    }
}

impl fmt::Display for Stuck {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "nobody can go on (seed {}, {:?} after the start): {} wait, and nothing will wake them",
            self.seed,
            self.now.since(Clock::manual().now()),
            self.waiting.join(", ")
        )
    }
}

impl std::error::Error for Stuck {}
