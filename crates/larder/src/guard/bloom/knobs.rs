//! The knobs of `#[bloom]`, evaluated by the compiler.

use std::borrow::Cow;

use super::{Bloom, Mode, Place, Settings};
use crate::policy::Lit;

/// The knobs of `#[bloom]`, evaluated by the compiler.
#[doc(hidden)]
#[derive(Clone, Copy, Debug)]
pub struct BloomKnobs {
    settings: Settings,
    says_mode: bool,
}

#[doc(hidden)]
#[allow(clippy::new_without_default)]
impl BloomKnobs {
    #[must_use]
    pub const fn new() -> Self {
        Self {
            settings: Settings::new(),
            says_mode: false,
        }
    }

    #[track_caller]
    #[must_use]
    pub const fn capacity(mut self, value: Lit) -> Self {
        self.settings.capacity = value.count();
        self
    }

    #[track_caller]
    #[must_use]
    pub const fn false_positives(mut self, value: Lit) -> Self {
        self.settings.share = value.part();
        self
    }

    #[track_caller]
    #[must_use]
    pub const fn check(self, value: Lit) -> Self {
        value.flag();
        self.mode(Mode::Checked)
    }

    #[track_caller]
    #[must_use]
    pub const fn unchecked(self, value: Lit) -> Self {
        value.flag();
        self.mode(Mode::Unchecked)
    }

    #[track_caller]
    #[must_use]
    pub const fn pair(self, value: Lit) -> Self {
        value.flag();
        self.mode(Mode::Pair)
    }

    #[track_caller]
    const fn mode(mut self, mode: Mode) -> Self {
        if self.says_mode {
            panic!(
                "`check`, `unchecked` and `pair` contradict each other: keep one of them (`check` is the default)"
            );
        }
        self.says_mode = true;
        self.settings.mode = mode;
        self
    }

    #[track_caller]
    #[must_use]
    pub const fn local(mut self, value: Lit) -> Self {
        value.flag();
        self.settings.place = Place::Process;
        self
    }

    #[track_caller]
    #[must_use]
    pub const fn ttl(mut self, value: Lit) -> Self {
        self.settings.ttl = match value.span() {
            Ok(span) => span.0,
            Err(fault) => panic!("{}", fault.message()),
        };
        self
    }

    #[track_caller]
    #[must_use]
    pub const fn on_outage(mut self, value: Lit) -> Self {
        self.settings.outage = value.outage();
        self
    }

    #[track_caller]
    #[must_use]
    pub const fn finish(self) -> Bloom {
        if self.settings.capacity == 0 || self.settings.share == 0 {
            panic!(
                "say for how many keys, and how many others may pass: `#[bloom(capacity = 100_000, false_positives = \"1%\")]`"
            );
        }
        if let Err(fault) = self.settings.size() {
            panic!("{}", fault);
        }
        self.finish_open()
    }

    /// Some knobs are expressions and come later.
    #[must_use]
    pub const fn finish_open(self) -> Bloom {
        Bloom {
            name: Cow::Borrowed(""),
            settings: self.settings,
        }
    }
}
