//! What others changed below, taken away above before it is read there.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::Mutex;

use super::Tiers;
use crate::error::Result;
use crate::runtime::Timestamp;
use crate::store::owed::{Because, Item, Owed};
use crate::store::{Changed, Removal, Sink, Store};

/// How many keys and tags are kept apart; more are taken for everything.
const MOST: usize = 10_000;

/// Word that came and was not acted on yet.
#[derive(Debug)]
pub(super) struct Word {
    heard: Mutex<Owed>,
    is_any: AtomicBool,
}

impl Word {
    pub(super) fn new() -> Self {
        Self {
            heard: Mutex::new(Owed::new(MOST)),
            is_any: AtomicBool::new(false),
        }
    }

    fn hear(&self, what: Changed<'_>) {
        let item = match what {
            Changed::Key(key) => Item::Key(key.to_owned()),
            Changed::Tag(tag) => Item::Tag(tag.to_owned()),
            Changed::All => Item::Prefix(String::new()),
        };
        let mut heard = self.heard.lock();
        heard.add([item], Because::Removed, Timestamp::NEVER);
        self.is_any.store(true, Ordering::Release);
    }
}

/// Passes word on, after it was noted.
#[derive(Debug)]
pub(super) struct Relay {
    pub(super) word: Arc<Word>,
    pub(super) sink: Arc<dyn Sink>,
}

impl Sink for Relay {
    fn changed(&self, what: Changed<'_>) {
        self.word.hear(what);
        self.sink.changed(what);
    }
}

impl Tiers {
    /// The level that tells what others change: the deepest one that can. All who share a chain write to it.
    pub(super) fn teller(&self) -> Option<usize> {
        let levels = self.levels.iter();
        levels
            .rev()
            .position(|level| level.store.invalidations().is_some())
            .map(|from_below| self.levels.len() - 1 - from_below)
    }

    /// Takes away above the teller what others changed; the uppermost level that can be read then.
    pub(super) async fn true_up(&self) -> usize {
        if !self.word.is_any.load(Ordering::Acquire) {
            return 0;
        }
        let Some(teller) = self.teller() else {
            return 0;
        };
        while let Some(batch) = self.next_word() {
            for (level, above) in self.levels[..teller].iter().enumerate() {
                for (item, ..) in &batch.0 {
                    if let Err(error) = take_away(&*above.store, item).await {
                        self.skip("remove", level, &error);
                        return teller;
                    }
                }
            }
            self.word.heard.lock().paid(&batch);
        }
        0
    }

    fn next_word(&self) -> Option<crate::store::owed::Batch> {
        let heard = self.word.heard.lock();
        let batch = heard.batch();
        if batch.is_none() {
            self.word.is_any.store(false, Ordering::Release);
        }
        batch
    }
}

async fn take_away(store: &dyn Store, item: &Item) -> Result<()> {
    match item {
        Item::Key(key) => store.remove(&Removal::Keys(&[key])).await.map(drop),
        Item::Prefix(prefix) => store.remove(&Removal::Prefix(prefix)).await.map(drop),
        Item::Pattern(prefix, pattern) => {
            let removal = Removal::Pattern { prefix, pattern };
            store.remove(&removal).await.map(drop)
        }
        Item::Tag(tag) => store.forget_tags(&[tag]).await,
    }
}
