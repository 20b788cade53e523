//! The default cache and the named ones.

use std::collections::HashMap;
use std::sync::OnceLock;

use parking_lot::Mutex;

use super::Cache;
use crate::config;
use crate::error::{Error, ErrorKind, Result};
use crate::scope;

static DEFAULT: OnceLock<Cache> = OnceLock::new();

static NAMED: Mutex<Option<HashMap<String, Cache>>> = Mutex::new(None);

/// The default cache: the one that was set up, else what the environment says (see [`config`](crate::config)), else 10 000 entries in memory.
///
/// Inside a scope with [`Scope::default_cache`](crate::Scope::default_cache) it is that one.
///
/// # Panics
/// At the first use of a process that set nothing up, when a file or a variable that speaks of the default cache is wrong;
/// [`setup_from_env`](crate::setup_from_env) returns that as an error.
#[must_use]
pub fn cache() -> Cache {
    let scoped = scope::current().and_then(|settings| settings.cache.clone());
    scoped.unwrap_or_else(|| process_default().clone())
}

/// The default cache of the process, whatever the scope says.
#[inline]
pub(crate) fn process_default() -> &'static Cache {
    DEFAULT.get_or_init(config::discover)
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
        return Err(taken_name(cache.name()));
    }
    named.insert(cache.name().to_owned(), cache.clone());
    Ok(())
}

/// Makes one cache the default and the others known by their names: all of them, or none.
///
/// # Errors
/// As [`set_default`] and [`register`].
pub(crate) fn install(caches: &[Cache], default: &str) -> Result<()> {
    let mut named = NAMED.lock();
    let named = named.get_or_insert_default();
    let (first, others): (Vec<_>, Vec<_>) = caches.iter().partition(|c| c.name() == default);
    if let Some(taken) = others.iter().find(|c| named.contains_key(c.name())) {
        return Err(taken_name(taken.name()));
    }
    first.into_iter().cloned().try_for_each(set_default)?;
    for cache in others {
        named.insert(cache.name().to_owned(), cache.clone());
    }
    Ok(())
}

fn taken_name(name: &str) -> Error {
    Error::new(
        ErrorKind::AlreadySetUp,
        "register",
        format!("there is a cache named `{name}` already"),
    )
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
