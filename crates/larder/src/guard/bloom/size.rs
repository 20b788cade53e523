//! How large a filter is, and where a key stands in it: the same in every process and every release.

use super::Mode;

/// What stands before the bits of the filter.
pub(super) const HEADER: u32 = 64;

/// The bits that say together that a filter is complete. The second is set after the first was seen beside what was added: a filter that is lost before takes the
/// first along, so wherever that is cut off, an empty one has the second alone at most.
pub(super) const READY: [u32; 2] = [0, 1];

/// Bits and hashes of one filter.
///
/// Whole numbers only: a logarithm may come out differently on another machine, and then two processes would look for a key in different places.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Size {
    pub(super) bits: u32,
    pub(super) hashes: u32,
}

const WHOLE: u64 = 1_000_000;

impl Size {
    /// For `capacity` keys and a share of `share` millionths: by [Bloom](https://doi.org/10.1145/362686.362692), `hashes` halvings reach the share, and a filter that is
    /// half full needs `hashes / ln 2` bits for each key.
    pub(super) const fn of(capacity: u64, share: u32, mode: Mode) -> Result<Self, &'static str> {
        if capacity == 0 {
            return Err("a filter is made for one key at least: `capacity = 100_000`");
        }
        if share == 0 || share as u64 >= WHOLE {
            return Err(
                "of the keys that are not there a share below the whole may be \"maybe\": `false_positives = \"1%\"`",
            );
        }
        let mut hashes = 1;
        while (share as u64) << hashes < WHOLE {
            hashes += 1;
        }
        // 1 / ln 2, rounded up.
        let bits = (capacity as u128 * hashes as u128 * 14_427).div_ceil(10_000);
        let bits = bits.next_multiple_of(64);
        let filters = match mode {
            Mode::Pair => 2,
            Mode::Checked | Mode::Unchecked => 1,
        };
        if HEADER as u128 + filters * bits > u32::MAX as u128 {
            return Err(
                "this filter would take more than half a gigabyte: give it a smaller capacity or a greater share of false positives",
            );
        }
        Ok(Self {
            bits: bits as u32,
            hashes,
        })
    }

    /// Where a key stands in the filter that begins at `start`.
    ///
    /// [Kirsch and Mitzenmacher](https://doi.org/10.1002/rsa.20208) make all hashes of two; in small filters two keys then share all positions too often, and a third hash helps
    /// ([Dillinger and Manolios](https://doi.org/10.1007/978-3-540-30494-4_26)). SHA-256 gives all three, and nobody can look for keys that fill the filter without trying.
    pub(super) fn positions(self, start: u32, key: &str) -> impl Iterator<Item = u32> + use<> {
        let digest = hmac_sha256::Hash::hash(key.as_bytes());
        let word = |place: usize| {
            let bytes = std::array::from_fn(|byte| digest[8 * place + byte]);
            u64::from_le_bytes(bytes)
        };
        let (mut at, mut step, grow) = (word(0), word(1), word(2));
        (0..self.hashes).map(move |_| {
            let place = (u128::from(at) * u128::from(self.bits)) >> 64;
            at = at.wrapping_add(step);
            step = step.wrapping_add(grow);
            start + place as u32
        })
    }

    /// Positions all over the filter that begins at `start`, as many as tell how full it is.
    pub(super) fn sample(self, start: u32) -> Vec<u32> {
        let count = self.bits.min(1_024);
        let place = |at: u32| (u64::from(at) * u64::from(self.bits) / u64::from(count)) as u32;
        (0..count).map(|at| start + place(at)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::{HEADER, Mode, Size};

    #[test]
    fn sizes_and_positions_never_change() {
        let size = Size::of(100_000, 10_000, Mode::Checked).unwrap();
        assert_eq!((size.bits, size.hashes), (1_009_920, 7));
        let places: Vec<u32> = size.positions(HEADER, "user:7").collect();
        assert_eq!(places, GOLDEN);
        let tiny = Size::of(1, 500_000, Mode::Pair).unwrap();
        assert_eq!((tiny.bits, tiny.hashes), (64, 1));
        let sharp = Size::of(1_000, 1, Mode::Checked).unwrap();
        assert_eq!((sharp.bits, sharp.hashes), (28_864, 20));
    }

    /// Written down once: another text would make all filters that are kept somewhere worthless.
    const GOLDEN: [u32; 7] = [
        121_657, 481_297, 322_285, 654_542, 468_147, 773_021, 559_244,
    ];

    #[test]
    fn a_size_that_cannot_be_is_answered() {
        assert!(Size::of(0, 10_000, Mode::Checked).is_err());
        assert!(Size::of(1, 0, Mode::Checked).is_err());
        assert!(Size::of(1, 1_000_000, Mode::Checked).is_err());
        assert!(Size::of(u64::MAX, 1, Mode::Checked).is_err());
        let most = 425_000_000;
        assert!(Size::of(most, 10_000, Mode::Checked).is_ok());
        assert!(Size::of(most, 10_000, Mode::Pair).is_err());
        assert!(Size::of(most + 1_000_000, 10_000, Mode::Checked).is_err());
    }

    #[test]
    fn positions_stay_within_the_filter() {
        let size = Size::of(3, 100_000, Mode::Checked).unwrap();
        let all = (0..10_000).flat_map(|key| size.positions(HEADER, &format!("{key}")));
        assert!({ all }.all(|at| (HEADER..HEADER + size.bits).contains(&at)));
    }
}
