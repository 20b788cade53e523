//! Virtual time and tasks on one thread: nothing happens before it is asked for.

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::{Arc, Condvar, Mutex, Weak};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use larder::runtime::{BoxFuture, Clock, Runtime, Task, Timestamp};
use larder::{Builder, Cache, Observer};

pub(crate) struct World {
    clock: Clock,
    state: Mutex<State>,
    changed: Condvar,
    this: Weak<World>,
}

#[derive(Default)]
struct State {
    tasks: BTreeMap<u64, BoxFuture<'static, ()>>,
    ready: VecDeque<u64>,
    blocking: VecDeque<Box<dyn FnOnce() + Send>>,
    sleepers: BTreeMap<(u64, u64), Waker>,
    names: u64,
    random: u64,
    /// Loads behind and chores that the engine has spawned so far.
    loads: usize,
    chores: usize,
    /// Ids of the engine's loads and of its chores.
    load_ids: Vec<u64>,
    chore_ids: Vec<u64>,
}

struct WakeTask {
    id: u64,
    world: Weak<World>,
}

impl Wake for WakeTask {
    fn wake(self: Arc<Self>) {
        if let Some(world) = self.world.upgrade() {
            world.state.lock().unwrap().ready.push_back(self.id);
        }
    }
}

impl World {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new_cyclic(|this| Self {
            clock: Clock::manual(),
            state: Mutex::new(State {
                random: u64::MAX / 2,
                ..State::default()
            }),
            changed: Condvar::new(),
            this: this.clone(),
        })
    }

    pub(crate) fn builder(&self) -> Builder {
        Cache::builder().runtime(self.this.upgrade().unwrap())
    }

    pub(crate) fn cache(&self) -> Cache {
        self.builder().build().unwrap()
    }

    pub(crate) fn observed(&self, observer: impl Observer) -> Cache {
        self.builder().observer(observer).build().unwrap()
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// What the engine is given for chance from now on.
    pub(crate) fn set_random(&self, random: u64) {
        self.state.lock().unwrap().random = random;
    }

    /// How many loads behind the engine has started so far.
    pub(crate) fn loads(&self) -> usize {
        self.state.lock().unwrap().loads
    }

    /// How many chores the engine has started so far.
    pub(crate) fn chores(&self) -> usize {
        self.state.lock().unwrap().chores
    }

    pub(crate) fn sleepers(&self) -> usize {
        self.state.lock().unwrap().sleepers.len()
    }

    /// Blocks this thread until so many futures sleep: others are waiting.
    pub(crate) fn await_sleepers(&self, count: usize) {
        let state = self.state.lock().unwrap();
        let (_state, timeout) = self
            .changed
            .wait_timeout_while(state, Duration::from_secs(20), |s| s.sleepers.len() < count)
            .unwrap();
        assert!(!timeout.timed_out(), "fewer than {count} wait");
    }

    /// Starts a task; it runs when the world is asked to go on.
    pub(crate) fn spawn<T: Send + 'static>(
        &self,
        future: impl Future<Output = T> + Send + 'static,
    ) -> Running<T> {
        let end = Arc::new(Mutex::new(End::Going));
        let told = Arc::clone(&end);
        let mut future = Box::pin(future);
        // Like every runtime, this one keeps a task's panic away from the others.
        let task = std::future::poll_fn(move |context| {
            let polled = catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(context)));
            let ended = match polled {
                Ok(Poll::Pending) => return Poll::Pending,
                Ok(Poll::Ready(value)) => End::Done(value),
                Err(panic) => End::Panicked(text_of(&*panic)),
            };
            *told.lock().unwrap() = ended;
            Poll::Ready(())
        });
        let id = self.enqueue(Box::pin(task));
        Running {
            id,
            end,
            world: self.this.clone(),
        }
    }

    fn enqueue(&self, task: BoxFuture<'static, ()>) -> u64 {
        let mut state = self.state.lock().unwrap();
        state.names += 1;
        let id = state.names;
        state.tasks.insert(id, task);
        state.ready.push_back(id);
        id
    }

    /// Runs everything that can run now; time stands still.
    pub(crate) fn settle(&self) {
        loop {
            let mut state = self.state.lock().unwrap();
            if let Some(job) = state.blocking.pop_front() {
                drop(state);
                drop(catch_unwind(AssertUnwindSafe(job)));
                continue;
            }
            let Some(id) = state.ready.pop_front() else {
                return;
            };
            let Some(mut task) = state.tasks.remove(&id) else {
                continue;
            };
            drop(state);
            let waker = Waker::from(Arc::new(WakeTask {
                id,
                world: self.this.clone(),
            }));
            let poll = || task.as_mut().poll(&mut Context::from_waker(&waker));
            if let Ok(Poll::Pending) = catch_unwind(AssertUnwindSafe(poll)) {
                self.state.lock().unwrap().tasks.insert(id, task);
            }
        }
    }

    /// Lets time pass; every sleeper on the way wakes at its own instant.
    pub(crate) fn advance(&self, by: Duration) {
        let end = self.clock.now().after(by).as_nanos();
        self.settle();
        loop {
            let first = {
                let mut state = self.state.lock().unwrap();
                match state.sleepers.first_entry() {
                    Some(sleeper) if sleeper.key().0 <= end => {
                        Some((sleeper.key().0, sleeper.remove()))
                    }
                    _ => None,
                }
            };
            let Some((at, waker)) = first else { break };
            self.move_to(at);
            waker.wake();
            self.settle();
        }
        self.move_to(end);
        self.settle();
    }

    /// Moves the clock and wakes nobody: for use inside a task.
    pub(crate) fn clock_on(&self, by: Duration) {
        self.clock.advance(by);
    }

    fn move_to(&self, instant: u64) {
        let now = self.clock.now().as_nanos();
        let by = instant.saturating_sub(now);
        self.clock.advance(Duration::from_nanos(by));
    }

    /// Runs a future to its end, which must come without time passing.
    pub(crate) fn run<T: Send + 'static>(
        &self,
        future: impl Future<Output = T> + Send + 'static,
    ) -> T {
        let running = self.spawn(future);
        self.settle();
        running.value()
    }

    /// Drops all loads behind that are under way, as a runtime does when it is shut down.
    pub(crate) fn drop_loads(&self) {
        let mut state = self.state.lock().unwrap();
        let ids = std::mem::take(&mut state.load_ids);
        let dropped: Vec<_> = ids.iter().filter_map(|id| state.tasks.remove(id)).collect();
        let jobs = std::mem::take(&mut state.blocking);
        drop(state);
        drop((dropped, jobs));
    }
}

impl World {
    /// Drops all chores of the engine.
    pub(crate) fn drop_chores(&self) {
        let mut state = self.state.lock().unwrap();
        let ids = std::mem::take(&mut state.chore_ids);
        let dropped: Vec<_> = ids.iter().filter_map(|id| state.tasks.remove(id)).collect();
        drop(state);
        drop(dropped);
    }
}

fn text_of(panic: &(dyn std::any::Any + Send)) -> String {
    match panic.downcast_ref::<&str>() {
        Some(text) => (*text).to_owned(),
        None => panic.downcast_ref::<String>().cloned().unwrap_or_default(),
    }
}

impl fmt::Debug for World {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("World")
    }
}

impl Runtime for World {
    fn clock(&self) -> Clock {
        self.clock.clone()
    }

    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        Box::pin(Sleep {
            world: self.this.clone(),
            clock: self.clock.clone(),
            until: self.clock.now().after(duration).as_nanos(),
            place: None,
        })
    }

    fn spawn(&self, task: Task) {
        match task {
            Task::Load(future) => {
                let id = self.enqueue(future);
                let mut state = self.state.lock().unwrap();
                state.loads += 1;
                state.load_ids.push(id);
            }
            Task::BlockingLoad(job) => {
                let mut state = self.state.lock().unwrap();
                state.loads += 1;
                state.blocking.push_back(job);
            }
            Task::Chore(future) => {
                let id = self.enqueue(future);
                let mut state = self.state.lock().unwrap();
                state.chores += 1;
                state.chore_ids.push(id);
            }
        }
    }

    fn random(&self) -> u64 {
        self.state.lock().unwrap().random
    }
}

struct Sleep {
    world: Weak<World>,
    clock: Clock,
    until: u64,
    place: Option<(u64, u64)>,
}

impl Future for Sleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        if self.clock.now().as_nanos() >= self.until {
            return Poll::Ready(());
        }
        let Some(world) = self.world.upgrade() else {
            return Poll::Pending;
        };
        let mut state = world.state.lock().unwrap();
        state.names += 1;
        let name = state.names;
        let until = self.until;
        let place = *self.place.get_or_insert((until, name));
        let before = state.sleepers.insert(place, context.waker().clone());
        drop(state);
        drop(before);
        world.changed.notify_all();
        Poll::Pending
    }
}

impl Drop for Sleep {
    fn drop(&mut self) {
        if let (Some(place), Some(world)) = (self.place, self.world.upgrade()) {
            let waker = world.state.lock().unwrap().sleepers.remove(&place);
            drop(waker);
        }
    }
}

#[derive(Debug)]
enum End<T> {
    Going,
    Done(T),
    Panicked(String),
    Taken,
}

/// A task of a [`World`].
pub(crate) struct Running<T> {
    id: u64,
    end: Arc<Mutex<End<T>>>,
    world: Weak<World>,
}

impl<T> Running<T> {
    pub(crate) fn is_done(&self) -> bool {
        !matches!(*self.end.lock().unwrap(), End::Going)
    }

    /// What it came to, if it has ended and nobody took it.
    pub(crate) fn take(&self) -> Option<T> {
        let mut end = self.end.lock().unwrap();
        match std::mem::replace(&mut *end, End::Taken) {
            End::Done(value) => Some(value),
            other => {
                *end = other;
                None
            }
        }
    }

    /// What it came to; it must have ended.
    #[track_caller]
    pub(crate) fn value(&self) -> T {
        match std::mem::replace(&mut *self.end.lock().unwrap(), End::Taken) {
            End::Done(value) => value,
            End::Panicked(why) => panic!("the task panicked: {why}"),
            End::Going => panic!("the task waits for something"),
            End::Taken => panic!("the value was taken before"),
        }
    }

    /// What it panicked with; it must have panicked.
    #[track_caller]
    pub(crate) fn panic(&self) -> String {
        match std::mem::replace(&mut *self.end.lock().unwrap(), End::Taken) {
            End::Panicked(why) => why,
            _ => panic!("the task did not panic"),
        }
    }

    /// Drops the task where it stands.
    pub(crate) fn cancel(self) {
        let world = self.world.upgrade().unwrap();
        let task = world.state.lock().unwrap().tasks.remove(&self.id);
        drop(task);
    }
}
