//! Connections that read: some on threads of their own, some lent to callers that park their thread anyway.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use rusqlite::Connection;

use super::fault::failure;
use super::options::SyncReads;
use super::place::{Connected, Place};
use crate::runtime::is_parking;
use crate::store::{Failure, Promise, Threads, answer, unwinding};

/// For how long a connection trusts that its file is still the one at the path.
const TRUSTED: Duration = Duration::from_secs(1);

/// A connection, made when it is first needed and again when the file is another.
pub(super) struct Reader {
    place: Arc<Place>,
    connected: Option<(Connected, Instant)>,
}

impl Reader {
    fn new(place: &Arc<Place>) -> Self {
        Self {
            place: Arc::clone(place),
            connected: None,
        }
    }

    /// Looks at the database; what is looked at later is never older.
    fn look<T>(
        &mut self,
        work: impl FnOnce(&Connection) -> rusqlite::Result<T>,
    ) -> Result<T, Failure> {
        let now = Instant::now();
        let place = &self.place;
        self.connected = self.connected.take().and_then(|(connected, checked)| {
            if now.duration_since(checked) < TRUSTED {
                return Some((connected, checked));
            }
            place.is_current(&connected).then_some((connected, now))
        });
        if self.connected.is_none() {
            let connected = self.place.connect()?;
            connected
                .db
                .pragma_update(None, "query_only", "ON")
                .map_err(failure)?;
            self.connected = Some((connected, now));
        }
        let Some((connected, _)) = &self.connected else {
            return Err(Failure::closed());
        };
        let looked = work(&connected.db);
        if let Err(error) = &looked {
            self.place.note(error);
            self.connected = None;
        }
        looked.map_err(failure)
    }
}

type Job = Box<dyn FnOnce(&mut Reader) + Send>;

/// All that read one database.
pub(super) struct Readers {
    place: Arc<Place>,
    threads: Threads<Job>,
    idle: Mutex<Vec<Reader>>,
    lent: AtomicUsize,
    closed: AtomicBool,
}

impl Readers {
    pub(super) fn new(place: &Arc<Place>) -> Self {
        let of_threads = Arc::clone(place);
        let threads = Threads::new("larder-sqlite-r", place.options.readers, move |jobs| {
            let mut reader = Reader::new(&of_threads);
            while let crate::store::Popped::Job(job) = jobs.pop(None) {
                let job: Job = job;
                if unwinding(|| job(&mut reader)).is_none() {
                    reader.connected = None;
                }
            }
        });
        Self {
            place: Arc::clone(place),
            threads,
            idle: Mutex::new(Vec::new()),
            lent: AtomicUsize::new(0),
            closed: AtomicBool::new(false),
        }
    }

    /// A connection for the calling thread, if that thread may be held up and one is to be had.
    ///
    /// Handing a read to another thread and waiting for it costs more than the read. A caller that parks its thread until the answer comes loses nothing by reading
    /// itself, except that nobody can call it back when the disk hangs; so no more callers than there are reading threads do that at a time.
    pub(super) fn lend(&self) -> Option<Lent<'_>> {
        let inline = self.place.options.sync_reads == SyncReads::Inline && is_parking();
        if !inline || self.closed.load(Ordering::Acquire) {
            return None;
        }
        let most = self.place.options.readers;
        let lent = self
            .lent
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, |lent| {
                (lent < most).then_some(lent + 1)
            });
        lent.ok()?;
        let reader = self.idle.lock().pop();
        Some(Lent {
            reader: Some(reader.unwrap_or_else(|| Reader::new(&self.place))),
            readers: self,
        })
    }

    /// Looks at the database on one of the threads.
    pub(super) async fn look<T: Send + 'static>(
        &self,
        weight: usize,
        work: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, Failure> {
        let (promise, answer) = answer();
        let promise: Promise<Result<T, Failure>> = promise;
        let job: Job = Box::new(move |reader| {
            if promise.is_wanted() {
                promise.keep(reader.look(work));
            }
        });
        self.threads.push(job, weight).await?;
        answer.await.unwrap_or_else(|| Err(Failure::closed()))
    }

    pub(super) async fn close(&self) {
        self.closed.store(true, Ordering::Release);
        self.threads.close().await;
        let idle = std::mem::take(&mut *self.idle.lock());
        drop(idle);
    }
}

/// See [`Readers::lend`].
pub(super) struct Lent<'a> {
    reader: Option<Reader>,
    readers: &'a Readers,
}

impl Lent<'_> {
    pub(super) fn look<T>(
        mut self,
        work: impl FnOnce(&Connection) -> rusqlite::Result<T>,
    ) -> Result<T, Failure> {
        match &mut self.reader {
            Some(reader) => reader.look(work),
            None => Err(Failure::closed()),
        }
    }
}

impl Drop for Lent<'_> {
    fn drop(&mut self) {
        let reader = self
            .reader
            .take()
            .filter(|_| !self.readers.closed.load(Ordering::Acquire));
        self.readers.idle.lock().extend(reader);
        self.readers.lent.fetch_sub(1, Ordering::AcqRel);
    }
}
