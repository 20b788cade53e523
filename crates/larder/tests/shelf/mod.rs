//! A store of a third party, as small as one can be: `shelf://place?shelves=3&client_side=1&key_env=VARIABLE`.

#![allow(dead_code, reason = "each test file uses its own part")]

use std::collections::HashMap;
use std::sync::{Arc, Mutex, Once};

use larder::store::{
    Fill, Found, LeaseLevel, Life, Opening, Page, Read, Removal, Scan, Store, StoreFuture,
    TagVersions, Touch, Write, register,
};
use larder::{Error, ErrorKind, Result};

/// Makes `shelf://` known, once per process.
pub(crate) fn known() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        register("shelf", open).unwrap();
        register("tray", open).unwrap();
    });
}

/// What the last opened store of a place was told, by place.
pub(crate) fn opened(place: &str) -> Option<Told> {
    TOLD.lock().unwrap().as_ref()?.get(place).cloned()
}

static TOLD: Mutex<Option<HashMap<String, Told>>> = Mutex::new(None);

#[derive(Clone, Debug, Default)]
pub(crate) struct Told {
    pub(crate) prefix: String,
    pub(crate) password: Option<String>,
    pub(crate) timeout: Option<String>,
    pub(crate) shelves: Option<u64>,
    pub(crate) times: usize,
}

#[derive(Debug)]
struct Shelf;

fn open(opening: &mut Opening<'_>) -> Result<Arc<dyn Store>> {
    let address = &mut *opening.address;
    let told = Told {
        prefix: opening.prefix.to_owned(),
        password: address.password().map(|p| p.expose().to_owned()),
        timeout: address.text("timeout"),
        shelves: address.number("shelves")?,
        times: 0,
    };
    address.flag("client_side")?;
    address.word("wood", &["oak", "pine"])?;
    address.secret("key", "key_env", "key_file")?;
    if address.place().is_empty() {
        return Err(Error::new(
            ErrorKind::Config,
            "url",
            "`shelf://` needs a place",
        ));
    }
    let mut all = TOLD.lock().unwrap();
    let entry = all
        .get_or_insert_default()
        .entry(address.place().to_owned())
        .or_default();
    let times = entry.times + 1;
    *entry = Told { times, ..told };
    Ok(Arc::new(Shelf))
}

fn no<'a, T: Send + 'a>() -> StoreFuture<'a, T> {
    Box::pin(async { Err(Error::unsupported("any", "shelf", "nothing lies on it")) })
}

impl Store for Shelf {
    fn name(&self) -> &str {
        "shelf"
    }
    fn lease_level(&self) -> LeaseLevel {
        LeaseLevel::Process
    }
    fn read<'a>(&'a self, _: &'a [Read<'a>]) -> StoreFuture<'a, Vec<Found>> {
        no()
    }
    fn fill<'a>(&'a self, _: &'a [Fill<'a>]) -> StoreFuture<'a, Vec<bool>> {
        no()
    }
    fn write<'a>(&'a self, _: &'a [Write<'a>]) -> StoreFuture<'a, Vec<bool>> {
        no()
    }
    fn touch<'a>(&'a self, _: &'a Touch<'a>) -> StoreFuture<'a, bool> {
        no()
    }
    fn remaining<'a>(&'a self, _: &'a [&'a str]) -> StoreFuture<'a, Vec<Option<Life>>> {
        no()
    }
    fn remove<'a>(&'a self, _: &'a Removal<'a>) -> StoreFuture<'a, u64> {
        no()
    }
    fn tag_versions<'a>(&'a self, _: &'a [&'a str], _: Life) -> StoreFuture<'a, TagVersions> {
        no()
    }
    fn forget_tags<'a>(&'a self, _: &'a [&'a str]) -> StoreFuture<'a, ()> {
        no()
    }
    fn scan<'a>(&'a self, _: &'a Scan<'a>) -> StoreFuture<'a, Page> {
        no()
    }
    fn ping(&self) -> StoreFuture<'_, ()> {
        no()
    }
    fn close(&self) -> StoreFuture<'_, ()> {
        Box::pin(async { Ok(()) })
    }
}
