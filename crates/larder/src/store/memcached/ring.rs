//! Which server holds a key: consistent hashing on libmemcached's points.

use md5::{Digest, Md5};

/// Points of a server of average weight.
const POINTS: f32 = 160.0;

/// libmemcached's "ketama weighted" ring: servers added or lost move only the keys that they gain or held.
#[derive(Debug)]
pub(super) struct Ring {
    /// Sorted; a point and the number of its server.
    points: Vec<(u32, usize)>,
}

impl Ring {
    /// A ring of servers: host, port, weight.
    pub(super) fn new<'a>(servers: impl Iterator<Item = (&'a str, u16, u32)> + Clone) -> Self {
        let count = servers.clone().count() as f32;
        let total: f32 = servers.clone().map(|(.., weight)| weight as f32).sum();
        let mut points = Vec::new();
        for (number, (host, port, weight)) in servers.enumerate() {
            let share = weight as f32 / total;
            // Four points come from one digest. The order of these operations is libmemcached's.
            let digests = (share * POINTS / 4.0 * count + 0.000_000_000_1).floor() as u32;
            // There, a server of very little weight would hold nothing at all.
            for digest in 0..digests.max(1) {
                let text = match port {
                    11_211 => format!("{host}-{digest}"),
                    _ => format!("{host}:{port}-{digest}"),
                };
                let digest = Md5::digest(text.as_bytes());
                let (fours, _) = digest.as_slice().as_chunks::<4>();
                points.extend(fours.iter().map(|four| (u32::from_le_bytes(*four), number)));
            }
        }
        points.sort_unstable();
        Self { points }
    }

    /// The number of the server that holds a key.
    pub(super) fn server(&self, key: &str) -> usize {
        let digest = Md5::digest(key.as_bytes());
        let [a, b, c, d, ..] = digest.as_slice() else {
            return 0;
        };
        let hash = u32::from_le_bytes([*a, *b, *c, *d]);
        let at = self.points.partition_point(|(point, _)| *point < hash);
        let found = self.points.get(at).or_else(|| self.points.first());
        found.map_or(0, |(_, server)| *server)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SERVERS: [(&str, u16); 3] = [
        ("10.0.0.1", 11_211),
        ("10.0.0.2", 11_211),
        ("10.0.0.3", 22_122),
    ];

    fn ring(weights: [u32; 3]) -> Ring {
        let each = SERVERS.into_iter().zip(weights);
        Ring::new(each.map(|((host, port), weight)| (host, port, weight)))
    }

    fn servers(ring: &Ring) -> String {
        let keys = (0..24).map(|n| format!("key:{n}"));
        keys.map(|key| ring.server(&key).to_string()).collect()
    }

    /// Made by another program from the same description.
    #[test]
    fn points_and_servers_are_pinned() {
        let even = ring([1, 1, 1]);
        assert_eq!(even.points.len(), 480);
        let first = [(1_714_315, 2), (7_006_357, 2), (17_637_131, 2)];
        assert_eq!(even.points[..3], first);
        assert_eq!(even.points.last(), Some(&(4_290_680_651, 2)));
        assert_eq!(servers(&even), "110210201021111110220100");
        let heavy = ring([2, 1, 1]);
        let of = |n| heavy.points.iter().filter(|(_, s)| *s == n).count();
        assert_eq!([of(0), of(1), of(2)], [240, 120, 120]);
        assert_eq!(servers(&heavy), "110210001022121110210100");
    }

    #[test]
    fn a_server_that_leaves_moves_only_its_own_keys() {
        let all = ring([1, 1, 1]);
        let less = Ring::new(SERVERS[..2].iter().map(|(host, port)| (*host, *port, 1)));
        let mut moved = 0;
        for key in (0..10_000).map(|n| format!("key:{n}")) {
            let before = all.server(&key);
            if before == 2 {
                moved += 1;
            } else {
                assert_eq!(less.server(&key), before);
            }
        }
        assert_eq!(moved, 3_291);
    }

    #[test]
    fn the_lightest_server_holds_something() {
        let ring = ring([10_000, 10_000, 1]);
        assert!((0..10_000).any(|n| ring.server(&format!("{n}")) == 2));
    }
}
