//! The names of the knobs. Only those that shape the expansion are known here; the library knows the others.

use larder_syntax::suggest;

/// Knobs that the macro reads itself, and what a value of them looks like.
const KNOWN: &[(&str, &str)] = &[
    ("key", "\"user:{id}\""),
    ("version", "2"),
    ("skip", "[conn]"),
    ("cache", "self.cache"),
    ("bypass", "id == 0"),
    ("crate", "my_deps::larder"),
    ("tags", "[\"users\", \"org:{org}\"]"),
    ("when", "|value| !value.is_empty()"),
    ("ttl_with", "|value| value.expires_in"),
    ("slower_than", "\"50ms\""),
    ("errors", "\"30s\""),
    ("skip_none", ""),
    ("local", ""),
    ("strict", ""),
    ("no_handle", ""),
    ("associated", ""),
    ("result", ""),
    ("option", ""),
    ("plain", ""),
];

/// Knobs of the library whose loads run behind a hit, and therefore need owned arguments.
const LOADS_BEHIND: &[&str] = &["stale", "early", "refresh_hits", "timeout"];

/// A knob after whose time the caller goes, though a sync load cannot be dropped.
pub(crate) const HARD_TIMEOUT: &str = "hard_timeout";

/// Knobs that say for how long a call waits for its load.
pub(crate) const TIMEOUTS: &[&str] = &["timeout", HARD_TIMEOUT];

pub(crate) const SAY_HOW_LONG: &str = "say how long: `ttl = \"10m\"`, `ttl = \"forever\"`, or `ttl = \"default\"` for the cache's own default";

pub(crate) fn loads_behind(name: &str) -> bool {
    LOADS_BEHIND.contains(&name)
}

pub(crate) fn example(name: &str) -> &'static str {
    KNOWN
        .iter()
        .find(|(known, _)| *known == name)
        .map_or("..", |(_, example)| example)
}

/// The knob of the macro that `name` is a slip of the pen for.
pub(crate) fn misspelled(name: &str) -> Option<&'static str> {
    suggest::nearest(name, KNOWN.iter().map(|(known, _)| *known))
}

/// Whether the compiler's answer to `name` will be that `ttl` was meant.
pub(crate) fn looks_like_ttl(name: &str) -> bool {
    suggest::nearest(name, ["ttl"]).is_some()
}
