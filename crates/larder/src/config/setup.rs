//! Setting up the caches of a process.

use std::path::Path;

use super::{Advice, Configuration};
use crate::cache::{self, Cache};
use crate::error::Result;

use super::file::DEFAULT;

/// What was set up.
#[derive(Clone, Debug)]
pub struct SetUp {
    caches: Vec<Cache>,
    advice: Vec<Advice>,
}

impl SetUp {
    /// All caches, in the order of the file.
    #[must_use]
    pub fn caches(&self) -> &[Cache] {
        &self.caches
    }

    /// The cache of this name; `"default"` is the default cache.
    #[must_use]
    pub fn cache(&self, name: &str) -> Option<&Cache> {
        self.caches.iter().find(|cache| cache.name() == name)
    }

    /// What is allowed and risky.
    #[must_use]
    pub fn advice(&self) -> &[Advice] {
        &self.advice
    }
}

/// Sets up the caches that a file describes, with `LARDER_*` variables on top.
///
/// The cache called `default` becomes the default cache, the others are found by [`named`](crate::named). Either all are set up or none.
/// What a file looks like says [`config`](crate::config). No store is waited for: a server that is down at the start is asked again later.
///
/// # Errors
/// [`ErrorKind::Config`](crate::ErrorKind::Config) for what is wrong in the file or a variable, with file, line, column and the nearest right word;
/// [`ErrorKind::AlreadySetUp`](crate::ErrorKind::AlreadySetUp) when there is a default cache already, or a cache of one of the names.
pub async fn setup_from_file(path: impl AsRef<Path>) -> Result<SetUp> {
    set_up(&Configuration::from_file(path)?.with_env()?)
}

/// Sets up the caches that the environment describes: the file of `LARDER_CONFIG`, else `larder.yaml` or `larder.toml` in the working directory, and `LARDER_*` variables on top.
///
/// With nothing of all that, the default cache holds 10 000 entries in memory. A program that calls neither this nor another `setup` gets
/// the same at its first use of the default cache, with a panic where this returns an error.
///
/// # Errors
/// As [`setup_from_file`].
pub async fn setup_from_env() -> Result<SetUp> {
    set_up(&Configuration::from_env()?)
}

fn set_up(configuration: &Configuration) -> Result<SetUp> {
    let set_up = build_all(configuration)?;
    cache::install(&set_up.caches, DEFAULT)?;
    Ok(set_up)
}

fn build_all(configuration: &Configuration) -> Result<SetUp> {
    let mut caches = configuration.build()?;
    if caches.iter().all(|cache| cache.name() != DEFAULT) {
        caches.push(Cache::builder().name(DEFAULT).build()?);
    }
    let advice = configuration.advice()?;
    Ok(SetUp { caches, advice })
}

/// The default cache of a process that set nothing up; the others are registered.
///
/// # Panics
/// For what is wrong in the environment: see [`config`](crate::config), "Without set-up".
pub(crate) fn discover() -> Cache {
    let found = || {
        let set_up = build_all(&Configuration::from_env()?)?;
        let others = set_up.caches.iter().filter(|cache| cache.name() != DEFAULT);
        others.clone().try_for_each(cache::register)?;
        let default = set_up.cache(DEFAULT).cloned();
        Ok::<_, crate::Error>(default.expect("larder: a set-up always has a default cache"))
    };
    match found() {
        Ok(cache) => cache,
        Err(error) => panic!(
            "larder: the default cache cannot be made of what the environment says: {error}. Mend it there, or call `larder::setup_from_env().await` at the start of the program, which returns this as an error"
        ),
    }
}
