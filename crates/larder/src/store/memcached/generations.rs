//! What was removed by prefix, and what makes versions random: one item per server and name space, looked at in every trip.

use std::collections::HashSet;
use std::hash::{BuildHasher, RandomState};
use std::time::{SystemTime, UNIX_EPOCH};

use super::wire::Answer;

const MAGIC: &[u8; 4] = b"LG1\n";
/// So many removed prefixes are told apart; one more, and all of the name space is removed instead.
pub(super) const PREFIXES: usize = 256;
/// A longer prefix cannot be removed.
pub(super) const LONGEST_PREFIX: usize = 1_024;

/// The generations of one server.
///
/// The name of an entry's item holds the generation of its key: a number that moves when a prefix of the key is removed. So entries and leases of before are not found any
/// more, and memcached drops them in its own time. All numbers come from `birth`, which is random: when the item is evicted or the server starts empty, everything of
/// before is gone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Generations {
    pub(super) mark: Mark,
    birth: u64,
    /// Seconds since 1970-01-01 UTC.
    born: u64,
    /// How many removals there were.
    last: u64,
    /// Prefixes, and the number of the removal.
    removed: Vec<(String, u64)>,
}

/// What differs from one state of the item to any other: its version, and random client flags, since versions begin anew with the server.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Mark {
    pub(super) cas: u64,
    pub(super) flags: u32,
}

impl Mark {
    pub(super) fn of(answer: &Answer) -> Option<Self> {
        answer.done().then_some(Self {
            cas: answer.cas,
            flags: answer.flags,
        })
    }
}

impl Generations {
    /// A name space in which nothing was ever kept.
    pub(super) fn new() -> Self {
        let birth = random();
        Self {
            mark: Mark {
                cas: 0,
                flags: random() as u32,
            },
            birth,
            born: millis() / 1_000,
            last: 0,
            removed: Vec::new(),
        }
    }

    /// The generation of a key.
    pub(super) fn of(&self, key: &str) -> u64 {
        let matching = self.removed.iter().filter(|(p, _)| key.starts_with(&**p));
        let number = matching.map(|(_, number)| *number).max().unwrap_or(0);
        mix(self.birth.wrapping_add(number))
    }

    /// The version of a record that has this version in memcached. Never 0.
    pub(super) fn version(&self, cas: u64) -> u64 {
        // Another stream than that of the generations.
        mix(mix(!self.birth).wrapping_add(cas)).max(1)
    }

    /// The fencing number of a lock that has this version in memcached.
    ///
    /// Versions grow while the server runs, and begin anew when it starts; it was born later then.
    pub(super) fn fence(&self, cas: u64) -> u64 {
        (self.born << 32).wrapping_add(cas)
    }

    /// What it is after a prefix was removed.
    pub(super) fn without(&self, prefix: &str) -> Self {
        let last = self.last + 1;
        let covered = |(old, _): &&(String, u64)| !old.starts_with(prefix);
        let mut removed: Vec<_> = self.removed.iter().filter(covered).cloned().collect();
        if removed.len() >= PREFIXES {
            removed.clear();
            removed.push((String::new(), last));
        } else {
            removed.push((prefix.to_owned(), last));
        }
        Self {
            last,
            removed,
            ..self.clone()
        }
    }

    pub(super) fn is_same_birth(&self, other: &Self) -> bool {
        self.birth == other.birth
    }

    pub(super) fn to_bytes(&self) -> Vec<u8> {
        let mut out = MAGIC.to_vec();
        for number in [self.birth, self.born, self.last] {
            out.extend(number.to_be_bytes());
        }
        for (prefix, number) in &self.removed {
            out.extend(number.to_be_bytes());
            out.extend((prefix.len() as u16).to_be_bytes());
            out.extend(prefix.as_bytes());
        }
        out
    }

    /// Those of the item that was read; `None` for what is no such item.
    pub(super) fn parse(answer: &Answer) -> Option<Self> {
        let mark = Mark::of(answer)?;
        let mut rest = answer.body.strip_prefix(MAGIC)?;
        let mut number = || {
            let (first, tail) = rest.split_first_chunk::<8>()?;
            rest = tail;
            Some(u64::from_be_bytes(*first))
        };
        let (birth, born, last) = (number()?, number()?, number()?);
        let mut removed = Vec::new();
        while let Some((number, tail)) = rest.split_first_chunk::<8>() {
            let (length, tail) = tail.split_first_chunk::<2>()?;
            let length = usize::from(u16::from_be_bytes(*length));
            let (prefix, tail) = tail.split_at_checked(length)?;
            let prefix = std::str::from_utf8(prefix).ok()?.to_owned();
            removed.push((prefix, u64::from_be_bytes(*number)));
            rest = tail;
        }
        let distinct: HashSet<&str> = removed.iter().map(|(p, _)| &**p).collect();
        let sound = rest.is_empty() && removed.len() <= PREFIXES && distinct.len() == removed.len();
        sound.then_some(Self {
            mark,
            birth,
            born,
            last,
            removed,
        })
    }
}

/// A bijection that leaves no pattern (the finalizer of SplitMix64): as long as its arguments differ, so do its values.
fn mix(number: u64) -> u64 {
    let number = (number ^ (number >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let number = (number ^ (number >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    number ^ (number >> 31)
}

/// 64 random bits, from the keys that the standard library draws for its hash maps.
pub(super) fn random() -> u64 {
    RandomState::new().hash_one((millis(), std::process::id(), std::thread::current().id()))
}

/// The present, in milliseconds since 1970-01-01 UTC.
pub(super) fn millis() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| since.as_millis() as u64)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::wire::Code;
    use super::*;

    fn read(bytes: Vec<u8>) -> Option<Generations> {
        Generations::parse(&Answer {
            code: Code::Done,
            body: bytes,
            cas: 0,
            flags: 0,
            ttl: -1,
            number: None,
            made: false,
        })
    }

    #[test]
    fn a_removal_moves_the_keys_that_begin_so_and_no_other() {
        let before = Generations::new();
        let after = before.without("user:");
        assert_ne!(before.of("user:7"), after.of("user:7"));
        assert_eq!(before.of("users"), after.of("users"));
        let again = after.without("user:7");
        assert_ne!(again.of("user:7"), after.of("user:7"));
        assert_eq!(again.of("user:8"), after.of("user:8"));
        let all = again.without("");
        assert_eq!(all.removed.len(), 1);
        assert_ne!(all.of("users"), before.of("users"));
        assert_eq!(before.version(7), all.version(7));
    }

    #[test]
    fn too_many_prefixes_remove_everything() {
        let mut now = Generations::new();
        let kept = now.of("kept");
        for number in 0..PREFIXES {
            now = now.without(&format!("p{number:03}:"));
        }
        assert_eq!(now.of("kept"), kept);
        now = now.without("one more:");
        assert_ne!(now.of("kept"), kept);
        assert_eq!(now.removed.len(), 1);
    }

    #[test]
    fn another_birth_shares_nothing() {
        let (one, other) = (Generations::new(), Generations::new());
        assert_ne!(one.of("a"), other.of("a"));
        assert_ne!(one.version(1), other.version(1));
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(prefixes in proptest::collection::vec("[a-c]{0,3}é?", 0..20), cut in 0_usize..100) {
            let mut all = Generations::new();
            all.mark.flags = 0;
            for prefix in &prefixes {
                all = all.without(prefix);
            }
            let bytes = all.to_bytes();
            prop_assert_eq!(read(bytes.clone()), Some(all.clone()));
            let half = bytes[..cut.min(bytes.len())].to_vec();
            prop_assert!(cut >= bytes.len() || read(half) != Some(all));
        }

        #[test]
        fn foreign_bytes_are_nothing(bytes in proptest::collection::vec(any::<u8>(), 0..80)) {
            prop_assert_eq!(read(bytes), None);
        }
    }
}
