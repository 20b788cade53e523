//! Which entries an invalidation means.

use crate::key::Key;

/// Keys, a prefix, a pattern, tags, or all.
///
/// Keys, prefixes and patterns are without the cache's own prefix.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Selector {
    /// These keys.
    Keys(Vec<Key>),
    /// All keys that begin so, literally.
    Prefix(String),
    /// All keys that match a glob pattern by Redis' rules: `*`, `?`, `[a-z]`, `[^a]`, `\x`.
    /// Source: the [KEYS](https://redis.io/docs/latest/commands/keys/) command.
    Pattern(String),
    /// All entries under any of these tags.
    Tags(Vec<Key>),
    /// Everything in the cache.
    All,
}
