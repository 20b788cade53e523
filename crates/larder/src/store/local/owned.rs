//! Questions that a thread can keep: what the port borrows, owned.

use std::time::Duration;

use crate::store::{Ask, Condition, Fill, Life, Read, Token, Touch, Write};

pub(crate) struct Asked {
    key: String,
    ask: Ask,
    tags: Vec<String>,
    lease: Duration,
    life: Life,
    now: u64,
}

impl Asked {
    pub(crate) fn of(read: &Read<'_>) -> Self {
        Self {
            key: read.key.to_owned(),
            ask: read.ask,
            tags: read.tags.iter().map(|tag| (*tag).to_owned()).collect(),
            lease: read.lease,
            life: read.life,
            now: read.now,
        }
    }

    pub(crate) fn weight(&self) -> usize {
        self.key.len() + self.tags.iter().map(String::len).sum::<usize>()
    }

    pub(crate) fn with<T>(&self, work: impl FnOnce(&Read<'_>) -> T) -> T {
        let tags: Vec<&str> = self.tags.iter().map(String::as_str).collect();
        work(&Read {
            key: &self.key,
            ask: self.ask,
            tags: &tags,
            lease: self.lease,
            life: self.life,
            now: self.now,
        })
    }
}

pub(crate) struct Filling {
    key: String,
    bytes: Vec<u8>,
    life: Life,
    lease: Token,
}

impl Filling {
    pub(crate) fn of(fill: &Fill<'_>) -> Self {
        Self {
            key: fill.key.to_owned(),
            bytes: fill.bytes.to_vec(),
            life: fill.life,
            lease: fill.lease.clone(),
        }
    }

    pub(crate) fn weight(&self) -> usize {
        self.key.len() + self.bytes.len()
    }

    pub(crate) fn with<T>(&self, work: impl FnOnce(&Fill<'_>) -> T) -> T {
        work(&Fill {
            key: &self.key,
            bytes: &self.bytes,
            life: self.life,
            lease: &self.lease,
        })
    }
}

pub(crate) struct Writing {
    key: String,
    bytes: Vec<u8>,
    life: Life,
    condition: Condition,
}

impl Writing {
    pub(crate) fn of(write: &Write<'_>) -> Self {
        Self {
            key: write.key.to_owned(),
            bytes: write.bytes.to_vec(),
            life: write.life,
            condition: write.condition,
        }
    }

    pub(crate) fn weight(&self) -> usize {
        self.key.len() + self.bytes.len()
    }

    pub(crate) fn with<T>(&self, work: impl FnOnce(&Write<'_>) -> T) -> T {
        work(&Write {
            key: &self.key,
            bytes: &self.bytes,
            life: self.life,
            condition: self.condition,
        })
    }
}

pub(crate) struct Touching {
    key: String,
    head: Vec<u8>,
    life: Life,
    lease: Token,
}

impl Touching {
    pub(crate) fn of(touch: &Touch<'_>) -> Self {
        Self {
            key: touch.key.to_owned(),
            head: touch.head.to_vec(),
            life: touch.life,
            lease: touch.lease.clone(),
        }
    }

    pub(crate) fn with<T>(&self, work: impl FnOnce(&Touch<'_>) -> T) -> T {
        work(&Touch {
            key: &self.key,
            head: &self.head,
            life: self.life,
            lease: &self.lease,
        })
    }
}
