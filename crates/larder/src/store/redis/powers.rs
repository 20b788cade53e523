//! Counters, locks, limits of calls and bits: one script or command each.

use std::time::Duration;

use ::redis::{Cmd, Value};

use super::names::Kind;
use super::{Redis, finite, millis, random, reply, script};
use crate::error::{Error, ErrorKind, Result};
use crate::store::{
    Acquired, Admission, Bits, Counters, Life, Locks, Quota, StoreFuture, Window, Windows,
};

/// How long a fencing number is remembered past the end of its lock.
const MEMORY: Duration = Duration::from_secs(48 * 3_600);

impl Counters for Redis {
    fn add<'a>(&'a self, key: &'a str, by: i64, life: Life) -> StoreFuture<'a, i64> {
        Box::pin(async move {
            let mut cmd = script::ADD.call(2, 2, 2 * key.len() + 64);
            cmd.arg(key)
                .arg(self.names.beside(key, Kind::Lease))
                .arg(by)
                .arg(millis(life));
            let answer = self.ask("increment", cmd).await;
            reply::number("increment", &answer.map_err(sum)?)
        })
    }
}

/// What the server says of a sum that cannot be made.
fn sum(error: Error) -> Error {
    let text = error.to_string();
    if text.contains("overflow") {
        let message = "the sum is out of range";
        Error::new(ErrorKind::InvalidPolicy, "increment", message)
    } else if text.contains("WRONGTYPE") || text.contains("not an integer") {
        let message = "the entry is no whole number";
        Error::new(ErrorKind::WrongType, "increment", message)
    } else {
        error
    }
}

impl Redis {
    /// A call about a lock and its fencing number.
    async fn lock(
        &self,
        operation: &'static str,
        script: &script::Lua,
        name: &str,
        owner: &str,
        ttl: Duration,
    ) -> Result<Value> {
        let mut cmd = script.call(2, 3, 2 * name.len() + owner.len() + 64);
        cmd.arg(self.names.beside(name, Kind::Lock))
            .arg(self.names.beside(name, Kind::Fence))
            .arg(owner)
            .arg(finite(ttl) as u64)
            .arg(finite(ttl.saturating_add(MEMORY)) as u64);
        self.ask(operation, cmd).await
    }
}

impl Locks for Redis {
    fn acquire<'a>(
        &'a self,
        name: &'a str,
        owner: &'a str,
        ttl: Duration,
    ) -> StoreFuture<'a, Acquired> {
        Box::pin(async move {
            let lock = self.lock("lock", &script::ACQUIRE, name, owner, ttl);
            let answer = reply::list_of("lock", lock.await?, 2)?;
            let number = reply::number("lock", &answer[1])?.max(0) as u64;
            Ok(if reply::yes("lock", &answer[0])? {
                Acquired::Held { fence: number }
            } else {
                let left = Duration::from_millis(number);
                Acquired::Taken { left }
            })
        })
    }

    fn renew<'a>(&'a self, name: &'a str, owner: &'a str, ttl: Duration) -> StoreFuture<'a, bool> {
        Box::pin(async move {
            let renewed = self.lock("renew", &script::RENEW, name, owner, ttl);
            reply::yes("renew", &renewed.await?)
        })
    }

    fn release<'a>(&'a self, name: &'a str, owner: &'a str) -> StoreFuture<'a, bool> {
        Box::pin(async move {
            let mut cmd = script::RELEASE.call(1, 1, name.len() + owner.len() + 32);
            cmd.arg(self.names.beside(name, Kind::Lock)).arg(owner);
            reply::yes("release", &self.ask("release", cmd).await?)
        })
    }

    fn held<'a>(&'a self, name: &'a str) -> StoreFuture<'a, Option<Duration>> {
        Box::pin(async move {
            let mut cmd = ::redis::cmd("PTTL");
            cmd.arg(self.names.beside(name, Kind::Lock));
            let left = reply::number("held", &self.ask("held", cmd).await?)?;
            Ok(u64::try_from(left).ok().map(Duration::from_millis))
        })
    }
}

impl Windows for Redis {
    fn admit<'a>(&'a self, key: &'a str, quota: &'a Quota) -> StoreFuture<'a, Admission> {
        Box::pin(async move {
            let (word, kind) = match quota.window {
                Window::Fixed => ("fixed", Kind::Fixed),
                Window::Sliding => ("sliding", Kind::Window),
                Window::Gcra => ("gcra", Kind::Gcra),
            };
            let mut cmd = script::ADMIT.call(2, 5, 2 * key.len() + 128);
            cmd.arg(self.names.beside(key, kind))
                .arg(self.names.beside(key, Kind::Ban))
                .arg(word)
                .arg(quota.limit)
                .arg(micros(quota.per))
                .arg(quota.ban.map_or(0, micros))
                .arg(&random().to_be_bytes());
            let answer = reply::list_of("admit", self.ask("admit", cmd).await?, 3)?;
            let number = |place: usize| {
                reply::number("admit", &answer[place]).map(|number| number.max(0) as u64)
            };
            let (used, wait) = (number(1)?, Duration::from_micros(number(2)?));
            Ok(match number(0)? {
                0 => Admission::refused(used, wait),
                1 => Admission::admitted(used),
                _ => Admission::banned(used, wait),
            })
        })
    }
}

impl Bits for Redis {
    fn set<'a>(&'a self, key: &'a str, positions: &'a [u32], life: Life) -> StoreFuture<'a, u64> {
        Box::pin(async move {
            let room = key.len() + 11 * positions.len() + 32;
            let mut cmd = script::SET_BITS.call(1, 1 + positions.len(), room);
            cmd.arg(self.names.beside(key, Kind::Bits))
                .arg(millis(life));
            for position in positions {
                cmd.arg(position);
            }
            let new = reply::number("set_bits", &self.ask("set_bits", cmd).await?)?;
            Ok(new.max(0) as u64)
        })
    }

    /// [BITFIELD_RO](https://redis.io/docs/latest/commands/bitfield_ro/): many bits in one command that is no write, so a full server and a user who only reads may ask too.
    fn test<'a>(&'a self, key: &'a str, positions: &'a [u32]) -> StoreFuture<'a, Vec<bool>> {
        Box::pin(async move {
            if positions.is_empty() {
                return Ok(Vec::new());
            }
            let room = key.len() + 21 * positions.len() + 32;
            let mut cmd = Cmd::with_capacity(2 + 3 * positions.len(), room);
            cmd.arg("BITFIELD_RO")
                .arg(self.names.beside(key, Kind::Bits));
            for position in positions {
                cmd.arg("GET").arg("u1").arg(position);
            }
            let answer = self.ask("test_bits", cmd).await?;
            let bits = reply::list_of("test_bits", answer, positions.len())?;
            bits.iter()
                .map(|bit| reply::yes("test_bits", bit))
                .collect()
        })
    }

    fn clear<'a>(&'a self, key: &'a str) -> StoreFuture<'a, bool> {
        Box::pin(async move {
            let mut cmd = ::redis::cmd("UNLINK");
            cmd.arg(self.names.beside(key, Kind::Bits));
            reply::yes("clear_bits", &self.ask("clear_bits", cmd).await?)
        })
    }
}

/// At least one, and no longer than a record can live.
fn micros(span: Duration) -> u64 {
    let most = (finite(span) as u64).saturating_mul(1_000);
    let micros = u64::try_from(span.as_nanos().div_ceil(1_000)).unwrap_or(u64::MAX);
    micros.clamp(1, most)
}
