//! Fills, writes and removals.

use super::generations::millis;
use super::group::{Group, TRIES, all, entry, life, refused};
use super::item::Stamp;
use super::lease::{self, Lease};
use super::link::Failure;
use super::wire::Code;
use crate::store::{Condition, Fill, Life, Removal, Write};

/// More than memcached needs beside a value: the longest name, header, version, flags, ends, the number of a lease.
pub(super) const BESIDE: usize = 512;

impl Group {
    pub(super) async fn fill(&self, fills: &[Fill<'_>]) -> Result<Vec<bool>, Failure> {
        let now = millis();
        let leases: Vec<_> = fills.iter().map(|f| Lease::parse(f.lease, now)).collect();
        let mut stored = vec![false; fills.len()];
        let standing = (0..fills.len()).filter(|n| leases[*n].is_some());
        let trips = self.shares(standing, |number| fills[number].key);
        let trips = trips.into_iter().map(|(server, numbers)| {
            let leases = &leases;

            async move {
                let made = numbers.iter().map(|n| (&fills[*n], leases[*n]));
                let made: Vec<_> = made.filter_map(|(f, l)| Some((f, l?))).collect();
                let done = self.fill_on(server, &made, now).await?;
                Ok::<_, Failure>((numbers, done))
            }
        });
        // All of a batch are tried, whatever becomes of one.
        let mut failure = None;
        for trip in all(trips).await {
            match trip {
                Ok((numbers, done)) => {
                    for (number, done) in numbers.into_iter().zip(done) {
                        match done {
                            Ok(done) => stored[number] = done,
                            Err(why) => failure = Some(why),
                        }
                    }
                }
                Err(why) => failure = Some(why),
            }
        }
        failure.map_or(Ok(stored), Err)
    }

    async fn fill_on(
        &self,
        server: usize,
        fills: &[(&Fill<'_>, Lease)],
        now: u64,
    ) -> Result<Vec<Result<bool, Failure>>, Failure> {
        let (generations, answers) = self
            .trip(server, |_, exchange| {
                for (fill, lease) in fills {
                    let name = entry(lease.generation, fill.key);
                    let cas = lease.cas;
                    if self.fits(fill.bytes) {
                        let Stamp { flags, ttl } = Stamp::new(fill.life, now).filled();
                        let number = lease.number.to_be_bytes();
                        let flags = format_args!("C{cas} T{ttl} F{flags}");
                        exchange.set(&name, fill.bytes, &number, flags);
                    } else {
                        exchange.delete(&name, format_args!("C{cas}"));
                    }
                }
            })
            .await?;
        let mut done = Vec::with_capacity(fills.len());
        for ((fill, lease), answer) in fills.iter().zip(answers) {
            let stands = generations.of(fill.key) == lease.generation;
            done.push(if !stands {
                Ok(false)
            } else if !self.fits(fill.bytes) {
                // The item of an older value is gone, if the lease still stood.
                Err(self.too_large(fill.bytes))
            } else if answer.code == Code::Exists {
                self.fill_again(server, fill, *lease, now).await
            } else if answer.too_large() {
                // The server drops what was there.
                Err(self.too_large(fill.bytes))
            } else {
                refused(&answer, fill.bytes.len(), self.item_limit).map(|()| answer.done())
            });
        }
        Ok(done)
    }

    /// Fills an item that has another version: it may be that somebody who shares the lease was first.
    async fn fill_again(
        &self,
        server: usize,
        fill: &Fill<'_>,
        lease: Lease,
        now: u64,
    ) -> Result<bool, Failure> {
        let name = entry(lease.generation, fill.key);
        for _ in 0..TRIES {
            let (_, mut answers) = self
                .trip(server, |_, exchange| {
                    exchange.get(&name, format_args!("v c f t"));
                })
                .await?;
            let found = answers.remove(0);
            let cas = found.cas;
            if !found.done() || lease::held(found, now).number != lease.number {
                return Ok(false);
            }
            let (generations, answers) = self
                .trip(server, |_, exchange| {
                    let Stamp { flags, ttl } = Stamp::new(fill.life, now).filled();
                    let flags = format_args!("C{cas} T{ttl} F{flags}");
                    exchange.set(&name, fill.bytes, &lease.number.to_be_bytes(), flags);
                })
                .await?;
            refused(&answers[0], fill.bytes.len(), self.item_limit)?;
            if answers[0].code != Code::Exists {
                let stands = generations.of(fill.key) == lease.generation;
                return Ok(stands && answers[0].done());
            }
        }
        Err(self.contended(server))
    }

    pub(super) async fn write(&self, writes: &[Write<'_>]) -> Result<Vec<bool>, Failure> {
        let now = millis();
        let mut stored = vec![true; writes.len()];
        let mut failure = None;
        let certain = (0..writes.len()).filter(|n| writes[*n].condition == Condition::Always);
        let trips = self.shares(certain, |number| writes[number].key);
        let trips = trips.into_iter().map(|(server, numbers)| async move {
            self.write_on(server, writes, &numbers, now).await
        });
        for done in all(trips).await {
            failure = done.err().or(failure);
        }
        let conditional = writes.iter().enumerate();
        let conditional = conditional.filter(|(_, w)| w.condition != Condition::Always);
        let trips = conditional
            .map(|(number, write)| async move { (number, self.write_if(write, now).await) });
        for (number, done) in all(trips).await {
            match done {
                Ok(done) => stored[number] = done,
                Err(why) => failure = Some(why),
            }
        }
        failure.map_or(Ok(stored), Err)
    }

    async fn write_on(
        &self,
        server: usize,
        writes: &[Write<'_>],
        numbers: &[usize],
        now: u64,
    ) -> Result<(), Failure> {
        let (_, answers) = self
            .trip(server, |generations, exchange| {
                for number in numbers {
                    let write = &writes[*number];
                    let name = entry(generations.of(write.key), write.key);
                    if self.fits(write.bytes) {
                        let Stamp { flags, ttl } = Stamp::new(write.life, now);
                        let flags = format_args!("T{ttl} F{flags}");
                        exchange.set(&name, write.bytes, &[], flags);
                    } else {
                        exchange.delete(&name, format_args!("k"));
                    }
                }
            })
            .await?;
        let mut failure = None;
        for (number, answer) in numbers.iter().zip(answers) {
            let write = &writes[*number];
            if !self.fits(write.bytes) {
                failure = Some(self.too_large(write.bytes));
                continue;
            }
            if let Err(why) = refused(&answer, write.bytes.len(), self.item_limit) {
                // What was true before is not any more.
                self.remove_on(server, &[write.key]).await?;
                failure = Some(why);
            }
        }
        failure.map_or(Ok(()), Err)
    }

    /// Writes if the key is there, or if it is not. What is vivified for a lease is not there.
    async fn write_if(&self, write: &Write<'_>, now: u64) -> Result<bool, Failure> {
        let server = self.server(write.key);
        let Stamp { flags, ttl } = Stamp::new(write.life, now);
        for _ in 0..TRIES {
            // Mostly there is nothing at all where nothing is to be: the same trip writes then.
            let adds = write.condition == Condition::Absent && self.fits(write.bytes);
            let (generations, answers) = self
                .trip(server, |generations, exchange| {
                    let name = entry(generations.of(write.key), write.key);
                    exchange.get(&name, format_args!("c f t"));
                    if adds {
                        let flags = format_args!("ME T{ttl} F{flags}");
                        exchange.set(&name, write.bytes, &[], flags);
                    }
                })
                .await?;
            let is_there = life(&answers[0], millis()).is_some();
            if is_there != (write.condition == Condition::Present) {
                return Ok(false);
            }
            if let Some(added) = answers.get(1) {
                refused(added, write.bytes.len(), self.item_limit)?;
                if added.done() {
                    return Ok(true);
                }
            }
            if !answers[0].done() {
                // It came in between.
                if self.fits(write.bytes) {
                    continue;
                }
                return Err(self.too_large(write.bytes));
            }
            let cas = answers[0].cas;
            let name = entry(generations.of(write.key), write.key);
            let fits = self.fits(write.bytes);
            let (now, answers) = self
                .trip(server, |_, exchange| match fits {
                    true => {
                        let flags = format_args!("C{cas} T{ttl} F{flags}");
                        exchange.set(&name, write.bytes, &[], flags);
                    }
                    false => exchange.delete(&name, format_args!("C{cas}")),
                })
                .await?;
            refused(&answers[0], write.bytes.len(), self.item_limit)?;
            if !answers[0].done() || now.of(write.key) != generations.of(write.key) {
                continue;
            }
            return match fits {
                true => Ok(true),
                false => Err(self.too_large(write.bytes)),
            };
        }
        Err(self.contended(server))
    }

    pub(super) async fn remove(&self, removal: &Removal<'_>) -> Result<u64, Failure> {
        match removal {
            Removal::Keys(keys) => {
                let trips = self.shares(0..keys.len(), |number| keys[number]);
                let trips = trips.into_iter().map(|(server, numbers)| async move {
                    let keys: Vec<&str> = numbers.iter().map(|n| keys[*n]).collect();
                    self.remove_on(server, &keys).await
                });
                sum(all(trips).await)
            }
            Removal::Prefix(prefix) | Removal::Pattern { prefix, .. } => {
                // The name space is what this store knows of.
                let prefix = if self.prefix.starts_with(prefix) {
                    ""
                } else {
                    prefix
                };
                let trips = (0..self.len()).map(|server| async move {
                    let removed = self.remove_prefix(server, prefix).await;
                    removed.map(|()| 0_u64)
                });
                sum(all(trips).await)
            }
        }
    }

    async fn remove_on(&self, server: usize, keys: &[&str]) -> Result<u64, Failure> {
        let (_, answers) = self
            .trip(server, |generations, exchange| {
                for key in keys {
                    let name = entry(generations.of(key), key);
                    exchange.get(&name, format_args!("f t"));
                    exchange.delete(&name, format_args!("k"));
                }
            })
            .await?;
        let now = millis();
        let pairs = answers.chunks_exact(2);
        let entries = pairs.filter(|pair| pair[1].done() && life(&pair[0], now).is_some());
        Ok(entries.count() as u64)
    }

    pub(super) async fn remaining(&self, keys: &[&str]) -> Result<Vec<Option<Life>>, Failure> {
        let mut lives = vec![None; keys.len()];
        let trips = self.shares(0..keys.len(), |number| keys[number]);
        let trips = trips.into_iter().map(|(server, numbers)| async move {
            let looked = self
                .trip(server, |generations, exchange| {
                    for number in &numbers {
                        let key = keys[*number];
                        let name = entry(generations.of(key), key);
                        exchange.get(&name, format_args!("f t"));
                    }
                })
                .await;
            looked.map(|(_, answers)| (numbers, answers))
        });
        for trip in all(trips).await {
            let (numbers, answers) = trip?;
            for (number, answer) in numbers.into_iter().zip(answers) {
                lives[number] = life(&answer, millis());
            }
        }
        Ok(lives)
    }

    /// What each server has to do with of these numbers.
    pub(super) fn shares<'k>(
        &self,
        numbers: impl Iterator<Item = usize>,
        key: impl Fn(usize) -> &'k str,
    ) -> Vec<(usize, Vec<usize>)> {
        let mut shares: Vec<_> = (0..self.len()).map(|server| (server, Vec::new())).collect();
        for number in numbers {
            shares[self.server(key(number))].1.push(number);
        }
        shares.retain(|(_, numbers)| !numbers.is_empty());
        shares
    }

    fn fits(&self, bytes: &[u8]) -> bool {
        bytes.len() <= self.largest()
    }

    /// The largest value that is tried.
    fn largest(&self) -> usize {
        self.item_limit.saturating_sub(BESIDE)
    }

    fn too_large(&self, bytes: &[u8]) -> Failure {
        Failure::TooLarge {
            size: bytes.len(),
            limit: self.largest(),
        }
    }
}

fn sum(all: Vec<Result<u64, Failure>>) -> Result<u64, Failure> {
    // All servers were asked, whatever becomes of one.
    all.into_iter().sum()
}
