//! Operations that meet others on the same object: who loses a round tries again, for a time.

use std::time::{Duration, Instant};

use super::core::Core;
use super::random;
use crate::error::{Error, Result};

/// How often a lease or a fill is tried that others may spoil: it can also be given up.
pub(super) const ROUNDS: u32 = 6;

/// One operation against others that change the same object.
///
/// Who loses a round has seen another's success, which says nothing of the server: so not a number of rounds is the bound but the time that a request may take. A server that
/// needs long for each request lets through fewer in that time, and more meet; so the pauses grow with what a round takes.
pub(super) struct Contest<'a> {
    core: &'a Core,
    operation: &'static str,
    began: Instant,
    round: u32,
    round_began: Instant,
}

impl Contest<'_> {
    /// Waits before the next round, longer each time and never as long as another does.
    ///
    /// # Errors
    /// When there is no time for one.
    pub(super) async fn lost(&mut self) -> Result<()> {
        let left = self.core.patience.saturating_sub(self.began.elapsed());
        if left.is_zero() {
            let why = "others changed the same object again and again";
            let name = self.core.wire.name;
            return Err(Error::unavailable(self.operation, name, why));
        }
        let shortest = Duration::from_millis(5 << self.round.min(5));
        let most = self.round_began.elapsed().max(shortest).min(left);
        pause(u64::try_from(most.as_millis()).unwrap_or(u64::MAX)).await;
        self.round += 1;
        self.round_began = Instant::now();
        Ok(())
    }
}

/// Waits for some of so many milliseconds.
pub(super) async fn pause(most: u64) {
    tokio::time::sleep(Duration::from_millis(random() % most.max(1))).await;
}

impl Core {
    pub(super) fn contest(&self, operation: &'static str) -> Contest<'_> {
        Contest {
            core: self,
            operation,
            began: Instant::now(),
            round: 0,
            round_began: Instant::now(),
        }
    }
}
