//! What the attributes write must not trip the lints that a strict crate denies.

#![deny(
    missing_copy_implementations,
    missing_debug_implementations,
    missing_docs,
    non_camel_case_types,
    non_snake_case,
    private_bounds,
    private_interfaces,
    single_use_lifetimes,
    trivial_casts,
    unreachable_pub,
    unsafe_code,
    unused,
    unused_qualifications,
    unused_results,
    variant_size_differences
)]
#![forbid(unsafe_op_in_unsafe_fn)]

use larder::{cache_put, cached, invalidates};

/// A user.
#[derive(Clone, Debug)]
pub struct User {
    /// Its name.
    pub name: String,
}

/// Handles that nobody uses.
pub mod users {
    use super::{User, cached, invalidates};

    /// A user.
    #[cached(key = "user:{org}:{id}", ttl = "10m", stale = "1h", tags = ["org:{org}"])]
    pub async fn user(org: &str, id: u64) -> Result<User, String> {
        Ok(User {
            name: format!("{org}{id}"),
        })
    }

    /// Their number.
    #[cached(ttl = "10m")]
    #[must_use]
    pub fn count(org: &str) -> usize {
        org.len()
    }

    /// Renames.
    #[invalidates(user(org = org, id = id), count(org = org), tags = ["org:{org}"])]
    pub async fn rename(org: &str, id: u64) -> Result<(), String> {
        let _ = (org, id);
        Ok(())
    }
}

/// All of them.
#[derive(Clone, Debug)]
pub struct Users {
    names: Vec<String>,
}

impl Users {
    /// A name.
    #[cached(key = "name:{id}", ttl = "10m", early)]
    pub async fn name(&self, id: usize) -> Option<String> {
        self.names.get(id).cloned()
    }

    /// Sets a name.
    #[cache_put(key = "name:{id}", ttl = "10m")]
    pub fn set_name(&mut self, id: usize, name: String) -> Option<String> {
        self.names[id].clone_from(&name);
        Some(name)
    }
}

fn main() {}
