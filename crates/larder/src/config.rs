//! Caches from URLs, files and the environment.
//!
//! All of them say the same settings by the same names. A [`Configuration`] collects what was said, [`Configuration::plans`] checks it, and what comes
//! out is plain data, a [`Plan`] per cache. [`setup`](crate::setup), [`setup_from_file`] and [`setup_from_env`] do all of it and build the caches.
//!
//! # URLs
//!
//! One URL, or a chain of them set apart by spaces, from near to far; commas stay free for hosts:
//!
//! ```text
//! memory://?size=10000&ttl=10m
//! redis://localhost/0?prefix=app:&timeout=200ms&ttl=10m&stale=1h
//! redis://localhost/0?memory_ttl=60s
//! memory://?size=1000&ttl_cap=60s sqlite:///var/cache/app.db?ttl_cap=1h redis://h1/0?prefix=app:
//! off://
//! ```
//!
//! What concerns the whole cache may stand in any of the URLs of a chain, once. Names and values are percent-encoded (RFC 3986, section 2.1); a space is `%20`.
//! A store is asked on every call unless memory stands in front of it: `memory://` as the first of a chain, any `memory_…` setting, or `client_side=1`.
//! `memory_ttl=60s` on the URL of one store is the short form of two levels: the store then keeps entries for at most twice that, unless `store_ttl` says otherwise.
//!
//! # Settings
//!
//! | of a cache | meaning | default |
//! |---|---|---|
//! | `prefix` | what all its keys begin with | `larder:` with a store, nothing in memory |
//! | `name` | what the cache is called; in a URL only | `default` |
//! | `ttl`, `stale`, `early`, `soft`, `fail_safe`, `throttle`, `failover`, `hits`, `refresh_hits`, `jitter`, `wait`, `load_limit` | the [`Policy`](crate::Policy) of calls that give no ttl; counts only together with `ttl` | those of `Policy` |
//! | `load_timeout`, `hard_timeout` | for how long a call waits for its load, [`Policy::timeout`](crate::Policy::timeout) and [`Policy::hard_timeout`](crate::Policy::hard_timeout) | as long as it takes |
//! | `entry_weight` | what an entry weighs, [`Policy::weight`](crate::Policy::weight) | asks the weigher |
//! | `memory_size`, `memory_weight` | entries, or bytes, that memory holds at most; `size` and `weight` on `memory://` | 10 000 entries |
//! | `memory_ttl` | for how long memory keeps an entry at most; `ttl_cap` on `memory://` | as long as the entry lives |
//! | `store_ttl` | the same for the only store | twice `memory_ttl` |
//! | `background_loads` | how many loads run behind at once | 64 |
//! | `strict` | whether `get_or_load` fails when a store does, instead of going to its source; a cached function says `strict` itself | no |
//! | `off` | whether the cache is switched off | no |
//! | `format`, `envelope`, `compress`, `sign_key_env`, `encrypt_key_env`, … | how values become bytes, see [`Codec`](crate::Codec) | MessagePack |
//!
//! | of a store | meaning | default |
//! |---|---|---|
//! | `ttl_cap` | for how long it keeps an entry at most | as long as the entry lives |
//! | `dedupe` | whether writes of what is there already are spared | no |
//! | `timeout` | how long one operation may take | 1 s |
//! | `sweep_timeout` | how long a removal by prefix or pattern may take | 10 s |
//! | `breaker` | after how many operations in a row without an answer it is left alone; 0 is never | 5 |
//! | `probe` | for how long it is left alone, the first time, before it is asked again | 1 s |
//! | `remember` | for how long removals that did not reach it are remembered | 1 day |
//! | `remembered` | how many of them are remembered one by one | 10 000 |
//! | `in_flight` | how many operations may be under way at once | 1 024 |
//! | `password_env`, `password_file` | where its password is | the URL |
//! | all else | the store's own, see its page | |
//!
//! # Files
//!
//! YAML (1.2) or TOML, by the end of the name; features `yaml` and `toml`. The names are those of the tables; spans and sizes are text.
//!
//! ```yaml
//! defaults:                     # for every cache that does not say otherwise
//!   ttl: 10m
//! caches:
//!   default:
//!     url: redis://localhost/0
//!     prefix: "shop:"
//!     password_env: REDIS_PASSWORD
//!     memory_ttl: 60s
//!   pictures:
//!     levels:                   # from near to far
//!       - url: memory://
//!         size: 1000
//!       - url: sqlite:///var/cache/shop.db
//!         ttl_cap: 1h
//!       - redis://localhost/1
//!     routes:                   # by the beginning of the key, the longest wins
//!       "thumb:": redis://localhost/2
//! ```
//!
//! A file without `caches` is the default cache alone: `url: redis://localhost/0`. Secrets do not stand in files; `…_env` and `…_file` say where they are.
//! An unknown key, a wrong type and settings that contradict each other are errors with file, line, column and the nearest right word.
//!
//! # Environment
//!
//! `LARDER_` and a setting in capitals speaks of the default cache (`LARDER_URL`, `LARDER_TTL`, `LARDER_PREFIX`), `LARDER_<NAME>_` and a setting of another
//! (`LARDER_PICTURES_URL`); what is neither letter nor digit in a name becomes `_`. `LARDER_<NAME>_URL` makes the cache if the file has none of that name. `LARDER_OFF=1` switches every cache off.
//! `LARDER_CONFIG` is the path of the file. An empty variable says nothing.
//!
//! The file counts least, then the URL in a variable, then the other variables; what the program says in code counts most.
//! A `LARDER_URL` replaces all places of the file's cache (`url`, `levels`, `routes`) and leaves its other settings.
//! A `LARDER_*` variable that means nothing is an error when it is near to one that does, and [`Advice`] otherwise, since others may use the name too
//! (Kubernetes makes `LARDER_PORT` for a service `larder`); one that a `…_env` setting names is never either.
//!
//! # Without set-up
//!
//! The first use of the default cache of a program that set nothing up reads `LARDER_CONFIG`, else `larder.yaml` or `larder.toml` in the working directory, and the variables.
//! What is wrong there is a panic that says how to mend it: falling back to memory would be silent, and an error cannot be returned from there.
//! [`setup_from_env`] reads the same and returns the error.

use std::io::Read as _;
use std::path::Path;
use std::sync::Arc;

mod advice;
mod build;
mod draft;
mod environment;
mod file;
mod knobs;
#[cfg_attr(
    not(all(feature = "yaml", feature = "toml")),
    allow(dead_code, reason = "what only files say")
)]
mod node;
#[cfg_attr(
    not(all(feature = "yaml", feature = "toml")),
    allow(dead_code, reason = "what only files say")
)]
mod origin;
mod plan;
mod print;
mod resolve;
mod said;
mod setup;
#[cfg(feature = "toml")]
mod toml;
#[cfg(feature = "yaml")]
mod yaml;

use draft::Draft;
use file::File;
use node::{LARGEST, Name, Node};
use origin::Origin;

use crate::cache::Cache;
use crate::error::{Error, ErrorKind, Result};

pub use advice::{Advice, advice};
pub use plan::{Level, Limits, Memory, Plan, Route, SecretAt};
pub use setup::{SetUp, setup_from_env, setup_from_file};

pub(crate) use build::apply;
pub(crate) use setup::discover;

/// What was said about caches: in a URL, in a file, in variables on top.
///
/// ```
/// use larder::config::Configuration;
///
/// let configuration = Configuration::from_url("memory://?size=1000&ttl=10m")?
///     .with_variables([("LARDER_TTL".to_owned(), "5m".to_owned())])?;
/// let [plan] = &configuration.plans()?[..] else { panic!() };
/// assert_eq!(plan.memory.unwrap().size, Some(1000));
/// assert_eq!(plan.to_url().unwrap(), "memory://?ttl=5m&memory_size=1000");
/// # Ok::<(), larder::Error>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct Configuration {
    file: File,
    notices: Vec<Advice>,
}

impl Configuration {
    /// What URLs say, set apart by spaces: the default cache.
    ///
    /// # Errors
    /// [`ErrorKind::Config`] for what is no URL, an unknown scheme and an unknown parameter of `memory://` and `off://`. What parameters hold is read by [`plans`](Self::plans).
    pub fn from_url(url: &str) -> Result<Self> {
        let mut configuration = Self::default();
        let name = Name {
            text: file::DEFAULT.to_owned(),
            at: Origin::Url,
        };
        let draft = Draft::of_urls(url, &Origin::Url)?;
        configuration.file.caches.push((name, draft));
        Ok(configuration)
    }

    /// What the text of a file says; the end of its name, `.yaml`, `.yml` or `.toml`, says how to read it.
    ///
    /// # Errors
    /// [`ErrorKind::Config`] with file, line and column for what cannot be read and for keys that are not known there.
    pub fn from_text(name: &str, text: &str) -> Result<Self> {
        if text.len() > LARGEST {
            return Err(no_file(
                name,
                "is larger than 1 MiB: this is no configuration",
            ));
        }
        let file = file::read(parse(name, text)?)?;
        Ok(Self {
            file,
            notices: Vec::new(),
        })
    }

    /// What a file says; see [`from_text`](Self::from_text).
    ///
    /// # Errors
    /// As there, and when the file cannot be read.
    pub fn from_file(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        let name = path.display().to_string();
        let mut bytes = Vec::new();
        let read = std::fs::File::open(path)
            // One more than is allowed, so that what is larger is seen without being read.
            .and_then(|file| file.take(LARGEST as u64 + 1).read_to_end(&mut bytes));
        read.map_err(|error| no_file(&name, &format!("cannot be read: {error}")))?;
        let text = String::from_utf8(bytes);
        let text = text.map_err(|_| no_file(&name, "holds no UTF-8 text"))?;
        Self::from_text(&name, &text)
    }

    /// What the process's environment says, on top of the file that `LARDER_CONFIG` names or, without it, of `larder.yaml` or `larder.toml` in the working directory.
    ///
    /// # Errors
    /// As [`from_file`](Self::from_file) and [`with_variables`](Self::with_variables), and when both files are there.
    pub fn from_env() -> Result<Self> {
        let below = match std::env::var_os("LARDER_CONFIG").filter(|path| !path.is_empty()) {
            Some(path) => Self::from_file(path)?,
            None => Self::from_directory(Path::new(""))?,
        };
        below.with_env()
    }

    fn from_directory(directory: &Path) -> Result<Self> {
        let [yaml, toml] = ["larder.yaml", "larder.toml"].map(|name| directory.join(name));
        match (yaml.exists(), toml.exists()) {
            (true, true) => Err(no_file(
                "larder.yaml",
                "and larder.toml are both there: remove one, or name one in LARDER_CONFIG",
            )),
            (true, false) => Self::from_file(yaml),
            (false, true) => Self::from_file(toml),
            (false, false) => Ok(Self::default()),
        }
    }

    /// The same, with the process's environment on top.
    ///
    /// # Errors
    /// As [`with_variables`](Self::with_variables).
    pub fn with_env(self) -> Result<Self> {
        let ours = std::env::vars_os().filter_map(|(name, value)| {
            let name = name.into_string().ok()?;
            name.starts_with("LARDER_").then_some((name, value))
        });
        let mut variables = Vec::new();
        for (name, value) in ours {
            let value = value.into_string();
            let value = value.map_err(|_| {
                Origin::Variable(Arc::from(name.as_str())).fault("this is no Unicode text")
            })?;
            variables.push((name, value));
        }
        self.with_variables(variables)
    }

    /// The same, with these variables on top; those whose names do not begin with `LARDER_` count for nothing.
    ///
    /// # Errors
    /// [`ErrorKind::Config`] for a variable that is nearly one that means something, or that can mean two things, and for what URLs in them say wrong.
    pub fn with_variables(
        mut self,
        variables: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Self> {
        let variables: Vec<_> = variables.into_iter().collect();
        let notices = environment::overlay(&mut self.file, &variables)?;
        self.notices.extend(notices);
        Ok(self)
    }

    /// What is to be built, in the order of the file.
    ///
    /// # Errors
    /// [`ErrorKind::Config`], with its place, for a value that cannot be read and for settings that contradict each other.
    pub fn plans(&self) -> Result<Vec<Plan>> {
        let caches = self.file.caches.iter();
        caches
            .map(|(name, draft)| resolve::plan(name, draft, &self.file.defaults))
            .collect()
    }

    /// The caches themselves, in the order of the file, without making one the default or known by its name.
    ///
    /// Stores are opened, and secrets read; nothing is waited for.
    ///
    /// # Errors
    /// As [`plans`](Self::plans); what stores say when they are opened, unknown parameters of theirs, and secrets that cannot be read.
    pub fn build(&self) -> Result<Vec<Cache>> {
        let plans = self.plans()?;
        let cache = |plan| build::build(plan, Cache::builder())?.build();
        plans.iter().map(cache).collect()
    }

    /// What stands out: for each plan as [`advice`] says it, and variables that mean nothing.
    ///
    /// # Errors
    /// As [`plans`](Self::plans).
    pub fn advice(&self) -> Result<Vec<Advice>> {
        let plans = self.plans()?;
        let of_plans = plans.iter().flat_map(advice);
        Ok(self.notices.iter().cloned().chain(of_plans).collect())
    }
}

fn no_file(name: &str, why: &str) -> Error {
    Error::new(ErrorKind::Config, "config", format!("{name} {why}"))
}

fn parse(name: &str, text: &str) -> Result<Node> {
    let extension = Path::new(name).extension().and_then(|e| e.to_str());
    match extension {
        #[cfg(feature = "yaml")]
        Some("yaml" | "yml") => yaml::read(&Arc::from(name), text),
        #[cfg(feature = "toml")]
        Some("toml") => toml::read(&Arc::from(name), text),
        #[cfg(not(feature = "yaml"))]
        Some("yaml" | "yml") => Err(no_file(
            name,
            "needs the feature `yaml` of larder: add it in Cargo.toml",
        )),
        #[cfg(not(feature = "toml"))]
        Some("toml") => Err(no_file(
            name,
            "needs the feature `toml` of larder: add it in Cargo.toml",
        )),
        _ => {
            let _ = text;
            Err(no_file(
                name,
                "ends with none of `.yaml`, `.yml` and `.toml`, so it is not known how to read it",
            ))
        }
    }
}
