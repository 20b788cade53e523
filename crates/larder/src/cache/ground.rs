//! A cache as what guards stand on.

use std::sync::Arc;

use super::Inner;
use crate::event::Event;
use crate::guard::{Ground, Here, States};
use crate::lock::Locks;
use crate::runtime::Runtime;
use crate::store::Store;

impl Ground for Inner {
    fn runtime(&self) -> &Arc<dyn Runtime> {
        &self.runtime
    }

    fn store(&self) -> Option<&Arc<dyn Store>> {
        self.outside.as_ref().map(|outside| &outside.store)
    }

    fn here(&self) -> &Here {
        &self.here
    }

    fn locks(&self) -> &Locks {
        &self.locks
    }

    fn states(&self) -> &States {
        &self.states
    }

    fn tell(&self, event: &Event<'_>) {
        Self::tell(self, || *event);
    }
}
