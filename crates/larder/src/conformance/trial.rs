//! One case's view of the store, and its words for what it finds.

use std::fmt;
use std::panic::Location;
use std::sync::Arc;
use std::time::Duration;

use super::{Expect, Power, Subject};
use crate::error::{Error, ErrorKind};
use crate::runtime::{Runtime, SystemRuntime};
use crate::store::head::patch_versions;
use crate::store::{
    Ask, Condition, Fill, Found, Head, Life, Page, Read, Removal, Scan, Store, Tag, Token, Write,
};

/// What was not as it must be.
#[derive(Debug)]
pub(crate) struct Broken(String);

impl Broken {
    #[track_caller]
    pub(super) fn new(what: impl fmt::Display) -> Self {
        let at = Location::caller();
        Self(format!("{what} ({}:{})", at.file(), at.line()))
    }

    pub(super) fn into_text(self) -> String {
        self.0
    }
}

impl From<Error> for Broken {
    #[track_caller]
    fn from(error: Error) -> Self {
        Self::new(format_args!("an error that nobody expected: {error}"))
    }
}

pub(super) type Outcome<T = ()> = Result<T, Broken>;

#[track_caller]
pub(super) fn same<T: fmt::Debug + PartialEq>(
    got: T,
    expected: T,
    what: impl fmt::Display,
) -> Outcome {
    if got == expected {
        return Ok(());
    }
    let (got, expected) = (short(&got), short(&expected));
    Err(Broken::new(format_args!(
        "{what}: expected {expected}, got {got}"
    )))
}

#[track_caller]
pub(super) fn holds(condition: bool, what: impl fmt::Display) -> Outcome {
    condition.then_some(()).ok_or_else(|| Broken::new(what))
}

#[track_caller]
pub(super) fn fails_with<T: fmt::Debug>(
    result: crate::Result<T>,
    kind: ErrorKind,
    what: &str,
) -> Outcome {
    match result {
        Err(error) => same(error.kind(), kind, what),
        Ok(value) => Err(Broken::new(format_args!(
            "{what}: expected {kind:?}, got {}",
            short(&value)
        ))),
    }
}

fn short(value: &impl fmt::Debug) -> String {
    const MOST: usize = 200;
    let mut text = format!("{value:?}");
    if let Some((end, _)) = text.char_indices().nth(MOST) {
        text.truncate(end);
        text.push('…');
    }
    text
}

/// A store in a fresh name space.
pub(crate) struct Trial<'a> {
    subject: &'a dyn Subject,
    prefix: String,
    pub(super) store: Arc<dyn Store>,
    pub(super) expect: Expect,
}

pub(super) const HOUR: Life = Some(Duration::from_secs(3_600));
pub(super) const MINUTE: Duration = Duration::from_secs(60);

impl<'a> Trial<'a> {
    pub(super) async fn begin(subject: &'a dyn Subject, case: &str) -> Outcome<Self> {
        // Real chance: a server keeps what an earlier run left.
        let run = SystemRuntime::new().random();
        let prefix = format!("conformance:{run:016x}:{case}:");
        Ok(Self {
            subject,
            store: subject.open(&prefix).await?,
            prefix,
            expect: subject.expect(),
        })
    }

    /// Clears away what the case left; a store that cannot keeps it for its life.
    pub(super) async fn end(&self) {
        if let Ok(store) = self.subject.open(&self.prefix).await {
            drop(store.remove(&Removal::Prefix("")).await);
            drop(store.close().await);
        }
        drop(self.store.close().await);
    }

    pub(super) async fn other_handle(&self) -> Outcome<Self> {
        Ok(Self {
            subject: self.subject,
            prefix: self.prefix.clone(),
            store: self.subject.open(&self.prefix).await?,
            expect: self.expect.clone(),
        })
    }

    pub(super) async fn other_space(&self) -> Outcome<Self> {
        // Not beneath this one: removing all of one leaves the other.
        let prefix = format!("other-{}", self.prefix);
        Ok(Self {
            subject: self.subject,
            store: self.subject.open(&prefix).await?,
            prefix,
            expect: self.expect.clone(),
        })
    }

    pub(super) fn lacks(&self, power: Power) -> bool {
        self.expect.unsupported.contains(&power)
    }

    pub(super) fn key(&self, rest: &str) -> String {
        format!("{}{rest}", self.prefix)
    }

    pub(super) fn now(&self) -> u64 {
        self.subject.now()
    }

    pub(super) async fn wait(&self, time: Duration) {
        self.subject.wait(time).await;
    }

    /// Waits until a life that began before now is over, by the store's own measure.
    pub(super) async fn past(&self, life: Duration) {
        self.wait(life + self.expect.tick + Duration::from_millis(20))
            .await;
    }

    pub(super) async fn put(&self, key: &str, bytes: &[u8], life: Life) -> Outcome {
        let written = self.write(key, bytes, life, Condition::Always).await?;
        same(written, true, format_args!("writing `{}`", short(&key)))
    }

    pub(super) async fn write(
        &self,
        key: &str,
        bytes: &[u8],
        life: Life,
        condition: Condition,
    ) -> Outcome<bool> {
        let write = Write {
            key,
            bytes,
            life,
            condition,
        };
        one(self.store.write(&[write]).await?)
    }

    pub(super) fn question<'r>(&self, key: &'r str, ask: Ask, tags: &'r [&'r str]) -> Read<'r> {
        Read {
            key,
            ask,
            tags,
            lease: MINUTE,
            life: HOUR,
            now: self.now(),
        }
    }

    pub(super) async fn found(&self, key: &str, ask: Ask, tags: &[&str]) -> Outcome<Found> {
        let found = one(self.store.read(&[self.question(key, ask, tags)]).await?)?;
        same(found.versions.len(), tags.len(), "versions for each tag")?;
        holds(
            found.lease.is_none() || found.epoch != 0,
            "a lease comes with an epoch that is not 0",
        )?;
        Ok(found)
    }

    pub(super) async fn read(&self, key: &str) -> Outcome<Option<Vec<u8>>> {
        let found = self.found(key, Ask::Entry, &[]).await?;
        same(found.lease, None, "a lease that nobody asked for")?;
        Ok(found.bytes)
    }

    /// The key holds these bytes.
    pub(super) async fn is(&self, key: &str, bytes: &[u8], what: &str) -> Outcome {
        same(self.read(key).await?.as_deref(), Some(bytes), what)
    }

    pub(super) async fn is_gone(&self, key: &str, what: &str) -> Outcome {
        same(self.read(key).await?, None, what)
    }

    pub(super) async fn lease(&self, key: &str) -> Outcome<Token> {
        let found = self.found(key, Ask::EntryAndLease, &[]).await?;
        found
            .lease
            .ok_or_else(|| Broken::new("no lease was given for EntryAndLease"))
    }

    pub(super) async fn fill(&self, key: &str, bytes: &[u8], lease: &Token) -> Outcome<bool> {
        let fill = Fill {
            key,
            bytes,
            life: HOUR,
            lease,
        };
        one(self.store.fill(&[fill]).await?)
    }

    pub(super) async fn remove(&self, removal: Removal<'_>) -> Outcome<u64> {
        Ok(self.store.remove(&removal).await?)
    }

    pub(super) async fn versions(&self, tags: &[&str], life: Life) -> Outcome<Vec<u64>> {
        let told = self.store.tag_versions(tags, life).await?;
        same(told.versions.len(), tags.len(), "a version for each tag")?;
        holds(told.epoch != 0, "the epoch is 0")?;
        holds(!told.versions.contains(&0), "a version that was made is 0")?;
        Ok(told.versions)
    }

    /// All pages of a scan.
    pub(super) async fn scan(
        &self,
        prefix: &str,
        pattern: &str,
        limit: usize,
    ) -> Outcome<Vec<String>> {
        let mut keys = Vec::new();
        let mut cursor: Option<String> = None;
        for _ in 0..10_000 {
            let scan = Scan {
                prefix,
                pattern,
                cursor: cursor.as_deref(),
                limit,
            };
            let Page {
                keys: some,
                cursor: next,
            } = self.store.scan(&scan).await?;
            keys.extend(some);
            if next.is_none() {
                return Ok(keys);
            }
            cursor = next;
        }
        Err(Broken::new("a scan of few keys does not end"))
    }

    /// A head with these times from now, in milliseconds, and a body.
    pub(super) fn entry(&self, times: Times, tags: &[(&str, u64)], body: &[u8]) -> Vec<u8> {
        let mut bytes = self.head(times, tags).to_bytes();
        bytes.extend(body);
        bytes
    }

    pub(super) fn head(&self, times: Times, tags: &[(&str, u64)]) -> Head {
        let now = self.now();
        let at = |from_now: i64| now.saturating_add_signed(from_now);
        Head {
            format: 1,
            compression: 0,
            sealing: 0,
            written: now,
            refresh_at: u64::MAX,
            stale_until: at(times.stale_until),
            keep_until: at(times.keep_until),
            fingerprint: 0,
            hits: 0,
            refresh_hits: 0,
            cost: 0,
            tags: tags
                .iter()
                .map(|(name, version)| Tag {
                    name: (*name).to_owned(),
                    version: *version,
                })
                .collect(),
            key_id: String::new(),
            seal: Vec::new(),
        }
    }
}

/// An entry but for the versions of its tags: these belong to the store, and one that is made of several has several.
pub(super) fn but_for_versions(bytes: &[u8]) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    patch_versions(&mut bytes, |_, _| 0);
    bytes
}

/// Times of an entry, in milliseconds from now.
#[derive(Clone, Copy)]
pub(super) struct Times {
    stale_until: i64,
    keep_until: i64,
}

/// For an hour.
pub(super) const FRESH: Times = Times {
    stale_until: 3_600_000,
    keep_until: 3_600_000,
};

/// Kept for an hour, but not to be served any more.
pub(super) const STALE: Times = Times {
    stale_until: -1,
    keep_until: 3_600_000,
};

#[track_caller]
pub(super) fn one<T>(mut answers: Vec<T>) -> Outcome<T> {
    let answer = answers.pop();
    match (answer, answers.len()) {
        (Some(answer), 0) => Ok(answer),
        (_, more) => Err(Broken::new(format_args!(
            "one question has one answer, not {more} or more"
        ))),
    }
}
