//! Waiting for virtual time to pass.

use std::future::Future;
use std::pin::Pin;
use std::sync::Weak;
use std::task::{Context, Poll};

use super::world::World;
use crate::runtime::Timestamp;

pub(super) struct Sleep {
    pub(super) world: Weak<World>,
    pub(super) until: Timestamp,
    pub(super) place: Option<(u64, u64)>,
}

impl Future for Sleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let Some(world) = self.world.upgrade() else {
            return Poll::Pending;
        };
        if world.clock.now() >= self.until {
            return Poll::Ready(());
        }
        let waker = context.waker().clone();
        let mut state = world.state.lock();
        let place = match self.place {
            Some(place) => place,
            None => {
                state.arrivals += 1;
                (self.until.0, state.arrivals)
            }
        };
        let before = state.sleepers.insert(place, waker);
        drop(state);
        drop(before);
        self.place = Some(place);
        Poll::Pending
    }
}

impl Drop for Sleep {
    fn drop(&mut self) {
        if let (Some(place), Some(world)) = (self.place, self.world.upgrade()) {
            let waker = world.state.lock().sleepers.remove(&place);
            drop(waker);
        }
    }
}
