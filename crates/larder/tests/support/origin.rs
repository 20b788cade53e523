//! A source that does as it is told and counts its calls.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, Weak};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use larder::runtime::Runtime;

use super::World;

/// An error that can be cloned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Oops(pub(crate) &'static str);

impl fmt::Display for Oops {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl std::error::Error for Oops {}

/// An error that cannot be cloned.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Silent(pub(crate) u32);

impl fmt::Display for Silent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "silent {}", self.0)
    }
}

impl std::error::Error for Silent {}

/// Closed until it is opened; what waits at it goes on then.
#[derive(Clone, Default)]
pub(crate) struct Gate(Arc<Mutex<(bool, Vec<Waker>)>>);

impl Gate {
    pub(crate) fn open(&self) {
        let mut gate = self.0.lock().unwrap();
        gate.0 = true;
        let waiting = std::mem::take(&mut gate.1);
        drop(gate);
        waiting.into_iter().for_each(Waker::wake);
    }

    pub(crate) fn pass(&self) -> Pass {
        Pass(self.clone())
    }
}

pub(crate) struct Pass(Gate);

impl Future for Pass {
    type Output = ();

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let mut gate = self.0.0.lock().unwrap();
        if gate.0 {
            return Poll::Ready(());
        }
        gate.1.push(context.waker().clone());
        Poll::Pending
    }
}

/// The source of a number: reads what it will give when it is called, waits at its gate, then gives it.
#[derive(Clone)]
pub(crate) struct Origin {
    state: Arc<Mutex<State>>,
    world: Weak<World>,
}

struct State {
    answer: Answer,
    gate: Option<Gate>,
    takes: Duration,
    calls: usize,
    running: usize,
    most_running: usize,
    on_call: Option<Arc<dyn Fn() + Send + Sync>>,
}

#[derive(Clone)]
enum Answer {
    Gives(u64),
    Fails(&'static str),
    Panics(&'static str),
}

impl Origin {
    pub(crate) fn new(world: &Arc<World>, first: u64) -> Self {
        Self {
            world: Arc::downgrade(world),
            state: Arc::new(Mutex::new(State {
                answer: Answer::Gives(first),
                gate: None,
                takes: Duration::ZERO,
                calls: 0,
                running: 0,
                most_running: 0,
                on_call: None,
            })),
        }
    }

    /// Calls from now on give this.
    pub(crate) fn gives(&self, value: u64) {
        self.state.lock().unwrap().answer = Answer::Gives(value);
    }

    pub(crate) fn fails(&self, why: &'static str) {
        self.state.lock().unwrap().answer = Answer::Fails(why);
    }

    pub(crate) fn panics(&self, why: &'static str) {
        self.state.lock().unwrap().answer = Answer::Panics(why);
    }

    /// Calls from now on take so long.
    pub(crate) fn takes(&self, time: Duration) {
        self.state.lock().unwrap().takes = time;
    }

    /// Calls from now on wait until this gate is opened.
    pub(crate) fn hold(&self) -> Gate {
        let gate = Gate::default();
        self.state.lock().unwrap().gate = Some(gate.clone());
        gate
    }

    /// Calls from now on wait for nothing; those that wait go on waiting.
    pub(crate) fn flow(&self) {
        self.state.lock().unwrap().gate = None;
    }

    /// Every call from now on does this too, after it has read what it will give.
    pub(crate) fn on_call(&self, act: impl Fn() + Send + Sync + 'static) {
        self.state.lock().unwrap().on_call = Some(Arc::new(act));
    }

    pub(crate) fn calls(&self) -> usize {
        self.state.lock().unwrap().calls
    }

    /// How many calls were under way at once.
    pub(crate) fn most_at_once(&self) -> usize {
        self.state.lock().unwrap().most_running
    }

    pub(crate) async fn call(&self) -> Result<u64, Oops> {
        let _inside = Inside::new(&self.state);
        let (answer, gate, takes, act) = {
            let state = self.state.lock().unwrap();
            let act = state.on_call.clone();
            (state.answer.clone(), state.gate.clone(), state.takes, act)
        };
        if let Some(act) = act {
            act();
        }
        if let Some(gate) = gate {
            gate.pass().await;
        }
        if !takes.is_zero() {
            let sleep = self.world.upgrade().unwrap().sleep(takes);
            sleep.await;
        }
        match answer {
            Answer::Gives(value) => Ok(value),
            Answer::Fails(why) => Err(Oops(why)),
            Answer::Panics(why) => panic!("{why}"),
        }
    }

    /// The same without waiting, for sync sources.
    pub(crate) fn call_now(&self) -> Result<u64, Oops> {
        let mut call = std::pin::pin!(self.call());
        match call.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(answer) => answer,
            Poll::Pending => panic!("a sync source cannot wait"),
        }
    }
}

struct Inside(Arc<Mutex<State>>);

impl Inside {
    fn new(state: &Arc<Mutex<State>>) -> Self {
        let mut inner = state.lock().unwrap();
        inner.calls += 1;
        inner.running += 1;
        inner.most_running = inner.most_running.max(inner.running);
        Self(Arc::clone(state))
    }
}

impl Drop for Inside {
    fn drop(&mut self) {
        self.0.lock().unwrap().running -= 1;
    }
}
