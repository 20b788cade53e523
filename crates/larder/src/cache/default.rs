//! The default cache and the named ones.

use std::collections::HashMap;
use std::sync::OnceLock;

use parking_lot::Mutex;

use super::Cache;
use crate::error::{Error, ErrorKind, Result};
use crate::scope;

static DEFAULT: OnceLock<Cache> = OnceLock::new();

static NAMED: Mutex<Option<HashMap<String, Cache>>> = Mutex::new(None);

/// The default cache: the one that was set up, else 10 000 entries in memory.
///
/// Inside a scope with [`Scope::default_cache`](crate::Scope::default_cache) it is that one.
#[must_use]
pub fn cache() -> Cache {
    let scoped = scope::current().and_then(|settings| settings.cache.clone());
    scoped.unwrap_or_else(|| process_default().clone())
}

/// The default cache of the process, whatever the scope says.
#[inline]
pub(crate) fn process_default() -> &'static Cache {
    DEFAULT.get_or_init(|| {
        let built = Cache::builder().name("default").build();
        built.expect("larder: a builder with defaults only cannot fail")
    })
}

/// Makes a cache the default one of this process.
///
/// # Errors
/// [`ErrorKind::AlreadySetUp`] when there is a default already: set up once, before the first use.
pub fn set_default(cache: Cache) -> Result<()> {
    DEFAULT.set(cache).map_err(|_| {
        Error::new(
            ErrorKind::AlreadySetUp,
            "set_default",
            "the default cache was set up or used before: set it up once, at the start of the program",
        )
    })
}

/// Builds the default cache from a URL. See [`Builder::url`](super::Builder::url).
///
/// # Errors
/// As [`Builder::url`](super::Builder::url), [`Builder::build`](super::Builder::build) and [`set_default`].
pub async fn setup(url: &str) -> Result<Cache> {
    let cache = Cache::builder().name("default").url(url)?.build()?;
    set_default(cache.clone())?;
    Ok(cache)
}

/// Makes a cache known by its name, for [`named`].
///
/// # Errors
/// [`ErrorKind::AlreadySetUp`] when another cache has that name.
pub fn register(cache: &Cache) -> Result<()> {
    let mut named = NAMED.lock();
    let named = named.get_or_insert_default();
    if named.contains_key(cache.name()) {
        return Err(Error::new(
            ErrorKind::AlreadySetUp,
            "register",
            format!("there is a cache named `{}` already", cache.name()),
        ));
    }
    named.insert(cache.name().to_owned(), cache.clone());
    Ok(())
}

/// The cache that was registered under a name.
///
/// # Errors
/// [`ErrorKind::Config`] when there is none, with the nearest name that there is.
pub fn named(name: &str) -> Result<Cache> {
    let named = NAMED.lock();
    let caches = named.iter().flatten();
    if let Some((_, cache)) = caches.clone().find(|(n, _)| n.as_str() == name) {
        return Ok(cache.clone());
    }
    let nearest = larder_syntax::suggest::nearest(name, caches.map(|(n, _)| n.as_str()));
    let hint = nearest.map_or(String::new(), |n| format!("; did you mean `{n}`?"));
    Err(Error::new(
        ErrorKind::Config,
        "named",
        format!("no cache is registered as `{name}`{hint}"),
    ))
}
