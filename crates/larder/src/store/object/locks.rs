//! Locks: an object for each name, changed by comparing its version, timed by the server's clock.
//!
//! The server says when an object was written and when it answered, both in whole seconds. So a lock counts as held up to two seconds longer than asked, whatever the
//! clocks of the processes say.

use std::time::Duration;

use object_store::UpdateVersion;

use super::core::{Core, now};
use super::frame::{self, FOREVER, Kind, Object};
use super::names::Space;
use super::wire::{Mode, Part, Put};
use crate::error::{Error, Result};
use crate::store::Acquired;

/// The server's times are cut to seconds.
const GRAIN: u64 = 1_000;

/// What is known of a lock.
struct Lock {
    at: UpdateVersion,
    fence: u64,
    owner: String,
    /// What is left of its time; `None` when it is over or was given back.
    left: Option<Duration>,
}

impl Core {
    async fn lock(&self, operation: &'static str, name: &str) -> Result<Option<Lock>> {
        if !self.is_conditional(operation).await? {
            let why = "it does not honour conditional writes";
            return Err(Error::unsupported(operation, self.wire.name, why));
        }
        let path = self.names.path(Space::Locks, name);
        let Some(got) = self.wire.get(operation, &path, Part::All).await? else {
            return Ok(None);
        };
        let opened = frame::open(&got.bytes, got.note);
        let ours = opened.filter(|o| o.kind == Kind::Lock && o.key.as_deref() == Some(name));
        let (ttl, fence, owner) = ours.and_then(|o| parse(&o.body)).unwrap_or_default();
        let end = got.written.saturating_add(ttl).saturating_add(GRAIN);
        let left = end.saturating_sub(got.answered).min(ttl);
        let left = (left > 0).then(|| Duration::from_millis(left));
        Ok(Some(Lock {
            at: got.version,
            fence,
            owner,
            left,
        }))
    }

    /// Writes a lock anew; `false` when somebody was faster.
    async fn put_lock(
        &self,
        operation: &'static str,
        name: &str,
        state: (Duration, u64, &str),
        standing: Option<Lock>,
    ) -> Result<bool> {
        let (ttl, fence, owner) = state;
        let ttl = u64::try_from(ttl.as_nanos().div_ceil(1_000_000)).unwrap_or(u64::MAX);
        let mut body = Vec::with_capacity(16 + owner.len());
        body.extend(ttl.to_be_bytes());
        body.extend(fence.to_be_bytes());
        body.extend(owner.as_bytes());
        let object = Object::framed(Kind::Lock, name, FOREVER, &body);
        let mode = standing.map_or(Mode::Create, |lock| Mode::Update(lock.at));
        let path = self.names.path(Space::Locks, name);
        let (put, _) = self.wire.put(operation, &path, object, mode).await?;
        Ok(put == Put::Done)
    }

    pub(super) async fn acquire(&self, name: &str, owner: &str, ttl: Duration) -> Result<Acquired> {
        let mut contest = self.contest("acquire");
        loop {
            let lock = self.lock("acquire", name).await?;
            let held = lock.as_ref().filter(|lock| lock.owner != owner);
            if let Some(left) = held.and_then(|lock| lock.left) {
                return Ok(Acquired::Taken { left });
            }
            // Time is the floor, so that numbers grow even when the object was deleted.
            let fence = lock
                .as_ref()
                .map_or(0, |lock| lock.fence)
                .saturating_add(1)
                .max(now());
            if self
                .put_lock("acquire", name, (ttl, fence, owner), lock)
                .await?
            {
                return Ok(Acquired::Held { fence });
            }
            contest.lost().await?;
        }
    }

    pub(super) async fn renew(&self, name: &str, owner: &str, ttl: Duration) -> Result<bool> {
        self.change("renew", name, owner, ttl).await
    }

    /// The object stays, and with it the number.
    pub(super) async fn release(&self, name: &str, owner: &str) -> Result<bool> {
        self.change("release", name, owner, Duration::ZERO).await
    }

    pub(super) async fn held(&self, name: &str) -> Result<Option<Duration>> {
        Ok(self.lock("held", name).await?.and_then(|lock| lock.left))
    }

    async fn change(
        &self,
        operation: &'static str,
        name: &str,
        owner: &str,
        ttl: Duration,
    ) -> Result<bool> {
        let mut contest = self.contest(operation);
        loop {
            let lock = self.lock(operation, name).await?;
            let own = lock.filter(|lock| lock.left.is_some() && lock.owner == owner);
            let Some(lock) = own else {
                return Ok(false);
            };
            let state = (ttl, lock.fence, owner);
            if self.put_lock(operation, name, state, Some(lock)).await? {
                return Ok(true);
            }
            contest.lost().await?;
        }
    }
}

fn parse(body: &[u8]) -> Option<(u64, u64, String)> {
    let (ttl, rest) = body.split_first_chunk()?;
    let (fence, owner) = rest.split_first_chunk()?;
    let owner = std::str::from_utf8(owner).ok()?.to_owned();
    Some((u64::from_be_bytes(*ttl), u64::from_be_bytes(*fence), owner))
}
