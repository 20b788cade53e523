//! What guards of this process remember, by guard and key, for as long as it matters.

use std::any::Any;
use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use foldhash::fast::RandomState;
use parking_lot::Mutex;

use crate::runtime::Timestamp;

/// What a guard remembers of one key.
pub(crate) trait State: Any + Send + Sync {
    /// Whether it says no more than a new one would: then it may be forgotten.
    fn is_idle(&self, now: Timestamp) -> bool;
}

/// What the guards of one cache remember in this process.
///
/// Keys may come from outside: idle states are swept each time when the number of them has doubled.
#[derive(Default)]
pub(crate) struct States(Mutex<Map>);

#[derive(Default)]
struct Map {
    states: HashMap<Box<str>, Arc<dyn State>, RandomState>,
    sweep_at: usize,
}

/// Fewer are not worth a look.
const FEW: usize = 1_024;

impl States {
    /// The state under a key, which begins with the guard's name: one guard, one type.
    pub(crate) fn of<T: State>(
        &self,
        key: &str,
        now: Timestamp,
        new: impl FnOnce() -> T,
    ) -> Arc<T> {
        let mut map = self.0.lock();
        if let Some(state) = map.states.get(key) {
            let state: Arc<dyn Any + Send + Sync> = Arc::clone(state) as _;
            if let Ok(state) = state.downcast::<T>() {
                return state;
            }
        }
        let swept: Vec<_> = if map.states.len() >= map.sweep_at.max(FEW) {
            // Somebody may be about to write to a state that another holds.
            let idle =
                |state: &mut Arc<dyn State>| Arc::strong_count(state) == 1 && state.is_idle(now);
            let swept = map.states.extract_if(|_, state| idle(state)).collect();
            map.sweep_at = map.states.len() * 2;
            swept
        } else {
            Vec::new()
        };
        let state = Arc::new(new());
        map.states.insert(key.into(), Arc::clone(&state) as _);
        drop(map);
        drop(swept);
        state
    }

    /// The state under a key, if there is one.
    pub(crate) fn known<T: State>(&self, key: &str) -> Option<Arc<T>> {
        let state: Arc<dyn Any + Send + Sync> = Arc::clone(self.0.lock().states.get(key)?) as _;
        state.downcast::<T>().ok()
    }
}

impl fmt::Debug for States {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} states", self.0.lock().states.len())
    }
}
