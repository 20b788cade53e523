//! Which knobs of a policy are turned, as words.

use std::fmt;
use std::ops::BitOr;

use super::Policy;

/// The knobs that decide the life of an entry, by the words of [`Policy`].
///
/// ```
/// use larder::{Policy, Strategy};
/// let strategy = Policy::new().ttl("10m").stale("1h").strategy();
/// assert!(strategy.contains(Strategy::STALE));
/// assert_eq!(strategy.to_string(), "ttl + stale");
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Strategy(u16);

macro_rules! words {
    ($($(#[$doc:meta])* $name:ident = $bit:literal, $word:literal;)*) => {
        impl Strategy {
            $($(#[$doc])* pub const $name: Self = Self(1 << $bit);)*
        }

        const WORDS: &[(Strategy, &str)] = &[$((Strategy::$name, $word)),*];
    };
}

words! {
    /// [`Policy::ttl`].
    TTL = 0, "ttl";
    /// [`Policy::stale`].
    STALE = 1, "stale";
    /// [`Policy::early`].
    EARLY = 2, "early";
    /// [`Policy::soft`].
    SOFT = 3, "soft";
    /// [`Policy::fail_safe`].
    FAIL_SAFE = 4, "fail_safe";
    /// [`Policy::failover`].
    FAILOVER = 5, "failover";
    /// [`Policy::hits`].
    HITS = 6, "hits";
    /// [`Policy::refresh_hits`].
    REFRESH_HITS = 7, "refresh_hits";
}

impl Strategy {
    /// No knob: nothing is known of how the entry lives, or there is none.
    pub const NONE: Self = Self(0);

    /// Whether all knobs of `other` are turned.
    #[must_use]
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// Whether no knob is turned.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The words, in the order of the table in the README.
    pub fn words(self) -> impl Iterator<Item = &'static str> {
        let turned = WORDS.iter().filter(move |(knob, _)| self.contains(*knob));
        turned.map(|(_, word)| *word)
    }

    fn when(self, turned: bool) -> Self {
        if turned { self } else { Self::NONE }
    }
}

impl BitOr for Strategy {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

impl fmt::Display for Strategy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, word) in self.words().enumerate() {
            let gap = if at == 0 { "" } else { " + " };
            write!(f, "{gap}{word}")?;
        }
        Ok(())
    }
}

impl Policy {
    /// Which of its knobs decide the life of an entry.
    #[must_use]
    pub fn strategy(&self) -> Strategy {
        Strategy::TTL.when(self.ttl.is_some())
            | Strategy::STALE.when(self.stale > 0)
            | Strategy::EARLY.when(self.early.is_some())
            | Strategy::SOFT.when(self.soft.is_some())
            | Strategy::FAIL_SAFE.when(self.fail_safe > 0)
            | Strategy::FAILOVER.when(self.failover)
            | Strategy::HITS.when(self.hits > 0)
            | Strategy::REFRESH_HITS.when(self.refresh_hits > 0)
    }
}
