//! So many at a time, the others in the order of their arrival.

use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use parking_lot::Mutex;

#[derive(Debug)]
pub(super) struct Gate(Mutex<Inside>);

#[derive(Debug)]
struct Inside {
    free: usize,
    waiting: VecDeque<Arc<Mutex<Turn>>>,
}

#[derive(Debug)]
enum Turn {
    Waits(Waker),
    /// The place was handed over; whoever goes away now hands it on.
    Comes,
}

impl Gate {
    pub(super) fn new(places: usize) -> Self {
        Self(Mutex::new(Inside {
            free: places.max(1),
            waiting: VecDeque::new(),
        }))
    }

    pub(super) fn enter(&self) -> Enter<'_> {
        Enter {
            gate: self,
            turn: None,
        }
    }

    fn leave(&self) {
        let mut inside = self.0.lock();
        let Some(next) = inside.waiting.pop_front() else {
            inside.free += 1;
            return;
        };
        drop(inside);
        let turn = std::mem::replace(&mut *next.lock(), Turn::Comes);
        if let Turn::Waits(waker) = turn {
            waker.wake();
        }
    }
}

#[derive(Debug)]
pub(super) struct Enter<'a> {
    gate: &'a Gate,
    turn: Option<Arc<Mutex<Turn>>>,
}

/// A place, given back when it is dropped.
#[derive(Debug)]
pub(super) struct Place<'a>(&'a Gate);

impl<'a> Future for Enter<'a> {
    type Output = Place<'a>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Place<'a>> {
        let gate = self.gate;
        if let Some(turn) = &self.turn {
            if let Turn::Waits(waker) = &mut *turn.lock() {
                waker.clone_from(context.waker());
                return Poll::Pending;
            }
            self.turn = None;
            return Poll::Ready(Place(gate));
        }
        let mut inside = gate.0.lock();
        if inside.free > 0 {
            inside.free -= 1;
            return Poll::Ready(Place(gate));
        }
        let turn = Arc::new(Mutex::new(Turn::Waits(context.waker().clone())));
        inside.waiting.push_back(Arc::clone(&turn));
        drop(inside);
        self.turn = Some(turn);
        Poll::Pending
    }
}

impl Drop for Enter<'_> {
    fn drop(&mut self) {
        let Some(turn) = self.turn.take() else {
            return;
        };
        let mut inside = self.gate.0.lock();
        let before = inside.waiting.len();
        inside.waiting.retain(|other| !Arc::ptr_eq(other, &turn));
        let was_taken_out = inside.waiting.len() == before;
        drop(inside);
        if was_taken_out {
            self.gate.leave();
        }
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.0.leave();
    }
}
