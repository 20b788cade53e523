//! What the client flags of an item say: whether it is an entry, and until when to the millisecond.
//!
//! memcached counts lives in whole seconds of a clock that ticks once a second. So an item is given up to two seconds more than its life, and the true end stands in its
//! client flags: the low 29 bits of the milliseconds since 1970-01-01 UTC. Together with the seconds that memcached says are left, they name one instant.

use std::time::Duration;

use crate::store::Life;

/// An entry: what was vivified for a lease, and what others wrote, is none.
const ENTRY: u32 = 1 << 31;
/// It has no end.
const ENDLESS: u32 = 1 << 30;
/// It was filled under a lease whose number, 8 bytes, stands after the value.
const FILLED: u32 = 1 << 29;
const LOW: u32 = FILLED - 1;
/// With more left than this, memcached's own count is exact enough. Less than half of what the low bits tell apart.
const NEAR: i64 = 172_800;
/// Above it, memcached takes a number for a date.
const THIRTY_DAYS: u64 = 2_592_000;

/// The client flags and the time to live of an item.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stamp {
    pub(super) flags: u32,
    /// As `T` takes it; 0 is for ever.
    pub(super) ttl: u64,
}

impl Stamp {
    /// For an entry that lives so long from `now`, in milliseconds since 1970-01-01 UTC.
    pub(super) fn new(life: Life, now: u64) -> Self {
        let endless = Self {
            flags: ENTRY | ENDLESS,
            ttl: 0,
        };
        let Some(life) = life else { return endless };
        let millis = u64::try_from(life.as_millis()).unwrap_or(u64::MAX);
        // One second for the part of a second, one for the clock's tick.
        match ttl((millis / 1_000).saturating_add(2), now) {
            0 => endless,
            ttl => Self {
                flags: ENTRY | (now.saturating_add(millis) as u32 & LOW),
                ttl,
            },
        }
    }

    /// The same for a value with the number of its lease behind it.
    pub(super) fn filled(self) -> Self {
        Self {
            flags: self.flags | FILLED,
            ..self
        }
    }
}

/// Seconds from `now` as memcached takes them; 0, for ever, for what ends after its dates do, in 2038.
pub(super) fn ttl(seconds: u64, now: u64) -> u64 {
    if seconds <= THIRTY_DAYS {
        return seconds.max(1);
    }
    let date = (now / 1_000).saturating_add(seconds);
    if date > i32::MAX as u64 { 0 } else { date }
}

/// The same for an item that has this much left by memcached's count, where -1 is for ever.
pub(super) fn ttl_of(left: i64, now: u64) -> u64 {
    match u64::try_from(left) {
        Err(_) => 0,
        Ok(seconds) => ttl(seconds, now),
    }
}

/// What is left of an entry's life; the outer `None` where there is no entry.
pub(super) fn left(flags: u32, ttl: i64, now: u64) -> Option<Life> {
    if flags & ENTRY == 0 {
        return None;
    }
    if flags & ENDLESS != 0 {
        return Some(None);
    }
    if ttl > NEAR {
        return Some(Some(Duration::from_secs(ttl.unsigned_abs())));
    }
    // The difference in the ring of 29 bits, as a signed number.
    let difference = (flags & LOW).wrapping_sub(now as u32 & LOW) << 3;
    let millis = difference.cast_signed() >> 3;
    let millis = u64::try_from(millis).ok().filter(|millis| *millis > 0)?;
    Some(Some(Duration::from_millis(millis)))
}

/// The value and the number of the lease that it was filled under, if any.
pub(super) fn split(flags: u32, mut body: Vec<u8>) -> Option<(Vec<u8>, Option<u64>)> {
    if flags & FILLED == 0 {
        return Some((body, None));
    }
    let (value, number) = body.split_last_chunk::<8>()?;
    let (value, number) = (value.len(), u64::from_be_bytes(*number));
    body.truncate(value);
    Some((body, Some(number)))
}

/// The client flags of an entry that others count in: it stays as long, and its leases end.
pub(super) fn rewritten(flags: u32) -> u32 {
    flags & !FILLED
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn lives_are_rounded_up_and_never_to_for_ever() {
        let now = 1_800_000_000_000;
        let ttl = |millis| Stamp::new(Some(Duration::from_millis(millis)), now).ttl;
        assert_eq!((ttl(0), ttl(1), ttl(999), ttl(1_000)), (2, 2, 2, 3));
        assert_eq!(ttl(2_592_000_000 - 2_000), 2_592_000);
        assert_eq!(ttl(2_592_000_000), 1_800_000_000 + 2_592_002);
        let endless = Stamp::new(None, now);
        assert_eq!(Stamp::new(Some(Duration::MAX), now), endless);
        assert_eq!(left(endless.flags, -1, now), Some(None));
        assert_eq!(left(0, 5, now), None);
    }

    proptest! {
        #[test]
        fn the_end_is_exact_to_the_millisecond(life in 0_u64..400_000_000, passed in 0_u64..400_002_000, now in 1_700_000_000_000_u64..2_000_000_000_000) {
            let stamp = Stamp::new(Some(Duration::from_millis(life)), now);
            let seconds = (life / 1_000 + 2).cast_signed() - (passed / 1_000).cast_signed();
            prop_assume!(seconds >= 0);
            let found = left(stamp.flags, seconds, now + passed);
            if seconds > NEAR {
                prop_assert!(found.is_some());
            } else {
                let due = life.checked_sub(passed).filter(|l| *l > 0);
                prop_assert_eq!(found, due.map(|l| Some(Duration::from_millis(l))));
            }
        }
    }
}
