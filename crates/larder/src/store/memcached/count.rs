//! Counters, by comparing versions: memcached's own arithmetic knows no numbers below 0 and no overflow.

use super::generations::millis;
use super::group::{Group, TRIES, entry, life, refused};
use super::item::{self, Stamp};
use super::lease;
use super::link::Failure;
use super::wire::Exchange;
use super::{Memcached, NAME};
use crate::error::{Error, ErrorKind};
use crate::store::{Counters, Life, StoreFuture};

impl Counters for Memcached {
    fn add<'a>(&'a self, key: &'a str, by: i64, life: Life) -> StoreFuture<'a, i64> {
        let sum = async move {
            let sum = self.group.add(key, by, life).await;
            sum.unwrap_or_else(|why| Err(why.error("increment")))
        };
        Box::pin(sum)
    }
}

impl Group {
    async fn add(&self, key: &str, by: i64, fresh: Life) -> Result<Result<i64, Error>, Failure> {
        let server = self.server(key);
        for _ in 0..TRIES {
            let (generations, mut answers) = self
                .trip(server, |generations, exchange| {
                    let name = entry(generations.of(key), key);
                    exchange.get(&name, format_args!("v c f t"));
                })
                .await?;
            let now = millis();
            let found = answers.remove(0);
            let (is_there, is_entry) = (found.done(), life(&found, now).is_some());
            let (cas, flags, ttl) = (found.cas, found.flags, found.ttl);
            let (number, stamp) = match lease::held(found, now).bytes.filter(|_| is_entry) {
                None => (0, Stamp::new(fresh, now)),
                Some(bytes) => {
                    let Some(number) = parse(&bytes) else {
                        return Ok(Err(not_a_number(key)));
                    };
                    // As many seconds as memcached says; the true end is in the flags.
                    let stamp = Stamp {
                        flags: item::rewritten(flags),
                        ttl: item::ttl_of(ttl, now),
                    };
                    (number, stamp)
                }
            };
            let Some(sum) = number.checked_add(by) else {
                return Ok(Err(out_of_range(key)));
            };
            let generation = generations.of(key);
            let write = |exchange: &mut Exchange| {
                let (Stamp { flags, ttl }, name) = (stamp, entry(generation, key));
                let text = sum.to_string();
                match is_there {
                    true => {
                        let flags = format_args!("C{cas} T{ttl} F{flags}");
                        exchange.set(&name, text.as_bytes(), &[], flags);
                    }
                    false => {
                        let flags = format_args!("ME T{ttl} F{flags}");
                        exchange.set(&name, text.as_bytes(), &[], flags);
                    }
                }
            };
            let (now, answers) = self.trip(server, |_, exchange| write(exchange)).await?;
            refused(&answers[0], 20, self.item_limit)?;
            if answers[0].done() && now.of(key) == generation {
                return Ok(Ok(sum));
            }
        }
        Err(self.contended(server))
    }
}

/// A whole number as [`Counters`] keeps it; nothing else.
fn parse(bytes: &[u8]) -> Option<i64> {
    let text = std::str::from_utf8(bytes).ok()?;
    let digits = text.strip_prefix('-').unwrap_or(text);
    let is_plain = digits.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|_| is_plain)
}

fn not_a_number(key: &str) -> Error {
    Error::new(
        ErrorKind::WrongType,
        "increment",
        format!("{NAME} holds no whole number under `{key}`"),
    )
}

fn out_of_range(key: &str) -> Error {
    Error::new(
        ErrorKind::InvalidPolicy,
        "increment",
        format!("the sum under `{key}` is out of range"),
    )
}
