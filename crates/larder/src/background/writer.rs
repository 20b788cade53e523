//! The one that writes: what the handle of `#[background]` does.

use std::sync::Arc;
use std::time::Duration;

use super::beat::Beat;
use super::keeper::{Keeper, Told};
use super::tenure::Tenure;
use super::{Status, known};
use crate::cache::{Cache, Ended, Schedule};
use crate::codec::Wire;
use crate::engine::{Shape, Site, Ticket, refused, within};
use crate::error::{Error, ErrorKind, Result};
use crate::key::KeyBuf;
use crate::policy::Policy;
use crate::runtime::Home;

/// What a schedule writes, and how what it writes is kept.
#[derive(Debug)]
pub struct Writes {
    /// The function.
    pub site: &'static Site,
    /// The key of its value.
    pub key: KeyBuf,
    /// How that becomes bytes.
    pub wire: Wire,
    /// How it is kept.
    pub policy: Policy,
}

/// Registers a writer and begins its schedule. `run` starts the load that a ticket allows.
///
/// # Errors
/// [`ErrorKind::AlreadyStarted`] when the key has a writer in this process; [`ErrorKind::InvalidPolicy`]; [`ErrorKind::Closed`].
pub fn start(
    cache: &Cache,
    writes: Writes,
    beat: Beat,
    run: impl Fn(Ticket, Told) + Send + Sync + 'static,
) -> Result<()> {
    let inner = &cache.inner;
    inner.open("start")?;
    let Writes {
        site,
        key,
        wire,
        policy,
    } = writes;
    let text = key.to_key();
    let beat = beat
        .checked()
        .map_err(|fault| refused("start", &text, fault))?;
    let schedule = Schedule::new(Some(text.clone()));
    if !inner.schedules.add(&schedule) {
        return Err(taken(inner.bare(text.as_str())).at(&text));
    }
    known(inner);
    let keeper = Keeper {
        schedule,
        cache: Arc::downgrade(inner),
        runtime: Arc::clone(&inner.runtime),
        home: Home::current(),
        beat,
        tenure: Tenure::new(inner, &text, &wire, beat.longest()),
        limit: Duration::from_nanos(policy.or(&inner.defaults).load_limit),
        start: Box::new(move |cache, schedule| {
            let ticket = Ticket::take_unseen(cache, site, &key);
            let Some(ticket) = ticket else { return false };
            let Some(told) = Told::new(schedule) else {
                return false;
            };
            run(ticket, told);
            true
        }),
    };
    keeper.spawn();
    Ok(())
}

fn taken(key: &str) -> Error {
    let message = format!(
        "`{key}` has a writer already: start it once, or stop that one first; who only reads takes a `reader`"
    );
    Error::new(ErrorKind::AlreadyStarted, "start", message)
}

/// Stops the writer of a key; whether there was one.
#[must_use]
pub fn stop(cache: &Cache, key: &KeyBuf) -> bool {
    let writer = cache.inner.schedules.writer(&key.to_key());
    writer.as_ref().inspect(|writer| writer.stop()).is_some()
}

/// How the writer of a key goes; `None` when this process has none.
#[must_use]
pub fn status(cache: &Cache, key: &KeyBuf) -> Option<Status> {
    let writer = cache.inner.schedules.writer(&key.to_key())?;
    Some(writer.status(cache.inner.clock.now()))
}

/// Waits for the run in progress, if there is one, so that what follows does not run beside it: at most as long as a run may take.
pub async fn turn(cache: &Cache, key: &KeyBuf, policy: Policy) {
    let inner = &cache.inner;
    if let Some(writer) = inner.schedules.writer(&key.to_key()) {
        let limit = Duration::from_nanos(policy.or(&inner.defaults).load_limit);
        let until = inner.clock.now().after(limit);
        within(inner, until, writer.idle()).await;
    }
}

impl Told {
    /// Hears what the source gave, and gives it on.
    pub fn saw<S, R>(&mut self, output: R, on_error: impl FnOnce(&S::Error)) -> R
    where
        S: Shape<R>,
    {
        match S::split(output) {
            Ok(value) => {
                self.is(Ended::Well);
                S::value(value)
            }
            Err(error) => {
                self.is(Ended::Failed);
                on_error(&error);
                S::error(error)
            }
        }
    }
}
