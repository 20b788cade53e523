//! All middleware of a cache, and the one place where its order is decided.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use super::{Action, Middleware, Operation, Outcome, Step};
use crate::key::Key;
use crate::runtime::{Clock, Timestamp};
use crate::selector::Selector;

/// The middleware of a cache, the outermost first.
#[derive(Clone, Default)]
pub(crate) struct Chain(Vec<Arc<dyn Middleware>>);

/// What an operation is about.
#[derive(Clone, Debug)]
enum Target {
    Key(Key),
    Selected(Selector),
}

/// An operation before anybody was asked.
#[derive(Clone, Debug)]
pub(crate) struct Intended {
    action: Action,
    target: Target,
    function: Option<&'static str>,
    weight: Option<u32>,
}

/// An operation that was let through. Who does not say how it ended has dropped it.
#[must_use = "an operation that is not ended was dropped"]
#[derive(Debug)]
pub(crate) struct Doing<'a>(Option<Begun<'a>>);

#[derive(Debug)]
struct Begun<'a> {
    chain: &'a Chain,
    clock: &'a Clock,
    cache: &'a str,
    intended: Intended,
    began: Timestamp,
    /// How many have let it through, counted from the outermost.
    passed: usize,
}

impl Chain {
    pub(crate) fn add(&mut self, middleware: impl Middleware) {
        self.0.push(Arc::new(middleware));
    }

    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn key<'k>(&self, key: &'k str) -> Cow<'k, str> {
        self.inwards(key, |middleware, key| middleware.key(key))
    }

    pub(crate) fn prefix<'k>(&self, prefix: &'k str) -> Cow<'k, str> {
        self.inwards(prefix, |middleware, prefix| middleware.prefix(prefix))
    }

    pub(crate) fn pattern<'k>(&self, pattern: &'k str) -> Cow<'k, str> {
        self.inwards(pattern, |middleware, pattern| middleware.pattern(pattern))
    }

    /// The way back: what went in first comes out last.
    pub(crate) fn original<'k>(&self, key: &'k str) -> Cow<'k, str> {
        let back = |text, middleware: &Arc<dyn Middleware>| {
            through(text, |text| middleware.original(text))
        };
        self.0.iter().rev().fold(Cow::Borrowed(key), back)
    }

    fn inwards<'k>(
        &self,
        text: &'k str,
        step: impl for<'t> Fn(&dyn Middleware, &'t str) -> Cow<'t, str>,
    ) -> Cow<'k, str> {
        let inwards = |text, middleware: &Arc<dyn Middleware>| {
            through(text, |text| step(&**middleware, text))
        };
        self.0.iter().fold(Cow::Borrowed(text), inwards)
    }

    /// Asks all, from the outermost to the innermost, whether an operation goes on.
    ///
    /// # Errors
    /// Who has left it out; those before it were told.
    pub(crate) fn begin<'a>(
        &'a self,
        clock: &'a Clock,
        cache: &'a str,
        intended: Intended,
    ) -> Result<Doing<'a>, &'a str> {
        let mut begun = Begun {
            chain: self,
            clock,
            cache,
            intended,
            began: clock.now(),
            passed: 0,
        };
        for middleware in &self.0 {
            let step = middleware.before(&begun.operation());
            if step == Step::LeaveOut && begun.intended.action != Action::Load {
                begun.tell(Outcome::LeftOut);
                return Err(middleware.name());
            }
            begun.passed += 1;
        }
        Ok(Doing(Some(begun)))
    }
}

/// A text, or what became of it, through one more step.
fn through<'k>(text: Cow<'k, str>, step: impl for<'t> Fn(&'t str) -> Cow<'t, str>) -> Cow<'k, str> {
    match text {
        Cow::Borrowed(text) => step(text),
        Cow::Owned(text) => Cow::Owned(step(&text).into_owned()),
    }
}

impl Intended {
    pub(crate) fn key(action: Action, key: &str) -> Self {
        Self {
            action,
            target: Target::Key(Key::from(key)),
            function: None,
            weight: None,
        }
    }

    pub(crate) fn selected(selector: &Selector) -> Self {
        Self {
            action: Action::Invalidate,
            target: Target::Selected(selector.clone()),
            function: None,
            weight: None,
        }
    }

    /// By a function, unless the path is empty.
    pub(crate) fn by(mut self, path: &'static str) -> Self {
        self.function = (!path.is_empty()).then_some(path);
        self
    }

    pub(crate) fn weighing(mut self, weight: u32) -> Self {
        self.weight = Some(weight);
        self
    }

    pub(crate) fn action(&self) -> Action {
        self.action
    }

    pub(crate) fn text(&self) -> &str {
        match &self.target {
            Target::Key(key) => key.as_str(),
            Target::Selected(_) => "",
        }
    }
}

impl Begun<'_> {
    fn operation(&self) -> Operation<'_> {
        let selector = match &self.intended.target {
            Target::Key(_) => None,
            Target::Selected(selector) => Some(selector),
        };
        Operation {
            action: self.intended.action,
            key: self.intended.text(),
            selector,
            cache: self.cache,
            function: self.intended.function,
            weight: self.intended.weight,
        }
    }

    /// Tells all who have let it through, from the innermost to the outermost.
    fn tell(&self, outcome: Outcome) {
        let took = self.clock.now().since(self.began);
        for middleware in self.chain.0[..self.passed].iter().rev() {
            middleware.after(&self.operation(), outcome, took);
        }
    }
}

impl Doing<'_> {
    /// In a cache without middleware.
    pub(crate) const fn unseen() -> Self {
        Self(None)
    }

    /// Tells how it ended; once, the first time.
    pub(crate) fn end(&mut self, outcome: Outcome) {
        if let Some(begun) = self.0.take() {
            begun.tell(outcome);
        }
    }
}

impl Drop for Doing<'_> {
    fn drop(&mut self) {
        if let Some(begun) = self.0.take() {
            begun.tell(Outcome::Dropped);
        }
    }
}

impl fmt::Debug for Chain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list()
            .entries(self.0.iter().map(|m| m.name()))
            .finish()
    }
}
