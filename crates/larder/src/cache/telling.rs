//! Who hears of what happens: observers, then callbacks, then the detections of this task or thread.

use super::Inner;
use crate::detect::{Removal, Write};
use crate::entry::{Remaining, Slot};
use crate::event::Event;
use crate::key::Key;
use crate::policy::Strategy;
use crate::scope;

/// What is told of an entry that was written, taken before it is out of reach.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Noted {
    strategy: Strategy,
    remaining: Remaining,
}

impl Inner {
    /// Tells all who want to hear, if there are any; the event is not even built if not.
    #[inline]
    pub(crate) fn tell<'a>(&self, event: impl FnOnce() -> Event<'a>) {
        if self.is_told() {
            self.tell_all(&event());
        }
    }

    /// Whether anybody may want to hear.
    #[inline]
    pub(crate) fn is_told(&self) -> bool {
        self.observers.are_any() || self.switch.is_called() || scope::any_open()
    }

    #[cold]
    fn tell_all(&self, event: &Event<'_>) {
        self.observers.tell(event);
        if self.switch.is_called() {
            self.call_back(event);
        }
        if let Event::Invalidated { selector } = event
            && let Some(settings) = scope::current()
        {
            for recorder in &settings.recorders {
                recorder.removed(Removal {
                    selector: (*selector).clone(),
                    cache: self.name.clone(),
                });
            }
        }
    }

    /// What a detection would be told of an entry; `None` when nothing is detected anywhere.
    pub(super) fn noted(&self, slot: &Slot) -> Option<Noted> {
        scope::any_open().then(|| Noted {
            strategy: slot.strategy(),
            remaining: self.left(slot).into(),
        })
    }

    /// Tells the detections of this scope that an entry was written.
    pub(super) fn written(&self, tier: &str, key: &Key, noted: Option<Noted>) {
        let Some((noted, settings)) = noted.zip(scope::current()) else {
            return;
        };
        for recorder in &settings.recorders {
            recorder.wrote(Write {
                key: key.as_str().to_owned(),
                cache: self.name.clone(),
                tier: tier.into(),
                strategy: noted.strategy,
                remaining: noted.remaining,
            });
        }
    }
}
