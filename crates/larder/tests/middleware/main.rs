//! What stands around operations: the order, the keys, what is left out, how it ends.

#[path = "../support/mod.rs"]
mod support;

mod guards;
mod hostile;
mod keys;
mod order;
mod outcomes;
mod ready;
#[cfg(feature = "serde")]
mod stores;
mod views;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use larder::middleware::{Action, Middleware, Operation, Outcome, Step};

/// Writes down what it is asked and told.
#[derive(Clone, Default)]
pub(crate) struct Spy {
    name: &'static str,
    lines: Arc<Mutex<Vec<String>>>,
    /// What it leaves out: an action, and a part of the key.
    refuses: Option<(Action, &'static str)>,
}

impl Spy {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// Another one that writes into the same list.
    pub(crate) fn beside(&self, name: &'static str) -> Self {
        Self {
            name,
            ..self.clone()
        }
    }

    pub(crate) fn refusing(self, action: Action, part: &'static str) -> Self {
        Self {
            refuses: Some((action, part)),
            ..self
        }
    }

    /// All lines since the last look.
    pub(crate) fn take(&self) -> Vec<String> {
        std::mem::take(&mut self.lines.lock().unwrap())
    }

    fn note(&self, line: String) {
        self.lines.lock().unwrap().push(line);
    }
}

impl Middleware for Spy {
    fn name(&self) -> &str {
        "Spy"
    }

    fn before(&self, operation: &Operation<'_>) -> Step {
        if !self.name.is_empty() {
            self.note(format!("{} before {}", self.name, operation.action));
        }
        match self.refuses {
            Some((action, part)) if action == operation.action && operation.key.contains(part) => {
                Step::LeaveOut
            }
            _ => Step::Proceed,
        }
    }

    fn after(&self, operation: &Operation<'_>, outcome: Outcome, _: Duration) {
        let Operation { action, key, .. } = operation;
        let gap = if self.name.is_empty() { "" } else { " after " };
        let what = match operation.selector {
            Some(selector) => format!("{selector:?}"),
            None => (*key).to_owned(),
        };
        self.note(format!("{}{gap}{action} {what}: {outcome:?}", self.name));
    }
}
