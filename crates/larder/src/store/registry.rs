//! Which scheme stands for which store.

use std::collections::BTreeMap;
use std::sync::Arc;

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

/// The stores that come with the library: one line each, under its feature.
const OWN: &[(&str, &str, Option<Open>)] = &[
    // scheme, feature, how it is opened
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
    let scheme = opening.address.scheme().to_owned();
    let more = MORE.read().get(&scheme).copied();
    match OWN.iter().find(|(own, ..)| *own == scheme) {
        Some((_, _, Some(open))) => open(opening),
        Some((_, feature, None)) => Err(bad(format!(
            "`{scheme}://` needs the feature `{feature}` of larder: add it in Cargo.toml"
        ))),
        None => match more {
            Some(open) => open(opening),
            None => {
                let more = MORE.read();
                let own = ["memory", "off"]
                    .into_iter()
                    .chain(OWN.iter().map(|(own, ..)| *own));
                let known: Vec<&str> = own.chain(more.keys().map(String::as_str)).collect();
                Err(bad(unknown("scheme", &scheme, &known)))
            }
        },
    }
}
