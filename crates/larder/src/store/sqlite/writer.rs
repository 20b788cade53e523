//! The one thread that writes: it takes what waits together into one transaction, and cleans up in between.

use std::cell::Cell;
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use rusqlite::Connection;

use super::fault::failure;
use super::place::{Connected, Place};
use super::sweep;
use super::write::Tx;
use crate::error::ErrorKind;
use crate::store::{Failure, Popped, Promise, Queue, unwinding, wall};

/// How many operations share a transaction at most.
const TOGETHER: usize = 64;
/// How many uses of entries are remembered until they are noted.
const USES: usize = 4_096;

/// An operation, and whom to tell what came of it.
pub(super) trait Job: Send {
    fn run(&mut self, tx: &Tx<'_>) -> rusqlite::Result<()>;
    /// After the transaction: nobody is told of what may not stay.
    fn finish(self: Box<Self>, outcome: Result<(), Failure>);
    fn is_wanted(&self) -> bool;
}

/// A [`Job`] of a function.
pub(super) struct Work<T, F> {
    pub(super) work: F,
    pub(super) done: Option<T>,
    pub(super) promise: Promise<Result<T, Failure>>,
}

impl<T: Send, F: FnMut(&Tx<'_>) -> rusqlite::Result<T> + Send> Job for Work<T, F> {
    fn run(&mut self, tx: &Tx<'_>) -> rusqlite::Result<()> {
        self.done = Some((self.work)(tx)?);
        Ok(())
    }

    fn finish(self: Box<Self>, outcome: Result<(), Failure>) {
        match (outcome, self.done) {
            (Err(failure), _) => self.promise.keep(Err(failure)),
            (Ok(()), Some(done)) => self.promise.keep(Ok(done)),
            // Without a word: the asker is told that nobody answers.
            (Ok(()), None) => {}
        }
    }

    fn is_wanted(&self) -> bool {
        self.promise.is_wanted()
    }
}

/// Keys whose use is to be noted.
#[derive(Debug, Default)]
pub(super) struct Uses(Mutex<Vec<Box<[u8]>>>);

impl Uses {
    pub(super) fn note(&self, key: &str) {
        let mut uses = self.0.lock();
        if uses.len() < USES {
            uses.push(key.as_bytes().into());
        }
    }

    fn take(&self) -> Vec<Box<[u8]>> {
        std::mem::take(&mut self.0.lock())
    }
}

pub(super) type Jobs = Queue<Box<dyn Job>>;

/// What the thread does until its queue is closed.
pub(super) fn run(place: &Place, uses: &Arc<Uses>, jobs: &Jobs) {
    let mut writer = Writer {
        place,
        uses,
        connected: None,
    };
    let mut sweep_at = Instant::now() + place.options.sweep;
    loop {
        match jobs.pop(Some(sweep_at)) {
            Popped::Closed => break,
            Popped::Idle => {}
            Popped::Job(first) => {
                let mut batch = vec![first];
                while batch.len() < TOGETHER
                    && let Some(job) = jobs.pop_now()
                {
                    batch.push(job);
                }
                writer.serve(batch);
            }
        }
        let due = Instant::now() >= sweep_at;
        let more = unwinding(|| writer.clean(due)).unwrap_or(false);
        if due {
            let pause = if more {
                Duration::ZERO
            } else {
                place.options.sweep
            };
            sweep_at = Instant::now() + pause;
        }
    }
}

struct Writer<'a> {
    place: &'a Place,
    uses: &'a Uses,
    connected: Option<Connected>,
}

impl Writer<'_> {
    fn serve(&mut self, mut batch: Vec<Box<dyn Job>>) {
        batch.retain(|job| job.is_wanted());
        if batch.is_empty() {
            return;
        }
        let outcome = self.together(&mut batch);
        match outcome {
            Err(_) if batch.len() > 1 => {
                // One that cannot be done must not take the others with it.
                for job in batch {
                    let mut alone = vec![job];
                    let outcome = self.together(&mut alone);
                    tell(alone, &outcome);
                }
            }
            outcome => tell(batch, &outcome),
        }
    }

    fn together(&mut self, batch: &mut [Box<dyn Job>]) -> Result<(), Failure> {
        let uses = self.uses.take();
        let done = unwinding(|| {
            self.transaction(|tx| {
                batch.iter_mut().try_for_each(|job| job.run(tx))?;
                sweep::note(tx, &uses)
            })
        });
        match done {
            Some(outcome) => outcome,
            None => {
                self.connected = None;
                Err(Failure::new(
                    ErrorKind::Store,
                    "the operation broke off in the middle",
                ))
            }
        }
    }

    /// Does something in a transaction of its own, connecting first where needed.
    fn transaction<T>(
        &mut self,
        work: impl FnOnce(&Tx<'_>) -> rusqlite::Result<T>,
    ) -> Result<T, Failure> {
        self.connected = self
            .connected
            .take()
            .filter(|connected| self.place.is_current(connected));
        if self.connected.is_none() {
            self.connected = Some(self.place.connect()?);
        }
        let Some(Connected { db, .. }) = &self.connected else {
            return Err(Failure::closed());
        };
        let outcome = in_transaction(db, work);
        if let Err(error) = &outcome {
            self.place.note(error);
            // What a damaged file or a lost disk leaves in a connection is not worth knowing; memory is all there is of its kind.
            if self.place.options.path.is_some() && !super::fault::is_busy(error) {
                self.connected = None;
            }
        }
        outcome.map_err(failure)
    }

    /// Whether more is to be cleaned at once.
    fn clean(&mut self, due: bool) -> bool {
        let options = &self.place.options;
        let Some(connected) = &self.connected else {
            // Nothing was asked of this process yet; what is there is swept by those who use it.
            return false;
        };
        let over = sweep::is_over(&connected.db, options).unwrap_or(false);
        if over {
            drop(self.transaction(|tx| sweep::evict(tx, options)));
        }
        if !due {
            return false;
        }
        let uses = self.uses.take();
        let swept = self.transaction(|tx| {
            sweep::note(tx, &uses)?;
            sweep::expire(tx)
        });
        if let Some(connected) = &self.connected {
            drop(sweep::shrink(&connected.db));
        }
        swept.unwrap_or(false) || over
    }
}

fn tell(batch: Vec<Box<dyn Job>>, outcome: &Result<(), Failure>) {
    for job in batch {
        job.finish(outcome.clone());
    }
}

fn in_transaction<T>(
    db: &Connection,
    work: impl FnOnce(&Tx<'_>) -> rusqlite::Result<T>,
) -> rusqlite::Result<T> {
    db.prepare_cached("BEGIN IMMEDIATE")?.execute([])?;
    let tx = Tx {
        db,
        now: wall(),
        more: Cell::new(0),
    };
    let outcome = work(&tx).and_then(|done| {
        if tx.more.get() != 0 {
            db.prepare_cached("UPDATE meta SET value = value + ?1 WHERE name = 'entries'")?
                .execute([tx.more.get()])?;
        }
        db.prepare_cached("COMMIT")?.execute([])?;
        Ok(done)
    });
    if outcome.is_err() && !db.is_autocommit() {
        drop(db.execute_batch("ROLLBACK"));
    }
    outcome
}
