//! Removals that a store may not have seen, until it has.

use std::collections::BTreeMap;

use crate::runtime::Timestamp;
use crate::store::Removal;

/// One thing that is to be removed.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Item {
    Key(String),
    Prefix(String),
    Pattern(String, String),
    Tag(String),
}

impl Item {
    pub(crate) fn of(removal: &Removal<'_>) -> Vec<Self> {
        match removal {
            Removal::Keys(keys) => keys
                .iter()
                .map(|key| Self::Key((*key).to_owned()))
                .collect(),
            Removal::Prefix(prefix) => vec![Self::Prefix((*prefix).to_owned())],
            Removal::Pattern { prefix, pattern } => {
                vec![Self::Pattern((*prefix).to_owned(), (*pattern).to_owned())]
            }
        }
    }
}

/// Why an item is owed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Because {
    /// It was to be removed.
    Removed,
    /// It was written, and the write may still arrive: it is removed once more some time later.
    InDoubt,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Note {
    /// Distinguishes it from the same item owed again while it was being removed.
    number: u64,
    because: Because,
    until: Timestamp,
}

#[derive(Debug)]
pub(crate) struct Owed {
    items: BTreeMap<Item, Note>,
    most: usize,
    numbers: u64,
}

/// Items to be removed in one go.
#[derive(Clone, Debug)]
pub(crate) struct Batch(pub(crate) Vec<(Item, u64, Because)>);

/// What became of items that were not removed.
#[derive(Debug, Default)]
pub(crate) struct Collapsed {
    pub(crate) count: usize,
    pub(crate) into: Vec<String>,
}

/// In one operation on the store.
const BATCH: usize = 500;

impl Owed {
    pub(crate) fn new(most: usize) -> Self {
        Self {
            items: BTreeMap::new(),
            most,
            numbers: 0,
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.items.len()
    }

    /// Takes items in. More than the bound give way to fewer that remove at least as much.
    pub(crate) fn add(
        &mut self,
        items: impl IntoIterator<Item = Item>,
        because: Because,
        until: Timestamp,
    ) -> Collapsed {
        for item in items {
            self.numbers += 1;
            let number = self.numbers;
            let note = self.items.entry(item).or_insert(Note {
                number,
                because,
                until,
            });
            *note = Note {
                number,
                because: note.because.max(because),
                until: note.until.max(until),
            };
        }
        if self.items.len() <= self.most {
            return Collapsed::default();
        }
        self.collapse(until)
    }

    /// All that were owed for too long; how many.
    pub(crate) fn expire(&mut self, now: Timestamp) -> usize {
        let before = self.items.len();
        self.items.retain(|_, note| note.until > now);
        before - self.items.len()
    }

    pub(crate) fn batch(&self) -> Option<Batch> {
        let some = self.items.iter().take(BATCH);
        let some: Vec<_> = some
            .map(|(item, note)| (item.clone(), note.number, note.because))
            .collect();
        (!some.is_empty()).then_some(Batch(some))
    }

    /// What was removed is owed no more, unless it was owed again meanwhile.
    pub(crate) fn paid(&mut self, batch: &Batch) {
        for (item, number, _) in &batch.0 {
            if self
                .items
                .get(item)
                .is_some_and(|note| note.number == *number)
            {
                self.items.remove(item);
            }
        }
    }

    /// Keys become what they begin with up to their last separator; if that are still too many, or there are other items, everything goes.
    fn collapse(&mut self, until: Timestamp) -> Collapsed {
        let count = self.items.len();
        let taken = std::mem::take(&mut self.items);
        let worst = taken.values().map(|note| note.because).max();
        let because = worst.unwrap_or(Because::Removed);
        let mut into: Vec<String> = taken
            .into_keys()
            .map(|item| match item {
                Item::Key(key) => match key.rfind([':', '/']) {
                    Some(end) => key[..=end].to_owned(),
                    None => String::new(),
                },
                Item::Prefix(prefix) | Item::Pattern(prefix, _) => prefix,
                // An entry does not tell by its key which tags it has.
                Item::Tag(_) => String::new(),
            })
            .collect();
        into.sort_unstable();
        // Sorted: what begins like another stands behind it.
        into.dedup_by(|later, earlier| later.starts_with(&**earlier));
        if into.len() > (self.most / 10).max(1) {
            into = vec![String::new()];
        }
        for prefix in &into {
            self.numbers += 1;
            let note = Note {
                number: self.numbers,
                because,
                until,
            };
            self.items.insert(Item::Prefix(prefix.clone()), note);
        }
        Collapsed { count, into }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LATER: Timestamp = Timestamp(10);

    fn key(key: &str) -> Item {
        Item::Key(key.to_owned())
    }

    fn items(owed: &Owed) -> Vec<Item> {
        owed.items.keys().cloned().collect()
    }

    #[test]
    fn what_is_owed_again_while_it_is_removed_stays_owed() {
        let mut owed = Owed::new(10);
        owed.add([key("a"), key("b")], Because::Removed, LATER);
        let batch = owed.batch().unwrap();
        owed.add([key("a")], Because::InDoubt, LATER);
        owed.paid(&batch);
        assert_eq!(items(&owed), [key("a")]);
        owed.paid(&owed.batch().unwrap());
        assert!(owed.batch().is_none());
    }

    #[test]
    fn too_many_keys_become_prefixes_and_too_many_prefixes_everything() {
        let mut owed = Owed::new(20);
        let users = (0..20).map(|n| key(&format!("user:{n}")));
        assert_eq!(owed.add(users, Because::Removed, LATER).count, 0);
        let collapsed = owed.add([key("user:eu:1"), key("post:1")], Because::Removed, LATER);
        assert_eq!(
            (collapsed.count, collapsed.into),
            (22, vec!["post:".into(), "user:".into()])
        );
        let prefixes = ["post:", "user:"].map(|prefix| Item::Prefix(prefix.to_owned()));
        assert_eq!(items(&owed), prefixes);
        let many = (0..30).map(|n| key(&format!("{n}:x")));
        let collapsed = owed.add(many, Because::Removed, LATER);
        assert_eq!(collapsed.into, [""]);
        assert_eq!(items(&owed), [Item::Prefix(String::new())]);
    }

    #[test]
    fn a_tag_too_many_is_everything() {
        let mut owed = Owed::new(2);
        let tags = ["a", "b", "c"].map(|tag| Item::Tag(tag.to_owned()));
        assert_eq!(owed.add(tags, Because::Removed, LATER).into, [""]);
    }

    #[test]
    fn what_is_owed_for_too_long_is_lost_and_counted() {
        let mut owed = Owed::new(10);
        owed.add([key("a")], Because::Removed, Timestamp(5));
        owed.add([key("b")], Because::Removed, LATER);
        assert_eq!(owed.expire(Timestamp(5)), 1);
        assert_eq!(items(&owed), [key("b")]);
    }
}
