//! The one path: a hit is a plain function, a miss is one async function.

mod background;
mod batch;
mod errand;
mod failure;
mod fill;
mod filtered;
mod follow;
mod guarded;
mod hit;
mod inside;
mod lead;
mod plan;
mod put;
mod reach;
mod recording;
mod settle;
mod shape;
mod timed;

pub use crate::entry::Cacheable;
pub use background::{Mode, Ticket};
pub use batch::{Answer, AskedFor, Asking, EntryOf, Overdue, picked};
pub(crate) use batch::{Batch, Due, Hits, Joining, hits};
pub use fill::{fill, fill_behind, fill_sync, fill_sync_behind};
pub use filtered::{filtered, filtered_sync};
pub(crate) use follow::{deadline, within};
pub use guarded::{guarded, guarded_sync};
pub use hit::{Hit, hit};
pub(crate) use hit::{Seen, count_look, detected};
pub(crate) use lead::Lead;
pub(crate) use plan::Planned;
pub use plan::{NotRefusing, NotShared, Plan, RefusalOf, Share, SharingOf, planned};
pub(crate) use put::{Storing, put, refused, store, store_many};
#[cfg(feature = "stream")]
pub use recording::collected_stream;
pub use recording::{Limits, Taped, collected, settling};
pub use settle::{IntoTags, KeptError, Nullable, Settle, decide};
pub use shape::{
    ArcTarget, Arced, AsFound, AsOption, AsPlain, AsResult, IsResult, NotResult, Shape,
};

pub use crate::stats::Site;

use crate::cache::Inner;
use crate::key::KeyBuf;
use crate::scope;

impl Inner {
    /// The key of a call of a function: its own, or the one that its scope gives it.
    pub(crate) fn key_of_call(&self, site: &Site, own: KeyBuf) -> KeyBuf {
        if site.path.is_empty() || !scope::any_open() {
            return own;
        }
        match scope::overrides().key {
            Some(key) if key.is_for(own.as_str()) => self.key(&key.text),
            _ => own,
        }
    }
}

/// The site of direct operations. They have no source to reload an entry with.
pub(crate) static DIRECT: Site = Site::new("", "");

/// The site of direct operations that have one.
pub(crate) static LOADING: Site = Site::new("", "");
