//! Reading: entries, leases, versions of tags and the epoch, in one trip to each server that holds any of it.

use super::generations::{millis, random};
use super::group::{Group, all, entry, refused};
use super::lease::{self, Held, Lease, Place};
use super::link::Failure;
use super::tags::{Tags, Version, epoch};
use super::wire::Exchange;
use crate::store::head::MAGIC;
use crate::store::{Ask, Found, Head, Read};

/// What one server is asked in one trip.
#[derive(Debug, Default)]
struct Share {
    /// Numbers of questions.
    entries: Vec<usize>,
    /// Numbers of tags.
    tags: Vec<usize>,
    epoch: bool,
}

/// What came of one trip.
struct Part {
    entries: Vec<(usize, Held, Place)>,
    versions: Vec<(usize, Version)>,
    epoch: Option<u64>,
}

/// What came of all.
pub(super) struct Trips {
    /// In the order of the questions.
    entries: Vec<Option<(Held, Place)>>,
    /// In the order of the tags.
    pub(super) versions: Vec<Version>,
    /// What each server knows of the epoch.
    epochs: Vec<Option<u64>>,
}

impl Group {
    pub(super) async fn read(&self, reads: &[Read<'_>]) -> Result<Vec<Found>, Failure> {
        let mut tags = Tags::default();
        for read in reads {
            for tag in read.tags {
                tags.add(tag, read.ask != Ask::Entry);
            }
        }
        let Trips {
            entries,
            mut versions,
            epochs,
        } = self.trips(reads, &tags).await?;
        let judged = |(read, found): (&Read<'_>, _)| match read.ask {
            Ask::Entry => None,
            _ => head(found),
        };
        let heads: Vec<Option<Head>> = reads.iter().zip(&entries).map(judged).collect();
        let asked = tags.names.len();
        for tag in heads.iter().flatten().flat_map(Head::tags) {
            tags.add(&tag.name, false);
        }
        // Entries may have tags that nobody expected. They cost another trip.
        if tags.names.len() > asked {
            versions.extend(self.versions(&tags.names[asked..], false).await?);
        }
        let mut agreed = None;
        let mut founds = Vec::with_capacity(reads.len());
        for ((read, found), head) in reads.iter().zip(entries).zip(&heads) {
            let version = |tag: &str| {
                tags.numbers
                    .get(tag)
                    .map_or(0, |number| versions[*number].number)
            };
            let Some((held, place)) = found else {
                founds.push(Found {
                    versions: read.tags.iter().map(|tag| version(tag)).collect(),
                    ..Found::default()
                });
                continue;
            };
            let is_dead = head.as_ref().is_some_and(|head| {
                let differs =
                    |tag: &crate::store::Tag| tag.version == 0 || tag.version != version(&tag.name);
                head.tags().iter().any(differs)
            });
            let bytes = held.bytes.filter(|_| !is_dead);
            let is_due = match read.ask {
                Ask::Entry => false,
                Ask::EntryAndLease => true,
                Ask::EntryOrLease => !bytes.as_ref().is_some_and(|bytes| match head {
                    Some(head) => head.can_be_served(read.now),
                    // What begins like a head and is none: the store cannot tell.
                    None => bytes.first() != Some(&MAGIC),
                }),
            };
            let token = match is_due {
                true => Some(self.lend(read, held.number, &place)?),
                false => None,
            };
            let epoch = match (&token, epochs[self.server(read.key)], agreed) {
                (None, ..) => 0,
                (_, Some(epoch), _) | (_, None, Some(epoch)) => epoch,
                // Once in the life of a server. Where it cannot be said: one that never comes again, so that what depends on it is not stored.
                (_, None, None) => {
                    let epoch = self.agree().await.unwrap_or_else(|_| random().max(1));
                    *agreed.insert(epoch)
                }
            };
            // A hit makes no versions: what this trip made was not there.
            let known = |tag: &&str| match tags.numbers.get(tag) {
                Some(number) if token.is_some() || !versions[*number].made => version(tag),
                _ => 0,
            };
            founds.push(Found {
                bytes,
                versions: read.tags.iter().map(known).collect(),
                epoch,
                lease: token,
            });
        }
        Ok(founds)
    }

    /// Gives a lease; sees to it that the item is there for as long.
    fn lend(
        &self,
        read: &Read<'_>,
        number: u64,
        place: &Place,
    ) -> Result<crate::store::Token, Failure> {
        if place.cas == 0 {
            return Err(Failure::Said(
                "it counts no versions: start it without `-C`".into(),
            ));
        }
        if place.is_short {
            // Nobody waits for this. Without it, or when a fill comes in between, a fill is lost or an entry goes early; neither serves what is not true.
            let ttl = lease::vivified(read.lease);
            let mut exchange = Exchange::empty(0);
            exchange.get(&place.name, format_args!("T{ttl}"));
            self.link(self.server(read.key)).tell(exchange);
        }
        let span = lease::span(read.lease).as_millis() as u64;
        let lease = Lease {
            generation: place.generation,
            number,
            cas: place.cas,
            until: millis().saturating_add(span),
        };
        Ok(lease.token())
    }

    /// One trip to each server that has to do with it, all at once.
    pub(super) async fn trips(
        &self,
        reads: &[Read<'_>],
        tags: &Tags<'_>,
    ) -> Result<Trips, Failure> {
        let mut shares: Vec<(usize, Share)> = (0..self.len())
            .map(|server| (server, Share::default()))
            .collect();
        for (number, read) in reads.iter().enumerate() {
            let (_, share) = &mut shares[self.server(read.key)];
            share.entries.push(number);
            share.epoch |= read.ask != Ask::Entry;
        }
        for (number, tag) in tags.names.iter().enumerate() {
            shares[self.server(tag)].1.tags.push(number);
        }
        shares.retain(|(_, share)| !share.entries.is_empty() || !share.tags.is_empty());
        let parts = match &*shares {
            [(server, share)] => vec![self.share(*server, share, reads, tags).await],
            _ => {
                let trips = shares.iter();
                all(trips.map(|(server, share)| self.share(*server, share, reads, tags))).await
            }
        };
        let mut trips = Trips {
            entries: reads.iter().map(|_| None).collect(),
            versions: vec![Version::default(); tags.names.len()],
            epochs: vec![None; self.len()],
        };
        for ((server, _), part) in shares.iter().zip(parts) {
            let part = part?;
            for (number, held, place) in part.entries {
                trips.entries[number] = Some((held, place));
            }
            for (number, version) in part.versions {
                trips.versions[number] = version;
            }
            trips.epochs[*server] = part.epoch;
        }
        Ok(trips)
    }

    /// One trip to one server.
    async fn share(
        &self,
        server: usize,
        share: &Share,
        reads: &[Read<'_>],
        tags: &Tags<'_>,
    ) -> Result<Part, Failure> {
        let (generations, answers) = self
            .trip(server, |generations, exchange| {
                for number in &share.entries {
                    let read = &reads[*number];
                    let name = entry(generations.of(read.key), read.key);
                    match read.ask {
                        Ask::Entry => exchange.get(&name, format_args!("v c f t")),
                        _ => {
                            let ttl = lease::vivified(read.lease);
                            exchange.get(&name, format_args!("v c f t N{ttl}"));
                        }
                    }
                }
                for number in &share.tags {
                    tags.look(*number, exchange);
                }
                if share.epoch {
                    exchange.get(self.epoch(), format_args!("v"));
                }
            })
            .await?;
        let now = millis();
        let mut answers = answers.into_iter();
        let mut entries = Vec::with_capacity(share.entries.len());
        for (number, answer) in share.entries.iter().zip(&mut answers) {
            refused(&answer, 0, self.item_limit)?;
            if !answer.done() {
                continue;
            }
            let read = &reads[*number];
            let generation = generations.of(read.key);
            let place = Place {
                name: entry(generation, read.key),
                generation,
                cas: answer.cas,
                is_short: lease::is_short(&answer, read.lease),
            };
            entries.push((*number, lease::held(answer, now), place));
        }
        let versions = share.tags.iter().zip(&mut answers);
        let versions = versions.map(|(n, answer)| (*n, Version::of(&answer, &generations)));
        Ok(Part {
            entries,
            versions: versions.collect(),
            epoch: answers.next().as_ref().and_then(epoch),
        })
    }
}

fn head(found: &Option<(Held, Place)>) -> Option<Head> {
    let (held, _) = found.as_ref()?;
    Head::parse(held.bytes.as_deref()?).map(|(head, _)| head)
}
