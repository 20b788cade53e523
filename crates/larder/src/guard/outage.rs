//! What a guard does when its store cannot be asked.

/// What a guard does when the store that it counts in cannot be asked.
///
/// Either way [`Event::GuardFailed`](crate::Event::GuardFailed) is told. In attributes: `on_outage = "open"` or `on_outage = "closed"`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Outage {
    /// The call goes on, unguarded. The default: a guard is there for the good of the source, and a cache that is down must not take the service along.
    #[default]
    Open,
    /// The call is refused, as [`Reason::Unavailable`](super::Reason::Unavailable).
    Closed,
}

impl Outage {
    /// The word of an attribute.
    pub(crate) const fn of(word: &str) -> Option<Self> {
        match word.as_bytes() {
            b"open" => Some(Self::Open),
            b"closed" => Some(Self::Closed),
            _ => None,
        }
    }
}
