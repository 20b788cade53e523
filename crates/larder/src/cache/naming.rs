//! Keys as the user writes them, and as they are kept: behind all middleware, then behind the cache's prefix.

use std::borrow::Cow;
use std::sync::Arc;

use super::Inner;
use crate::event::Event;
use crate::key::KeyBuf;
use crate::middleware::{Doing, Intended};
use crate::selector::Selector;

impl Inner {
    /// The key under which the key of a user is kept.
    pub(crate) fn key(&self, text: &str) -> KeyBuf {
        let mut key = KeyBuf::with_prefix(&self.prefix, 0);
        match self.middleware.is_empty() {
            true => key.literal(text),
            false => key.literal(&self.middleware.key(text)),
        }
        key
    }

    /// What stands before the keys of a handle; `None` if they are kept as they are written.
    pub(super) fn names_apart(&self, prefix: Arc<str>) -> Option<Arc<str>> {
        (!prefix.is_empty() || !self.middleware.is_empty()).then_some(prefix)
    }

    /// A key as it is kept, without the cache's prefix.
    pub(crate) fn bare<'k>(&self, key: &'k str) -> &'k str {
        key.strip_prefix(&*self.prefix).unwrap_or(key)
    }

    /// A key as the user wrote it, as far as middleware knows the way back.
    pub(crate) fn original<'k>(&self, key: &'k str) -> Cow<'k, str> {
        self.middleware.original(self.bare(key))
    }

    /// What all keys begin with that a user's prefix means.
    pub(crate) fn kept_prefix(&self, prefix: &str) -> String {
        format!("{}{}", self.prefix, self.middleware.prefix(prefix))
    }

    /// What a user's selector means among keys as they are kept, without the cache's prefix. Not for keys: they are kept one by one.
    pub(crate) fn kept_selector(&self, selector: &Selector) -> Selector {
        match selector {
            Selector::Prefix(prefix) => Selector::Prefix(self.middleware.prefix(prefix).into()),
            Selector::Pattern(pattern) => {
                Selector::Pattern(self.middleware.pattern(pattern).into())
            }
            other => other.clone(),
        }
    }

    /// Asks the middleware whether an operation goes on; `None` when it is left out, which is told.
    #[inline]
    pub(crate) fn begin(&self, intended: impl FnOnce() -> Intended) -> Option<Doing<'_>> {
        if self.middleware.is_empty() {
            return Some(Doing::unseen());
        }
        self.ask(intended())
    }

    fn ask(&self, intended: Intended) -> Option<Doing<'_>> {
        let (action, key) = (intended.action(), intended.text().to_owned());
        match self.middleware.begin(&self.clock, &self.name, intended) {
            Ok(doing) => Some(doing),
            Err(by) => {
                let key = &key;
                self.tell(|| Event::LeftOut { key, action, by });
                None
            }
        }
    }
}
