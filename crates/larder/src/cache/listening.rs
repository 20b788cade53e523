//! Hearing of what other processes change, so that copies in memory stay true.

use std::fmt;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Weak};
use std::time::Duration;

use super::Inner;
use crate::key::Key;
use crate::runtime::Task;
use crate::store::{Changed, Sink};

/// The pause before a store is asked again to tell of changes.
const PAUSE: Duration = Duration::from_secs(1);

/// Forgets the copies of what has changed. Weak, so that a cache that nobody uses ends.
struct Listening(Weak<Inner>);

impl Sink for Listening {
    fn changed(&self, what: Changed<'_>) {
        let Some(inner) = self.0.upgrade() else {
            return;
        };
        match what {
            Changed::Key(key) => inner.forget_copy(&Key::from(key)),
            Changed::Tag(tag) => {
                let bare = tag.strip_prefix(&*inner.prefix).unwrap_or(tag);
                inner.tags.forget([Key::from(bare)]);
            }
            Changed::All => {
                inner.remove_all();
            }
        }
    }
}

impl fmt::Debug for Listening {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Listening")
    }
}

impl Inner {
    /// Starts to listen, if the store tells of changes. Until it does, memory keeps no copies.
    pub(super) fn listen(self: &Arc<Self>) {
        let tells = self
            .outside
            .as_ref()
            .is_some_and(|o| o.store.invalidations().is_some());
        if tells {
            let listening = listen(Arc::downgrade(self));
            self.runtime.spawn(Task::Chore(Box::pin(listening)));
        }
    }

    /// Forgets a copy; loads of the key that are under way do not bring it back.
    fn forget_copy(&self, key: &Key) {
        let mut locked = self.leases.lock(key);
        locked.revoke(key);
        let removed = self.memory.remove(key);
        drop(locked);
        drop(removed);
    }
}

async fn listen(inner: Weak<Inner>) {
    let sink: Arc<dyn Sink> = Arc::new(Listening(Weak::clone(&inner)));
    while let Some(strong) = inner.upgrade() {
        let Some(outside) = &strong.outside else {
            return;
        };
        let Some(invalidations) = outside.store.invalidations() else {
            return;
        };
        match invalidations.subscribe(Arc::clone(&sink)).await {
            Ok(()) => {
                outside.is_heard.store(true, Ordering::Release);
                return;
            }
            Err(error) => strong.store_failed(outside, "", &error),
        }
        let pause = strong.runtime.sleep(PAUSE);
        drop(strong);
        pause.await;
    }
}
