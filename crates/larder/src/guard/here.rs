//! What stands in for a store within this process: the powers that guards count with.

use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;

use super::states::{State, States};
use crate::runtime::{Clock, Timestamp};
use crate::store::{Admission, StoreFuture, Windows};

mod bits;

/// The powers of this process.
pub(crate) struct Here {
    clock: Clock,
    windows: Arc<States>,
    rows: Arc<States>,
}

impl Here {
    pub(crate) fn new(clock: Clock) -> Self {
        Self {
            clock,
            windows: Arc::default(),
            rows: Arc::default(),
        }
    }
}

impl fmt::Debug for Here {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Here").finish_non_exhaustive()
    }
}

/// The instants of the calls that count.
#[derive(Default)]
struct Window(Mutex<(VecDeque<Timestamp>, Duration)>);

impl State for Window {
    fn is_idle(&self, now: Timestamp) -> bool {
        let window = self.0.lock();
        let (counted, per) = &*window;
        counted.back().is_none_or(|last| now.since(*last) >= *per)
    }
}

impl Windows for Here {
    fn admit<'a>(&'a self, key: &'a str, limit: u64, per: Duration) -> StoreFuture<'a, Admission> {
        let now = self.clock.now();
        let window = self.windows.of(key, now, Window::default);
        let mut window = window.0.lock();
        let (counted, kept) = &mut *window;
        *kept = per;
        while counted
            .front()
            .is_some_and(|first| now.since(*first) >= per)
        {
            counted.pop_front();
        }
        let admitted = (counted.len() as u64) < limit;
        if admitted {
            counted.push_back(now);
        }
        let oldest = counted.front().map_or(per, |first| now.since(*first));
        let admission = Admission {
            admitted,
            used: counted.len() as u64,
            retry_after: if admitted {
                Duration::ZERO
            } else {
                per.saturating_sub(oldest)
            },
        };
        Box::pin(std::future::ready(Ok(admission)))
    }
}
