//! Word of what others change: client tracking in broadcast mode, on the connection that does the operations.
//!
//! One connection for both, for two reasons. The server may leave out our own changes (`NOLOOP`), which it knows by the connection; Redis 7.0 does so for plain commands and still tells what our
//! scripts change, so there a value that was just stored is copied with the next read, not with the fill. And what it tells stands on the wire before every answer that
//! was made later, so the driver of the connection has told the sink before an operation resolves that could have seen the change.
//!
//! A version of a tag is made and prolonged by readers too, so it says nothing that its record changed; who forgets a tag touches a record of its own (`Kind::Forgotten`).
//!
//! Source: <https://redis.io/docs/latest/develop/reference/client-side-caching/>.

use std::fmt;
use std::sync::Arc;

use ::redis::{Cmd, PushInfo, PushKind, Value};
use parking_lot::Mutex;

use super::names::{self, Kind};
use crate::store::{Changed, Sink};

/// Who is told, and what is tracked.
pub(super) struct Tracking {
    prefix: String,
    sinks: Mutex<Arc<[Arc<dyn Sink>]>>,
}

impl fmt::Debug for Tracking {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tracking")
            .field("prefix", &self.prefix)
            .finish_non_exhaustive()
    }
}

impl Tracking {
    pub(super) fn new(prefix: &str) -> Arc<Self> {
        Arc::new(Self {
            prefix: prefix.to_owned(),
            sinks: Mutex::new(Arc::new([])),
        })
    }

    /// What begins the tracking on a connection.
    pub(super) fn command(&self) -> Cmd {
        let mut cmd = ::redis::cmd("CLIENT");
        cmd.arg("TRACKING").arg("ON").arg("BCAST").arg("NOLOOP");
        if !self.prefix.is_empty() {
            cmd.arg("PREFIX").arg(&self.prefix);
        }
        cmd
    }

    /// Word may have been lost before a connection began to track.
    pub(super) fn begin(&self) {
        self.tell(Changed::All);
    }

    /// What a connection had to tell is lost with it.
    pub(super) fn lost(&self) {
        self.tell(Changed::All);
    }

    pub(super) fn add(&self, sink: Arc<dyn Sink>) {
        let mut sinks = self.sinks.lock();
        *sinks = sinks.iter().cloned().chain([sink]).collect();
    }

    pub(super) fn clear(&self) {
        *self.sinks.lock() = Arc::new([]);
    }

    /// What the server said without being asked.
    pub(super) fn pushed(&self, push: &PushInfo) {
        match push.kind {
            PushKind::Disconnection => self.tell(Changed::All),
            PushKind::Invalidate => match push.data.as_slice() {
                [Value::Array(names)] => {
                    for name in names {
                        match name {
                            Value::BulkString(name) => self.touched(name),
                            _ => self.tell(Changed::All),
                        }
                    }
                }
                // Null: the whole database was flushed. What else may come means nothing good either.
                _ => self.tell(Changed::All),
            },
            _ => {}
        }
    }

    fn touched(&self, name: &[u8]) {
        match names::split(name) {
            None => {
                // A name that is no text is no entry of ours.
                if let Ok(key) = std::str::from_utf8(name) {
                    self.tell(Changed::Key(key));
                }
            }
            Some((tag, kind)) if kind == Kind::Forgotten.byte() => {
                if let Ok(tag) = std::str::from_utf8(tag) {
                    self.tell(Changed::Tag(tag));
                }
            }
            Some(_) => {}
        }
    }

    fn tell(&self, what: Changed<'_>) {
        let sinks = Arc::clone(&self.sinks.lock());
        for sink in sinks.iter() {
            sink.changed(what);
        }
    }
}
