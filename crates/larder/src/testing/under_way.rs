//! What a cache still has to do.

use crate::cache::Cache;

/// What is under way in a cache. All zero when it has come to rest.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct UnderWay {
    /// Keys that somebody holds the right to fill.
    pub leased: usize,
    /// Loads that run behind their readers.
    pub behind: usize,
}

/// Counts what is under way in a cache.
///
/// After all calls have ended and all background loads too, both numbers are zero; a test that finds something else has
/// found a leak.
///
/// ```
/// use larder::testing::{Simulation, UnderWay, under_way};
/// let simulation = Simulation::new(1);
/// let cache = simulation.cache_builder().build()?;
/// assert_eq!(under_way(&cache), UnderWay::default());
/// # Ok::<(), larder::Error>(())
/// ```
#[must_use]
pub fn under_way(cache: &Cache) -> UnderWay {
    UnderWay {
        leased: cache.inner.leases.records(),
        behind: cache.inner.background.running(),
    }
}
