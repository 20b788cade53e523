//! The servers together: who holds what, trips to one and to several, and the generations of each.

use std::fmt;
use std::future::{Future, poll_fn};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Poll;

use parking_lot::RwLock;

use super::generations::Generations;
use super::generations::Mark;
use super::item;
use super::link::{Failure, Link};
use super::names::{Kind, Name, name};
use super::ring::Ring;
use super::wire::{Answer, Code, Exchange};

/// Others change an item between a look and a write; each time, one of them gets through. So many times in a row is no chance any more.
pub(super) const TRIES: usize = 256;

/// The servers.
pub(super) struct Group {
    servers: Vec<Server>,
    ring: Ring,
    /// The name of the generations of this name space.
    generations: Name,
    epoch: Name,
    /// What all keys of this name space begin with.
    pub(super) prefix: String,
    /// The longest item that is tried.
    pub(super) item_limit: usize,
    closed: AtomicBool,
}

struct Server {
    link: Link,
    known: RwLock<Option<Arc<Generations>>>,
}

impl Group {
    pub(super) fn new(links: Vec<Link>, ring: Ring, prefix: &str, item_limit: usize) -> Self {
        let server = |link| Server {
            link,
            known: RwLock::new(None),
        };
        Self {
            servers: links.into_iter().map(server).collect(),
            ring,
            generations: name(Kind::Generations, "", prefix),
            epoch: name(Kind::Epoch, "", prefix),
            prefix: prefix.to_owned(),
            item_limit,
            closed: AtomicBool::new(false),
        }
    }

    pub(super) fn len(&self) -> usize {
        self.servers.len()
    }

    /// The number of the server that holds a key, a tag, a lock.
    pub(super) fn server(&self, key: &str) -> usize {
        match self.servers.len() {
            1 => 0,
            _ => self.ring.server(key),
        }
    }

    pub(super) fn link(&self, server: usize) -> &Link {
        &self.servers[server].link
    }

    /// The name of the epoch of this name space.
    pub(super) fn epoch(&self) -> &Name {
        &self.epoch
    }

    pub(super) fn open(&self) -> Result<(), Failure> {
        match self.closed.load(Ordering::Acquire) {
            true => Err(Failure::Closed),
            false => Ok(()),
        }
    }

    pub(super) fn close(&self) {
        self.closed.store(true, Ordering::Release);
        for server in &self.servers {
            server.link.close();
        }
    }

    /// A trip to one server: a look at its generations, and the commands that `build` makes for those. Gives the answers to these commands.
    ///
    /// `build` makes the same commands whenever it is given the same generations. If they moved in a way that changes the commands, the trip is made again.
    pub(super) async fn trip(
        &self,
        server: usize,
        build: impl Fn(&Generations, &mut Exchange),
    ) -> Result<(Arc<Generations>, Vec<Answer>), Failure> {
        self.open()?;
        let kept = self.servers[server].known.read().clone();
        let mut known = match kept {
            Some(known) => known,
            None => self.learn(server).await?,
        };
        for _ in 0..TRIES {
            let mut exchange = Exchange::look(&self.generations, "c f");
            build(&known, &mut exchange);
            let mut answers = self.link(server).call(exchange).await?;
            let mark = Mark::of(&answers[0]);
            answers.remove(0);
            if mark == Some(known.mark) {
                return Ok((known, answers));
            }
            let now = self.learn(server).await?;
            let made = |generations: &Generations| {
                let mut exchange = Exchange::empty(0);
                build(generations, &mut exchange);
                exchange.bytes
            };
            // Generations never come again: what is the same now was the same at the time of the trip.
            if now.is_same_birth(&known) && made(&now) == made(&known) {
                return Ok((now, answers));
            }
            known = now;
        }
        Err(self.contended(server))
    }

    /// The generations of a server as they are now; made if there are none.
    pub(super) async fn learn(&self, server: usize) -> Result<Arc<Generations>, Failure> {
        for _ in 0..TRIES {
            let fresh = Generations::new();
            let mut exchange = Exchange::look(&self.generations, "k");
            let (bytes, flags) = (fresh.to_bytes(), fresh.mark.flags);
            exchange.set(
                &self.generations,
                &bytes,
                &[],
                format_args!("ME T0 F{flags}"),
            );
            exchange.get(&self.generations, format_args!("v c f"));
            let answers = self.link(server).call(exchange).await?;
            refused(&answers[1], 0, self.item_limit)?;
            let found = &answers[2];
            if let Some(known) = Generations::parse(found) {
                if known.mark.cas == 0 {
                    return Err(Failure::Said(
                        "it counts no versions: start it without `-C`".into(),
                    ));
                }
                let known = Arc::new(known);
                *self.servers[server].known.write() = Some(Arc::clone(&known));
                return Ok(known);
            }
            if found.done() {
                // Foreign bytes under this name.
                let cas = found.cas;
                let mut exchange = Exchange::look(&self.generations, "k");
                exchange.delete(&self.generations, format_args!("C{cas}"));
                self.link(server).call(exchange).await?;
            }
        }
        Err(self.contended(server))
    }

    /// Moves the generation of all keys that begin with `prefix`, on one server.
    pub(super) async fn remove_prefix(&self, server: usize, prefix: &str) -> Result<(), Failure> {
        self.open()?;
        for _ in 0..TRIES {
            let known = self.learn(server).await?;
            let mut next = known.without(prefix);
            let mut exchange = Exchange::look(&self.generations, "k");
            let (cas, flags) = (known.mark.cas, known.mark.flags);
            exchange.set(
                &self.generations,
                &next.to_bytes(),
                &[],
                format_args!("C{cas} T0 F{flags} c"),
            );
            let answers = self.link(server).call(exchange).await?;
            refused(&answers[1], 0, self.item_limit)?;
            if answers[1].done() {
                next.mark.cas = answers[1].cas;
                *self.servers[server].known.write() = Some(Arc::new(next));
                return Ok(());
            }
        }
        Err(self.contended(server))
    }

    /// Whether anybody answers: with some servers gone, the keys of the others can be used all the same.
    pub(super) async fn ping(&self) -> Result<(), Failure> {
        let servers = self.servers.iter();
        let said = servers.map(|server| server.link.call(Exchange::hello()));
        let mut failure = None;
        for said in all(said).await {
            match said {
                Ok(_) => return Ok(()),
                Err(why) => failure = Some(why),
            }
        }
        failure.map_or(Ok(()), Err)
    }

    pub(super) fn contended(&self, server: usize) -> Failure {
        Failure::Said(format!(
            "{:?}: others changed the same item {TRIES} times in between",
            self.link(server)
        ))
    }
}

impl fmt::Debug for Group {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list()
            .entries(self.servers.iter().map(|server| &server.link))
            .finish()
    }
}

/// The name of an entry's item in these generations.
pub(super) fn entry(generation: u64, key: &str) -> Name {
    name(Kind::Entry, &format!("{generation:016x}:"), key)
}

/// What to make of an answer of a server that does not want to.
pub(super) fn refused(answer: &Answer, size: usize, limit: usize) -> Result<(), Failure> {
    match &answer.code {
        Code::Refused(_) if answer.too_large() => Err(Failure::TooLarge { size, limit }),
        Code::Refused(said) => Err(Failure::Said(said.escape_debug().to_string())),
        _ => Ok(()),
    }
}

/// What is there under a key: an entry that lives, if `Some`.
pub(super) fn life(answer: &Answer, now: u64) -> Option<crate::store::Life> {
    match answer.done() {
        true => item::left(answer.flags, answer.ttl, now),
        false => None,
    }
}

/// Awaits all at once; the results in their order.
pub(super) async fn all<F: Future>(futures: impl Iterator<Item = F>) -> Vec<F::Output> {
    let mut running: Vec<_> = futures.map(|future| Some(Box::pin(future))).collect();
    let mut results: Vec<Option<F::Output>> = running.iter().map(|_| None).collect();
    poll_fn(|context| {
        for (running, result) in running.iter_mut().zip(&mut results) {
            if let Some(future) = running
                && let Poll::Ready(ready) = future.as_mut().poll(context)
            {
                *result = Some(ready);
                *running = None;
            }
        }
        match running.iter().all(Option::is_none) {
            true => Poll::Ready(()),
            false => Poll::Pending,
        }
    })
    .await;
    results.into_iter().flatten().collect()
}
