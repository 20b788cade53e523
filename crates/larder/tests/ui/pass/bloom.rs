//! A filter under lints that a strict crate denies, under another name of the library.

#![deny(warnings, missing_docs, unreachable_pub, unused_qualifications, single_use_lifetimes)]

/// Where the library lies.
pub mod deps {
    pub use larder;
}

use deps::larder::{Cache, Refused, bloom, cached};

#[bloom(crate = crate::deps::larder, capacity = 1_000, false_positives = "1%", key = "{name}:{id}")]
fn exists(name: &str, id: u64) -> bool {
    !name.is_empty() && id == 7
}

#[cached(crate = crate::deps::larder, key = "{id}", ttl = "1m", local)]
#[bloom(crate = crate::deps::larder, capacity = CAPACITY, false_positives = "1%", key = "{id}", on_outage = "closed")]
async fn user(id: u64) -> Result<u64, Refused> {
    Ok(id)
}

const CAPACITY: u64 = 1_000;

/// Something with a cache.
#[derive(Debug)]
pub struct Service(Cache);

impl Service {
    /// Whether there is one.
    #[bloom(crate = crate::deps::larder, cache = self.0, capacity = 1_000, false_positives = "1%", key = "{id}")]
    pub fn has(&self, id: u64) -> Option<u64> {
        Some(id)
    }
}

/// Whoever has one.
trait Users {
    fn exists(&self, id: u64) -> bool;
}

impl Users for Service {
    #[bloom(crate = crate::deps::larder, cache = self.0, capacity = 1_000, false_positives = "1%", key = "{id}", no_handle)]
    fn exists(&self, id: u64) -> bool {
        id == 7
    }
}

fn main() {
    exists::add("seven", 7).unwrap();
    assert!(exists("seven", 7));
    let service = Service(Cache::builder().build().unwrap());
    service.has_bloom().add(7).unwrap();
    assert_eq!(service.has(7), Some(7));
    assert!(service.exists(7));
    drop(user(7));
}
