//! The names of all settings: the same in URLs, files and, in capitals, in the environment.

use larder_syntax::suggest;

/// What concerns a whole cache.
pub(crate) const CACHE: [&str; 8] = [
    "prefix",
    "strict",
    "off",
    "background_loads",
    "memory_size",
    "memory_weight",
    "memory_ttl",
    "store_ttl",
];

/// The knobs of [`Policy`](crate::Policy), by their names in attributes; `weight` is `entry_weight`, because `memory://?weight=` bounds the tier,
/// and `timeout` is `load_timeout`, because `timeout` bounds the operations of a store.
pub(crate) const POLICY: [&str; 15] = [
    "ttl",
    "stale",
    "early",
    "soft",
    "fail_safe",
    "throttle",
    "failover",
    "hits",
    "refresh_hits",
    "jitter",
    "wait",
    "load_limit",
    "load_timeout",
    "hard_timeout",
    "entry_weight",
];

/// How values become bytes, as [`Codec::from_address`](crate::Codec) reads it.
pub(crate) const CODEC: [&str; 14] = [
    "format",
    "envelope",
    "fingerprint",
    "compress",
    "compress_above",
    "compress_level",
    "max_size",
    "sign",
    "sign_key_env",
    "sign_key_file",
    "encrypt_key_env",
    "encrypt_key_file",
    "key_id",
    "old_keys",
];

/// What a level may cost, and what happens when it fails; beside `levels` it holds for each that says nothing itself.
pub(crate) const LIMITS: [&str; 7] = [
    "timeout",
    "sweep_timeout",
    "breaker",
    "probe",
    "remember",
    "remembered",
    "in_flight",
];

/// What concerns one level only.
pub(crate) const LEVEL: [&str; 4] = ["ttl_cap", "dedupe", "password_env", "password_file"];

/// Secrets themselves, which stand nowhere.
const SECRETS: [&str; 3] = ["password", "sign_key", "encrypt_key"];

/// What to say where a secret itself is given; the store says it of its own.
pub(crate) fn secret(name: &str) -> Option<String> {
    SECRETS.contains(&name).then(|| {
        format!(
            "a secret does not stand here: instead of `{name}` write `{name}_env`, with the name of a variable, or `{name}_file`, with a path"
        )
    })
}

/// What makes a cache of stores.
pub(crate) const PLACES: [&str; 3] = ["url", "levels", "routes"];

/// What `memory://` calls shortly what is `memory_…` elsewhere.
const MEMORY: [(&str, &str); 3] = [
    ("size", "memory_size"),
    ("weight", "memory_weight"),
    ("ttl_cap", "memory_ttl"),
];

/// Settings that stand for a whole cache, whatever it is kept in.
pub(crate) fn is_of_cache(name: &str) -> bool {
    CACHE.contains(&name) || POLICY.contains(&name) || CODEC.contains(&name)
}

/// Settings that a level takes before its store is asked.
pub(crate) fn is_of_level(name: &str) -> bool {
    LIMITS.contains(&name) || LEVEL.contains(&name)
}

/// What a parameter of `memory://` is called elsewhere.
pub(crate) fn of_memory(name: &str) -> Option<&'static str> {
    let found = MEMORY.iter().find(|(short, _)| *short == name);
    found.map(|(_, long)| *long)
}

/// The names that `memory://` and `off://` know.
pub(crate) fn memory_names() -> Vec<&'static str> {
    let short = MEMORY.iter().map(|(short, _)| *short);
    let long = ["name", "prefix", "strict", "background_loads"];
    short
        .chain(long)
        .chain(POLICY)
        .chain(["memory_size", "memory_weight", "memory_ttl", "off"])
        .chain(CODEC)
        .collect()
}

/// A word that nobody knows, and the one of `known` that was probably meant; without one, `listed`.
pub(crate) fn unknown(what: &str, word: &str, known: &[&str], listed: &str) -> String {
    let shown = super::node::shorten(word);
    // Long words are no slips of the fingers, and comparing them takes time.
    let nearest = (shown.len() == word.len())
        .then(|| suggest::nearest(word, known.iter().copied()))
        .flatten();
    match nearest {
        Some(nearest) => format!("unknown {what} `{shown}` (did you mean `{nearest}`?)"),
        None => format!("unknown {what} `{shown}`; there is {listed}"),
    }
}

/// Some names, and the groups that are too many to be told one by one.
pub(crate) fn names_of(some: &[&str]) -> String {
    format!(
        "{}, the settings of a cache like `prefix`, of its policy like `ttl` and of its codec like `format`",
        some.join(", ")
    )
}
