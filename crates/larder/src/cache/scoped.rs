//! Views: a part of a cache, under a prefix of its own.

use std::sync::Arc;

use super::{Cache, Inner};
use crate::key::{Key, KeyBuf};
use crate::selector::Selector;

impl Cache {
    /// A view of the part of this cache whose keys begin with `prefix`: the same cache, with one more prefix before every key.
    ///
    /// Memory, store, tags, statistics, observers and switches are those of the cache, and so are [`name`](Self::name) and [`close`](Self::close). Keys, names of locks and what guards
    /// count are the view's own: what is passed to a view and what it gives back ([`scan`](Self::scan)) is without its prefix. What is told ([`Event`](crate::Event),
    /// [`detect`](crate::detect()), errors) names the whole key, as always. [`clear`](Self::clear) forgets what lies under the view, with one call; so does
    /// [`delete_prefix`](Self::delete_prefix) on the cache itself. A view of a view has both prefixes.
    ///
    /// The prefix is taken as it is: end it with a separator, so that `shop:7:` does not cover `shop:70:`, and [`escape`](crate::escape) what comes from outside.
    ///
    /// ```
    /// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
    /// let cache = larder::Cache::builder().build()?;
    /// let (seven, eight) = (cache.scoped("shop:7:"), cache.scoped("shop:8:"));
    /// seven.set("name", "Corner shop").ttl("1h").await?;
    /// eight.set("name", "Bakery").ttl("1h").await?;
    /// assert_eq!(cache.get::<String>("shop:7:name").await?.as_deref(), Some("Corner shop"));
    ///
    /// seven.clear().await?;
    /// assert_eq!(seven.get::<String>("name").await?, None);
    /// assert_eq!(eight.get::<String>("name").await?.as_deref(), Some("Bakery"));
    /// # Ok::<(), larder::Error>(())
    /// # }).unwrap();
    /// ```
    #[must_use]
    pub fn scoped(&self, prefix: impl AsRef<str>) -> Self {
        let full = format!("{}{}", self.prefix(), prefix.as_ref());
        Self {
            inner: Arc::clone(&self.inner),
            prefix: self.inner.names_apart(full.into()),
        }
    }

    /// A handle to all of a cache.
    pub(crate) fn of(inner: Arc<Inner>) -> Self {
        let prefix = Arc::clone(&inner.prefix);
        Self {
            prefix: inner.names_apart(prefix),
            inner,
        }
    }

    /// What all keys of this handle begin with.
    #[inline]
    pub(crate) fn prefix(&self) -> &str {
        self.prefix.as_deref().unwrap_or_default()
    }

    /// Whether keys are what callers say: nothing before them, and no middleware that may say otherwise.
    #[inline]
    pub(crate) fn is_bare(&self) -> bool {
        self.prefix.is_none()
    }

    /// Whether this is a part of a cache.
    pub(crate) fn is_view(&self) -> bool {
        self.prefix().len() > self.inner.prefix.len()
    }

    /// The full key of a key text.
    pub(crate) fn full_key(&self, text: &str) -> KeyBuf {
        if !self.inner.middleware.is_empty() {
            return self.inner.key(&format!("{}{text}", self.view()));
        }
        let mut key = KeyBuf::with_prefix(self.prefix(), 0);
        key.literal(text);
        key
    }

    /// [`full_key`](Self::full_key) of a key that an attribute has rendered.
    pub(crate) fn kept(&self, mut key: KeyBuf) -> KeyBuf {
        if !self.inner.middleware.is_empty() {
            return self.full_key(key.as_str());
        }
        key.under(self.prefix());
        key
    }

    /// What a guard counts calls under, of a key as the caller gave it.
    pub(crate) fn guard_key(&self, guard: &str, key: &str) -> KeyBuf {
        self.full_key(&format!("{guard}:{key}"))
    }

    /// The view's own prefix; empty for a whole cache.
    pub(crate) fn view(&self) -> &str {
        &self.prefix()[self.inner.prefix.len()..]
    }

    /// The pattern that a pattern of this handle's callers comes to, as keys are kept.
    pub(crate) fn kept_pattern(&self, pattern: &str) -> String {
        let pattern = self.within_view(pattern);
        self.inner.middleware.pattern(&pattern).into_owned()
    }

    /// A pattern of this handle's callers as the whole cache would have it.
    pub(crate) fn within_view(&self, pattern: &str) -> String {
        literally(self.view()) + pattern
    }

    /// A key, kept without the cache's prefix, as callers of this handle write it.
    pub(crate) fn asked(&self, bare: &str) -> String {
        let key = self.inner.middleware.original(bare);
        key.strip_prefix(self.view()).unwrap_or(&key).to_owned()
    }

    /// What a selector means to the whole cache.
    pub(crate) fn meant(&self, selector: Selector) -> Selector {
        let view = self.view().to_owned();
        if view.is_empty() {
            return selector;
        }
        match selector {
            Selector::Keys(keys) => {
                let within = |key: Key| Key::from(format!("{view}{key}"));
                Selector::Keys(keys.into_iter().map(within).collect())
            }
            Selector::Prefix(prefix) => Selector::Prefix(view + &prefix),
            Selector::Pattern(pattern) => Selector::Pattern(literally(&view) + &pattern),
            Selector::All => Selector::Prefix(view),
            // Tags are the cache's: an entry of a view falls with those of others.
            Selector::Tags(tags) => Selector::Tags(tags),
        }
    }
}

/// A glob pattern that matches this text only.
fn literally(text: &str) -> String {
    let mut pattern = String::with_capacity(text.len() + 8);
    for char in text.chars() {
        if matches!(char, '*' | '?' | '[' | ']' | '\\' | '^' | '-') {
            pattern.push('\\');
        }
        pattern.push(char);
    }
    pattern
}
