//! A bounded number of futures, each polled only when it was woken.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use parking_lot::Mutex;

/// Futures under way, by the number of their item.
pub(super) struct Crew<F> {
    limit: usize,
    members: Vec<Member<F>>,
    parent: Arc<Mutex<Option<Waker>>>,
}

struct Member<F> {
    item: u64,
    future: Pin<Box<F>>,
    bell: Arc<Bell>,
    waker: Waker,
}

struct Bell {
    rang: AtomicBool,
    parent: Arc<Mutex<Option<Waker>>>,
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if self.rang.swap(true, Ordering::AcqRel) {
            return;
        }
        let parent = self.parent.lock().clone();
        parent.into_iter().for_each(Waker::wake);
    }
}

impl<F> Crew<F> {
    pub(super) fn new(limit: usize) -> Self {
        Self {
            limit,
            members: Vec::new(),
            parent: Arc::default(),
        }
    }

    pub(super) fn has_room(&self) -> bool {
        self.members.len() < self.limit
    }

    pub(super) fn add(&mut self, item: u64, future: F) {
        let bell = Arc::new(Bell {
            rang: AtomicBool::new(true),
            parent: Arc::clone(&self.parent),
        });
        self.members.push(Member {
            item,
            future: Box::pin(future),
            waker: Waker::from(Arc::clone(&bell)),
            bell,
        });
    }

    /// The first item that is still under way.
    pub(super) fn first(&self) -> Option<u64> {
        self.members.iter().map(|member| member.item).min()
    }
}

impl<F: Future> Crew<F> {
    /// What the next one gives that ends; `None` when none is under way.
    pub(super) fn poll(&mut self, context: &Context<'_>) -> Poll<Option<F::Output>> {
        // Before the looks: who rings after its own look rings for the next poll.
        let waker = context.waker().clone();
        let before = self.parent.lock().replace(waker);
        drop(before);
        for at in 0..self.members.len() {
            let member = &mut self.members[at];
            if !member.bell.rang.swap(false, Ordering::AcqRel) {
                continue;
            }
            let mut own = Context::from_waker(&member.waker);
            if let Poll::Ready(output) = member.future.as_mut().poll(&mut own) {
                drop(self.members.swap_remove(at));
                return Poll::Ready(Some(output));
            }
        }
        match self.members.is_empty() {
            true => Poll::Ready(None),
            false => Poll::Pending,
        }
    }
}
