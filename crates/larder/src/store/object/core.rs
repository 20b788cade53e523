//! What all operations of one store share, and those on single entries.

use std::sync::atomic::Ordering;
use std::time::{Duration, SystemTime};

use object_store::UpdateVersion;
use object_store::path::Path;
use tokio::sync::OnceCell;

use super::fallback::Fallback;
use super::frame::{self, FOREVER, Kind, Object};
use super::names::{Names, Space};
use super::random;
use super::wire::{Mode, Part, Put, Wire, each, millis};
use crate::error::{Error, ErrorKind, Result};
use crate::store::MAGIC;
use crate::store::{Condition, LeaseLevel, Life, Removal, Write};

/// Whether the server honours conditional writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Conditional {
    /// It does, or the user says so.
    Yes,
    No,
    /// To be tried before the first lease.
    Unknown,
}

/// One store.
#[derive(Debug)]
pub(super) struct Core {
    pub(super) wire: Wire,
    pub(super) names: Names,
    /// What all its keys begin with.
    pub(super) space: String,
    pub(super) conditional: Conditional,
    pub(super) tried: OnceCell<bool>,
    pub(super) fallback: Fallback,
    /// How long an operation tries to win against others.
    pub(super) patience: Duration,
}

/// An object in the place of an entry.
pub(super) struct Standing {
    /// When it is an entry that lives: until when.
    pub(super) alive: Option<u64>,
    pub(super) version: UpdateVersion,
}

impl Core {
    pub(super) fn lease_level(&self) -> LeaseLevel {
        let conditional = match self.conditional {
            Conditional::Yes => true,
            Conditional::No => false,
            Conditional::Unknown => self.tried.get().copied().unwrap_or(false),
        };
        if conditional {
            LeaseLevel::Versioned
        } else {
            LeaseLevel::Process
        }
    }

    /// Whether conditional writes are honoured; tries it once where that is not known.
    pub(super) async fn is_conditional(&self, operation: &'static str) -> Result<bool> {
        match self.conditional {
            Conditional::Yes => Ok(true),
            Conditional::No => Ok(false),
            Conditional::Unknown => {
                let tried = self
                    .tried
                    .get_or_try_init(|| self.try_conditional(operation));
                tried.await.copied()
            }
        }
    }

    /// Some servers take the condition for granted and store all the same; some refuse the header.
    async fn try_conditional(&self, operation: &'static str) -> Result<bool> {
        let path = self.names.own(&format!("try-{:016x}", random()));
        let put = |mode| {
            let object = Object::marker(now());
            self.wire.put(operation, &path, object, mode)
        };
        let outcome = async {
            let (first, version) = match put(Mode::Create).await {
                Err(error) if error.kind() == ErrorKind::Unsupported => {
                    return Ok::<_, Error>(false);
                }
                first => first?,
            };
            let again = put(Mode::Create).await?.0;
            let Some(version) = version else {
                return Ok(false);
            };
            let update = put(Mode::Update(version.clone())).await?.0;
            let late = put(Mode::Update(version)).await?.0;
            let right = [Put::Done, Put::Refused, Put::Done, Put::Refused];
            Ok([first, again, update, late] == right)
        };
        let outcome = outcome.await?;
        self.wire.delete(operation, vec![path.clone()]).await?;
        Ok(outcome)
    }

    /// When a life that begins now is over.
    pub(super) fn until(&self, life: Life) -> u64 {
        let Some(life) = life else {
            return FOREVER;
        };
        let whole = life.as_nanos().div_ceil(1_000_000);
        now().saturating_add(u64::try_from(whole).unwrap_or(u64::MAX))
    }

    /// An entry as an object.
    pub(super) fn entry(
        &self,
        operation: &'static str,
        key: &str,
        bytes: &[u8],
        until: u64,
    ) -> Result<Object> {
        let (is, max) = (bytes.len() as u64, self.wire.max);
        if is > max {
            let message = format!(
                "an entry of {is} bytes is larger than `max` of {}, {max}",
                self.wire.name
            );
            return Err(Error::new(ErrorKind::Encode, operation, message));
        }
        let headless = !bytes.is_empty() && bytes[0] != MAGIC;
        // A hashed name does not know its key, so the object has to.
        Ok(if headless && self.names.is_whole(key) {
            Object::bare(bytes, until)
        } else {
            Object::framed(Kind::Entry, key, until, bytes)
        })
    }

    /// What stands in the place of an entry, without its bytes unless its metadata is lost.
    pub(super) async fn standing(
        &self,
        operation: &'static str,
        path: &Path,
    ) -> Result<Option<Standing>> {
        let Some(mut got) = self.wire.get(operation, path, Part::Note).await? else {
            return Ok(None);
        };
        let mut until = got
            .note
            .filter(|note| note.is_entry())
            .map(|note| note.until);
        if got.note.is_none() {
            let Some(whole) = self.wire.get(operation, path, Part::All).await? else {
                return Ok(None);
            };
            got = whole;
            let opened = frame::open(&got.bytes, got.note);
            until = opened.filter(|o| o.kind == Kind::Entry).map(|o| o.until);
        }
        Ok(Some(Standing {
            alive: until.filter(|until| *until > now()),
            version: got.version,
        }))
    }

    pub(super) async fn write(&self, writes: &[Write<'_>]) -> Result<Vec<bool>> {
        let mut keys: Vec<&str> = writes.iter().map(|write| write.key).collect();
        keys.sort_unstable();
        if keys.windows(2).all(|pair| pair[0] != pair[1]) {
            return each(writes.iter().map(|write| self.write_one(write)).collect()).await;
        }
        // Of two writes of one key the later one stays.
        let mut written = Vec::with_capacity(writes.len());
        for write in writes {
            written.push(self.write_one(write).await?);
        }
        Ok(written)
    }

    async fn write_one(&self, write: &Write<'_>) -> Result<bool> {
        let path = self.names.path(Space::Entries, write.key);
        let object = self.entry("write", write.key, write.bytes, self.until(write.life))?;
        if write.condition == Condition::Always && self.conditional == Conditional::Yes {
            self.wire.put("write", &path, object, Mode::Always).await?;
            return Ok(true);
        }
        if !self.is_conditional("write").await? {
            return self.write_alone(write, &path, object).await;
        }
        match write.condition {
            Condition::Always => {
                self.wire.put("write", &path, object, Mode::Always).await?;
                Ok(true)
            }
            Condition::Absent => self.write_absent(&path, object).await,
            Condition::Present => self.write_present(&path, object).await,
        }
    }

    async fn write_absent(&self, path: &Path, object: Object) -> Result<bool> {
        let mut mode = Mode::Create;
        let mut contest = self.contest("write");
        loop {
            let (put, _) = self.wire.put("write", path, object.clone(), mode).await?;
            if put == Put::Done {
                return Ok(true);
            }
            mode = match self.standing("write", path).await? {
                None => Mode::Create,
                Some(Standing { alive: Some(_), .. }) => return Ok(false),
                Some(standing) => Mode::Update(standing.version),
            };
            contest.lost().await?;
        }
    }

    async fn write_present(&self, path: &Path, object: Object) -> Result<bool> {
        let mut contest = self.contest("write");
        loop {
            let standing = self.standing("write", path).await?;
            let Some(standing) = standing.filter(|standing| standing.alive.is_some()) else {
                return Ok(false);
            };
            let mode = Mode::Update(standing.version);
            let (put, _) = self.wire.put("write", path, object.clone(), mode).await?;
            if put == Put::Done {
                return Ok(true);
            }
            contest.lost().await?;
        }
    }

    /// Writes to a server without conditional writes: conditions and leases hold in this process.
    async fn write_alone(&self, write: &Write<'_>, path: &Path, object: Object) -> Result<bool> {
        let hold = self.fallback.hold(write.key).await;
        if write.condition != Condition::Always {
            let standing = self.standing("write", path).await?;
            let is_there = standing.is_some_and(|standing| standing.alive.is_some());
            if is_there != (write.condition == Condition::Present) {
                return Ok(false);
            }
        }
        hold.end();
        let put = self.wire.put("write", path, object, Mode::Always).await;
        // A lease that was given meanwhile may have seen what stood before.
        hold.end();
        put.map(|_| true)
    }

    pub(super) async fn remaining_one(&self, key: &str) -> Result<Option<Life>> {
        let path = self.names.path(Space::Entries, key);
        let standing = self.standing("remaining", &path).await?;
        Ok(standing.and_then(|standing| standing.alive).map(|until| {
            let left = Duration::from_millis(until.saturating_sub(now()));
            (until != FOREVER).then_some(left)
        }))
    }

    pub(super) async fn remove(&self, removal: &Removal<'_>) -> Result<u64> {
        self.fallback.end_all().await;
        let removed = match *removal {
            Removal::Keys(keys) => self.remove_keys(keys).await,
            Removal::Prefix(prefix) => self.remove_matching(prefix, None).await,
            Removal::Pattern { prefix, pattern } => {
                self.remove_matching(prefix, Some(pattern)).await
            }
        };
        self.fallback.end_all().await;
        removed
    }

    /// Looks first: where nothing stands there is neither entry nor lease, and deleting is another request.
    pub(super) async fn remove_keys(&self, keys: &[&str]) -> Result<u64> {
        let mut paths: Vec<Path> = Vec::with_capacity(keys.len());
        paths.extend(keys.iter().map(|key| self.names.path(Space::Entries, key)));
        paths.sort_unstable();
        paths.dedup();
        let standing = paths.iter().map(|path| self.standing("remove", path));
        let standing = each(standing.collect()).await?;
        let there = |standing: &Option<Standing>| {
            let alive = standing.as_ref().map(|standing| standing.alive);
            alive.map(|alive| alive.is_some())
        };
        let there: Vec<Option<bool>> = standing.iter().map(there).collect();
        let alive = there.iter().filter(|there| **there == Some(true)).count();
        let doomed = paths
            .into_iter()
            .zip(there)
            .filter(|(_, there)| there.is_some());
        let doomed: Vec<Path> = doomed.map(|(path, _)| path).collect();
        if !doomed.is_empty() {
            self.wire.delete("remove", doomed).await?;
        }
        Ok(alive as u64)
    }

    pub(super) async fn ping(&self) -> Result<()> {
        // A GET of nothing says the same whether there is a bucket or not, on some servers.
        let names = self.names.space(Space::Locks);
        self.wire.page("ping", &names, None, 1).await.map(|_| ())
    }

    pub(super) fn is_closed(&self) -> bool {
        self.wire.closed.load(Ordering::Acquire)
    }

    pub(super) fn close(&self) {
        self.wire.closed.store(true, Ordering::Release);
        self.wire.connector.close();
    }
}

pub(super) fn now() -> u64 {
    millis(SystemTime::now())
}
