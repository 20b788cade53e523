//! Leases: the right to fill an item, as bytes.
//!
//! Memcached gives each state of an item a version (CAS) that never comes again while the server runs, and makes an empty item where none is (vivify). The version that a
//! reader saw is its lease. A write gives another version and a removal takes the item away, so a fill that compares versions loses, for keys that never existed too.
//! A fill itself also changes the version; so that it does not end the leases of others, it writes the number of its lease behind the value, and whoever has a lease of that
//! number may fill again. The generation stands in the token too: versions begin anew when a server starts, generations do not come again.

use std::time::Duration;

use super::wire::Answer;
use super::{item, names::Name};
use crate::store::Token;

/// No lease stands longer.
const LONGEST: Duration = Duration::from_secs(43_200);

/// The right to fill one key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Lease {
    pub(super) generation: u64,
    /// Stays the same from fill to fill, and changes with each write.
    pub(super) number: u64,
    /// The version of the item when the lease was given.
    pub(super) cas: u64,
    /// Milliseconds since 1970-01-01 UTC.
    pub(super) until: u64,
}

impl Lease {
    pub(super) fn token(self) -> Token {
        let numbers = [self.generation, self.number, self.cas, self.until];
        Token::new(numbers.map(u64::to_be_bytes).concat())
    }

    /// `None` for bytes that are no lease of ours, or one that is over.
    pub(super) fn parse(token: &Token, now: u64) -> Option<Self> {
        let (eights, []) = token.as_bytes().as_chunks::<8>() else {
            return None;
        };
        let [generation, number, cas, until] = *eights else {
            return None;
        };
        let lease = Self {
            generation: u64::from_be_bytes(generation),
            number: u64::from_be_bytes(number),
            cas: u64::from_be_bytes(cas),
            until: u64::from_be_bytes(until),
        };
        (now < lease.until).then_some(lease)
    }
}

/// For how long a lease stands, given how long was asked for.
pub(super) fn span(asked: Duration) -> Duration {
    asked.min(LONGEST)
}

/// For how long an item is vivified: whoever shares the lease in its first half has all of its own time.
pub(super) fn vivified(asked: Duration) -> u64 {
    2 * span(asked).as_secs() + 2
}

/// Whether an item may be gone before a lease of it is over. It is given more time then.
pub(super) fn is_short(answer: &Answer, asked: Duration) -> bool {
    u64::try_from(answer.ttl).is_ok_and(|left| left <= span(asked).as_secs() + 1)
}

/// What an item holds.
#[derive(Debug)]
pub(super) struct Held {
    /// The entry, if it is one and lives.
    pub(super) bytes: Option<Vec<u8>>,
    /// The number of its leases.
    pub(super) number: u64,
}

/// What the item of an answer to `mg … v c f t` holds.
pub(super) fn held(answer: Answer, now: u64) -> Held {
    let lives = answer.done() && item::left(answer.flags, answer.ttl, now).is_some();
    let (value, number) = match item::split(answer.flags, answer.body) {
        Some((value, number)) => (lives.then_some(value), number),
        None => (None, None),
    };
    Held {
        bytes: value,
        number: number.unwrap_or(answer.cas),
    }
}

/// Where a lease is to be given: what is needed to give it.
#[derive(Clone, Debug)]
pub(super) struct Place {
    pub(super) name: Name,
    pub(super) generation: u64,
    pub(super) cas: u64,
    pub(super) is_short: bool,
}
