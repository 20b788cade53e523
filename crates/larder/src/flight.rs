//! At most one load per key: one leads, the others wait, threads and tasks alike.
//!
//! Waiting is a waker, whatever waits: a task has its own, a thread has one that unparks it. A leader that fails, is dropped or
//! panics ends its flight with [`Landing::Retry`]: all who waited ask again, the first of them leads the next flight.

use std::any::Any;
use std::cell::RefCell;
use std::collections::HashMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::{Context, Poll, Waker};

use crate::entry::{Kind, Value};
use crate::guard::mark;
use crate::key::Key;
use crate::loaded::{Offer, Offering};
use crate::scope::Mask;
use crate::shim::{Mutex, thread_local};

/// How a flight ended for those who waited.
#[derive(Clone, Debug)]
pub(crate) enum Landing {
    /// A value, under these tags, computed with what stood at the tag epoch `as_of`.
    Value {
        kind: Kind,
        value: Value,
        tags: Arc<[Key]>,
        as_of: u64,
        /// From when on it is due for a reload; `u64::MAX` for one that has just been loaded.
        due: u64,
        /// For a value that a store answered: when it was asked, see [`moment`].
        asked: Option<u64>,
    },
    /// The source answered, and has nothing for this key.
    Absent {
        tags: Arc<[Key]>,
        as_of: u64,
        asked: Option<u64>,
    },
    /// The source's error, shared because it can be cloned.
    Failed {
        error: Arc<dyn Any + Send + Sync>,
        /// Whether a guard refused.
        refused: bool,
    },
    /// Nothing that can be shared: ask again.
    Retry,
}

/// A number that is larger than all that were given before, anywhere in the process.
///
/// What a store answers is true for those who began to ask before the store was asked; others might miss what another process has invalidated in between.
pub(crate) fn moment() -> u64 {
    static MOMENTS: AtomicU64 = AtomicU64::new(1);
    MOMENTS.fetch_add(1, Ordering::AcqRel)
}

#[derive(Debug)]
pub(crate) struct Flight {
    id: u64,
    /// The tag epoch when the load began.
    pub(crate) as_of: u64,
    /// Of a recording: since when its consumer has the last item and asks for no other; [`IN_SOURCE`] while it does ask.
    pub(crate) held: AtomicU64,
    /// Whether its readers have been given what is kept: who comes need not wait either.
    behind: AtomicBool,
    state: Mutex<State>,
}

/// The leader waits for its source, not for its consumer.
pub(crate) const IN_SOURCE: u64 = 0;

/// Not a recording: whoever leads it waits for nobody but the source.
const NO_CONSUMER: u64 = u64::MAX;

#[derive(Debug, Default)]
struct State {
    landing: Option<Landing>,
    /// A follower keeps its place; a place that was given up is `None`.
    waiting: Vec<Option<Waker>>,
    followers: usize,
}

impl Flight {
    pub(crate) fn new(as_of: u64) -> Arc<Self> {
        static IDS: AtomicU64 = AtomicU64::new(1);
        Arc::new(Self {
            id: IDS.fetch_add(1, Ordering::Relaxed),
            as_of,
            held: AtomicU64::new(NO_CONSUMER),
            behind: AtomicBool::new(false),
            state: Mutex::default(),
        })
    }

    /// A flight whose leader passes on what it loads, item by item, to a consumer that may stall.
    pub(crate) fn of_recording(as_of: u64) -> Arc<Self> {
        let flight = Self::new(as_of);
        flight.held.store(IN_SOURCE, Ordering::Relaxed);
        flight
    }

    /// From now on it runs behind its readers.
    pub(crate) fn go_behind(&self) {
        self.behind.store(true, Ordering::Release);
    }

    pub(crate) fn is_behind(&self) -> bool {
        self.behind.load(Ordering::Acquire)
    }

    pub(crate) fn is_recording(&self) -> bool {
        self.held.load(Ordering::Acquire) != NO_CONSUMER
    }

    /// Whether the leader's consumer has asked for nothing since `instant`.
    pub(crate) fn is_stalled_since(&self, instant: u64) -> bool {
        let held = self.held.load(Ordering::Acquire);
        held != IN_SOURCE && held <= instant
    }

    pub(crate) fn has_followers(&self) -> bool {
        self.state.lock().followers > 0
    }

    /// Ends the flight; only the first call counts.
    pub(crate) fn land(&self, landing: Landing) {
        let mut state = self.state.lock();
        if state.landing.is_some() {
            return;
        }
        state.landing = Some(landing);
        let waiting = std::mem::take(&mut state.waiting);
        // A waker is foreign code: never call it under the lock.
        drop(state);
        waiting.into_iter().flatten().for_each(Waker::wake);
    }

    /// Waits for the end of the flight.
    pub(crate) fn follow(self: &Arc<Self>) -> Follow {
        self.state.lock().followers += 1;
        Follow {
            flight: Arc::clone(self),
            place: None,
        }
    }
}

/// Waits for a flight to end. Dropping it gives the place up and disturbs nobody.
#[derive(Debug)]
pub(crate) struct Follow {
    flight: Arc<Flight>,
    place: Option<usize>,
}

impl Future for Follow {
    type Output = Landing;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Landing> {
        let waker = context.waker().clone();
        let this = &mut *self;
        let mut state = this.flight.state.lock();
        if let Some(landing) = &state.landing {
            return Poll::Ready(landing.clone());
        }
        let replaced = match this.place {
            Some(place) => state.waiting[place].replace(waker),
            None => {
                this.place = Some(state.waiting.len());
                state.waiting.push(Some(waker));
                None
            }
        };
        drop(state);
        drop(replaced);
        Poll::Pending
    }
}

impl Drop for Follow {
    fn drop(&mut self) {
        let mut state = self.flight.state.lock();
        state.followers -= 1;
        // After the landing the places are gone.
        let waker = self
            .place
            .and_then(|place| state.waiting.get_mut(place)?.take());
        drop(state);
        drop(waker);
    }
}

thread_local! {
    /// The flights whose sources are being polled on this thread, outermost first.
    static LEADING: RefCell<Vec<u64>> = const { RefCell::new(Vec::new()) };
}

/// Which leaders wait for which flights. Only loads inside loads are in it, so it is nearly always empty.
static WAITS: parking_lot::Mutex<Option<HashMap<u64, Vec<u64>>>> = parking_lot::Mutex::new(None);

/// Polls a source as the leader of a flight, so that a call for its own key is noticed.
pub(crate) struct Led<F> {
    flights: Vec<u64>,
    offer: Option<Offer>,
    source: F,
}

impl<F> Led<F> {
    /// A source that answers for all of these flights, and what it may see of what is kept.
    pub(crate) fn new(flights: &[&Flight], offer: Option<Offer>, source: F) -> Self {
        Self {
            flights: flights.iter().map(|flight| flight.id).collect(),
            offer,
            source,
        }
    }
}

/// Leads end in the order opposite to their begin, also in a panic.
struct Pop(usize);

impl Drop for Pop {
    fn drop(&mut self) {
        LEADING.with(|leading| leading.borrow_mut().truncate(self.0));
    }
}

impl<F: Future> Led<F> {
    pub(crate) async fn run(self) -> F::Output {
        let mut source = std::pin::pin!(self.source);
        let mut offer = self.offer;
        std::future::poll_fn(|context| {
            mark::forget();
            let _offering = Offering::new(&mut offer);
            // What a caller overrides of its own call does not concern what the source calls.
            let _masked = Mask::on();
            let _pop = push(&self.flights);
            source.as_mut().poll(context)
        })
        .await
    }
}

fn push(flights: &[u64]) -> Pop {
    LEADING.with(|leading| {
        let mut leading = leading.borrow_mut();
        let before = leading.len();
        leading.extend(flights);
        Pop(before)
    })
}

/// Asks a source once, as the leader of a flight.
pub(crate) fn polled<O>(flight: &Flight, ask: impl FnOnce() -> O) -> O {
    mark::forget();
    let mut nothing = None;
    let _offering = Offering::new(&mut nothing);
    let _masked = Mask::on();
    let _pop = push(&[flight.id]);
    ask()
}

/// Whether this very task or thread leads `flight`.
pub(crate) fn is_led_here(flight: &Flight) -> bool {
    LEADING.with(|leading| leading.borrow().contains(&flight.id))
}

/// Edges "these loads wait for that flight", taken back when dropped.
pub(crate) struct Waiting {
    led: Vec<u64>,
    flight: u64,
}

impl Waiting {
    /// Notes that the loads of this task wait for `flight`; `None` when there are none.
    ///
    /// # Errors
    /// `Err` when that closes a circle: the flight's leader waits, directly or through others, for a load of this task.
    pub(crate) fn note(flight: &Flight) -> Result<Option<Self>, ()> {
        let led = LEADING.with(|leading| leading.borrow().clone());
        if led.is_empty() {
            return Ok(None);
        }
        let mut waits = WAITS.lock();
        let waits = waits.get_or_insert_default();
        // Looked up and noted under one lock: of two that would close a circle, the second sees the first.
        if reaches(waits, flight.id, &led) {
            return Err(());
        }
        for leader in &led {
            waits.entry(*leader).or_default().push(flight.id);
        }
        Ok(Some(Self {
            led,
            flight: flight.id,
        }))
    }
}

fn reaches(waits: &HashMap<u64, Vec<u64>>, from: u64, goals: &[u64]) -> bool {
    let mut open = vec![from];
    let mut seen = Vec::new();
    while let Some(flight) = open.pop() {
        if goals.contains(&flight) {
            return true;
        }
        if seen.contains(&flight) {
            continue;
        }
        seen.push(flight);
        open.extend(waits.get(&flight).into_iter().flatten());
    }
    false
}

fn take_back(waits: &mut HashMap<u64, Vec<u64>>, leader: u64, flight: u64) {
    if let Some(flights) = waits.get_mut(&leader) {
        if let Some(at) = flights.iter().position(|f| *f == flight) {
            flights.swap_remove(at);
        }
        if flights.is_empty() {
            waits.remove(&leader);
        }
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        if let Some(waits) = WAITS.lock().as_mut() {
            for leader in &self.led {
                take_back(waits, *leader, self.flight);
            }
        }
    }
}
