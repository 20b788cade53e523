//! Which scheme stands for which store.

use std::collections::BTreeMap;
use std::sync::Arc;

use larder_syntax::suggest;
use parking_lot::RwLock;

use super::Store;
use super::address::{Address, bad, unknown};
use crate::error::{Error, ErrorKind, Result};
use crate::runtime::Runtime;

/// What a store is opened with.
#[derive(Debug)]
pub struct Opening<'a> {
    /// Where it is; the store takes the parameters that it knows.
    pub address: &'a mut Address,
    /// What all keys and tags of the cache begin with.
    pub prefix: &'a str,
    /// The cache's time and tasks.
    pub runtime: &'a Arc<dyn Runtime>,
}

/// Opens a store. It should not connect yet: whoever starts while a server is down is to start all the same.
pub type Open = fn(&mut Opening<'_>) -> Result<Arc<dyn Store>>;

/// How the stores of a feature are opened, if the feature is there.
macro_rules! opened {
    ($name:ident, $feature:literal, $open:path) => {
        #[cfg(feature = $feature)]
        const $name: Option<Open> = Some($open);
        #[cfg(not(feature = $feature))]
        const $name: Option<Open> = None;
    };
}

opened!(AZURE, "azure", super::object::open);
opened!(FILE, "file", super::file::open);
opened!(GCS, "gcs", super::object::open);
opened!(MEMCACHED, "memcached", super::memcached::open);
opened!(REDIS, "redis", super::redis::open);
opened!(S3, "s3", super::object::open);
opened!(SQLITE, "sqlite", super::sqlite::open);

/// The stores that come with the library: scheme, feature, how it is opened.
const OWN: &[(&str, &str, Option<Open>)] = &[
    ("abfs", "azure", AZURE),
    ("abfss", "azure", AZURE),
    ("az", "azure", AZURE),
    ("file", "file", FILE),
    ("gs", "gcs", GCS),
    ("memcached", "memcached", MEMCACHED),
    ("memcacheds", "memcached", MEMCACHED),
    ("redis", "redis", REDIS),
    ("redis+cluster", "redis", REDIS),
    ("redis+sentinel", "redis", REDIS),
    ("rediss", "redis", REDIS),
    ("rediss+cluster", "redis", REDIS),
    ("rediss+sentinel", "redis", REDIS),
    ("s3", "s3", S3),
    ("sqlite", "sqlite", SQLITE),
];

static MORE: RwLock<BTreeMap<String, Open>> = RwLock::new(BTreeMap::new());

/// Makes a scheme known: `mystore://…` then opens a store in URLs, files and the environment.
///
/// # Errors
/// [`ErrorKind::AlreadySetUp`] when the scheme is taken.
pub fn register(scheme: &str, open: Open) -> Result<()> {
    let own = ["memory", "off", "chain"]
        .into_iter()
        .chain(OWN.iter().map(|(own, ..)| *own));
    let mut more = MORE.write();
    if own.into_iter().any(|own| own == scheme) || more.contains_key(scheme) {
        return Err(Error::new(
            ErrorKind::AlreadySetUp,
            "register",
            format!("the scheme `{scheme}://` is taken"),
        ));
    }
    more.insert(scheme.to_owned(), open);
    Ok(())
}

/// Opens the store of an address. Parameters that are left are for the caller to take or to refuse.
///
/// # Errors
/// [`ErrorKind::Config`] for an unknown scheme, with the nearest and with the feature that is missing; what the store says.
pub fn open(opening: &mut Opening<'_>) -> Result<Arc<dyn Store>> {
    let open = opener(opening.address.scheme())?;
    open(opening)
}

/// How the stores of a scheme are opened.
///
/// # Errors
/// As [`open`], for the scheme alone.
pub(crate) fn opener(scheme: &str) -> Result<Open> {
    let more = MORE.read();
    match OWN.iter().find(|(own, ..)| *own == scheme) {
        Some((_, _, Some(open))) => Ok(*open),
        Some((_, feature, None)) => Err(bad(format!(
            "`{scheme}://` needs the feature `{feature}` of larder: add it in Cargo.toml"
        ))),
        None => more.get(scheme).copied().ok_or_else(|| {
            let own = ["memory", "off"]
                .into_iter()
                .chain(OWN.iter().map(|(own, ..)| *own));
            let known: Vec<&str> = own.chain(more.keys().map(String::as_str)).collect();
            match suggest::nearest(scheme, known.iter().copied()) {
                Some(near) => bad(format!(
                    "unknown scheme `{scheme}` (did you mean `{near}`?)"
                )),
                None => bad(unknown("scheme", scheme, &known)),
            }
        }),
    }
}
