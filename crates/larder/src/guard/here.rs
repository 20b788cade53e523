//! What stands in for a store within this process: the powers that guards count with.

use std::fmt;
use std::sync::Arc;

use parking_lot::Mutex;

use super::states::{State, States};
use crate::runtime::{Clock, Timestamp};
use crate::store::tally::{Rule, Tally};
use crate::store::{Admission, Quota, StoreFuture, Windows};

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

/// What is counted under one key.
#[derive(Default)]
struct Counted(Mutex<Tally>);

impl State for Counted {
    fn is_idle(&self, now: Timestamp) -> bool {
        self.0.lock().ends() <= now.as_nanos()
    }
}

impl Windows for Here {
    fn admit<'a>(&'a self, key: &'a str, quota: &'a Quota) -> StoreFuture<'a, Admission> {
        let now = self.clock.now();
        let counted = self.windows.of(key, now, Counted::default);
        let rule = Rule::in_nanos(quota);
        let admission = counted.0.lock().admit(quota.window, &rule, now.as_nanos());
        Box::pin(std::future::ready(Ok(admission)))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::store::Window;

    #[test]
    fn counts_that_have_run_out_are_swept_whoever_makes_up_keys() {
        let clock = Clock::manual();
        let here = Here::new(clock.clone());
        let windows = [Window::Fixed, Window::Sliding, Window::Gcra];
        for number in 0..30_000 {
            let quota = Quota::new(1, Duration::from_millis(100));
            let quota = quota.window(windows[number % 3]).ban(quota.per);
            drop(here.admit(&format!("k{number}"), &quota));
            drop(here.admit(&format!("k{number}"), &quota));
            clock.advance(Duration::from_millis(1));
        }
        // Some two hundred of them still say something.
        let left = format!("{:?}", here.windows);
        let count: usize = left.trim_end_matches(" states").parse().unwrap();
        assert!(count < 3_000, "{left}");
    }
}
