//! From what befalls a store to the events of its cache.

use std::fmt;
use std::sync::{Arc, OnceLock, Weak};

use super::Inner;
use crate::event::Event;
use crate::store::{Notice, Notices};

/// Told by the wrappers of a cache's stores, which are made before the cache is.
#[derive(Default)]
pub(crate) struct Relay(OnceLock<Weak<Inner>>);

impl Relay {
    /// From now on this cache's observers are told.
    pub(super) fn connect(&self, inner: &Arc<Inner>) {
        // A builder builds once; whoever came first stays.
        drop(self.0.set(Arc::downgrade(inner)));
    }
}

impl Notices for Relay {
    fn notice(&self, store: &str, what: Notice<'_>) {
        let Some(inner) = self.0.get().and_then(Weak::upgrade) else {
            return;
        };
        match what {
            // The operation gives the same error to the cache, which tells it with its key.
            Notice::Failed { .. } | Notice::TimedOut { .. } => {}
            Notice::Skipped { error, .. } => inner.tell(|| Event::StoreFailed {
                key: "",
                store,
                error,
            }),
            notice => inner.tell(|| Event::StoreNotice {
                store,
                notice: &notice,
            }),
        }
    }
}

impl fmt::Debug for Relay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Relay")
    }
}
