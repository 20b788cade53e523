//! The few requests that everything is made of, with errors of our kind.

use std::error::Error as _;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::SystemTime;

use bytes::Bytes;
use futures_util::{StreamExt, TryStreamExt, stream};
use object_store::client::{HttpError, HttpErrorKind};
use object_store::list::{PaginatedListOptions, PaginatedListStore};
use object_store::path::Path;
use object_store::{
    Error as Fault, GetOptions, GetRange, ObjectMeta, ObjectStore, ObjectStoreExt, PutMode,
    PutOptions, UpdateVersion,
};

use super::frame::{FIXED, Note, Object};
use super::http::{Answered, Connector, Trouble};
use crate::error::{Error, ErrorKind, Result};

/// How many requests one operation makes at once; over all operations `in_flight` holds.
const WIDTH: usize = 64;
/// The longest message of a server that is passed on.
const MESSAGE: usize = 400;

/// One of the three clouds.
pub(super) trait Cloud: ObjectStore + PaginatedListStore {}
impl<T: ObjectStore + PaginatedListStore> Cloud for T {}

/// A bucket.
pub(super) struct Wire {
    pub(super) name: &'static str,
    pub(super) cloud: Arc<dyn Cloud>,
    pub(super) connector: Connector,
    /// The largest entry.
    pub(super) max: u64,
    /// A listing by prefix leaves out the object whose name is the prefix: `object_store` does so for Azure, where it may be a directory.
    pub(super) hides_prefix: bool,
    pub(super) closed: AtomicBool,
}

/// An object, or its beginning.
#[derive(Debug)]
pub(super) struct Got {
    pub(super) bytes: Bytes,
    pub(super) note: Option<Note>,
    pub(super) version: UpdateVersion,
    pub(super) size: u64,
    /// Both by the server's clock, in milliseconds, and true to a second.
    pub(super) written: u64,
    pub(super) answered: u64,
}

/// What of an object is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    All,
    /// Metadata only.
    Note,
    /// Enough for any key of this length.
    Frame,
}

/// When an object is put.
#[derive(Clone, Debug)]
pub(super) enum Mode {
    Always,
    /// When there is none.
    Create,
    /// When it is still this one.
    Update(UpdateVersion),
}

/// What became of a conditional put.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Put {
    Done,
    Refused,
}

/// What became of a put, with the version that it made.
pub(super) type Putting = (Put, Option<UpdateVersion>);

impl Wire {
    pub(super) async fn get(
        &self,
        operation: &'static str,
        path: &Path,
        part: Part,
    ) -> Result<Option<Got>> {
        self.check(operation)?;
        let options = GetOptions {
            head: part == Part::Note,
            range: (part == Part::Frame).then_some(GetRange::Bounded(0..FIXED as u64 + 65_536)),
            ..GetOptions::default()
        };
        let result = match self.cloud.get_opts(path, options).await {
            Ok(result) => result,
            Err(Fault::NotFound { .. }) => return Ok(None),
            Err(fault) => return Err(self.error(operation, &fault)),
        };
        let meta = result.meta.clone();
        let note = Note::of(&result.attributes);
        let answered = result.extensions.get::<Answered>().map(|Answered(at)| *at);
        let bytes = match part {
            Part::Note => Bytes::new(),
            Part::All | Part::Frame => {
                let bytes = result.bytes().await;
                bytes.map_err(|fault| self.error(operation, &fault))?
            }
        };
        if part == Part::All && bytes.len() as u64 != meta.size {
            return Ok(None);
        }
        Ok(Some(Got {
            bytes,
            note,
            size: meta.size,
            written: u64::try_from(meta.last_modified.timestamp_millis()).unwrap_or(0),
            answered: millis(answered.unwrap_or_else(SystemTime::now)),
            version: UpdateVersion {
                e_tag: meta.e_tag,
                version: meta.version,
            },
        }))
    }

    pub(super) async fn put(
        &self,
        operation: &'static str,
        path: &Path,
        object: Object,
        mode: Mode,
    ) -> Result<Putting> {
        self.check(operation)?;
        let conditional = !matches!(mode, Mode::Always);
        let options = PutOptions {
            attributes: object.attributes,
            mode: match mode {
                Mode::Always => PutMode::Overwrite,
                Mode::Create => PutMode::Create,
                Mode::Update(version) => PutMode::Update(version),
            },
            ..PutOptions::default()
        };
        match self.cloud.put_opts(path, object.payload, options).await {
            Ok(put) => {
                let version = UpdateVersion {
                    e_tag: put.e_tag,
                    version: put.version,
                };
                Ok((Put::Done, Some(version)))
            }
            Err(Fault::AlreadyExists { .. } | Fault::Precondition { .. }) if conditional => {
                Ok((Put::Refused, None))
            }
            // Of an object that is not there the servers differ in what they say.
            Err(fault @ Fault::NotFound { .. }) if conditional && trouble(&fault).is_none() => {
                Ok((Put::Refused, None))
            }
            Err(fault) => Err(self.error(operation, &fault)),
        }
    }

    /// Deletes objects; those that are not there are no error.
    pub(super) async fn delete(&self, operation: &'static str, paths: Vec<Path>) -> Result<()> {
        self.check(operation)?;
        let mut outcomes = if let [path] = &paths[..] {
            let outcome = self.cloud.delete(path).await.map(|()| path.clone());
            stream::iter([outcome]).boxed()
        } else {
            let paths = stream::iter(paths.into_iter().map(Ok)).boxed();
            self.cloud.delete_stream(paths)
        };
        let mut first = None;
        while let Some(outcome) = outcomes.next().await {
            match outcome {
                Ok(_) => {}
                Err(fault @ Fault::NotFound { .. }) if trouble(&fault).is_none() => {}
                Err(fault) => first = first.or_else(|| Some(self.error(operation, &fault))),
            }
        }
        first.map_or(Ok(()), Err)
    }

    /// A page of names that begin so, and where the next begins.
    pub(super) async fn page(
        &self,
        operation: &'static str,
        prefix: &str,
        token: Option<String>,
        limit: usize,
    ) -> Result<(Vec<ObjectMeta>, Option<String>)> {
        self.check(operation)?;
        let options = PaginatedListOptions {
            max_keys: Some(limit.clamp(1, 1_000)),
            page_token: token,
            ..PaginatedListOptions::default()
        };
        let page = self.cloud.list_paginated(Some(prefix), options).await;
        let page = page.map_err(|fault| self.error(operation, &fault))?;
        Ok((page.result.objects, page.page_token))
    }

    /// An error of ours for one of theirs.
    pub(super) fn error(&self, operation: &'static str, fault: &Fault) -> Error {
        let message = message(fault);
        match trouble(fault) {
            Some(Trouble::Closed) => return closed(operation, self.name),
            Some(Trouble::Busy(..)) => return Error::unavailable(operation, self.name, message),
            Some(Trouble::Unknown(_)) => return Error::unsupported(operation, self.name, &message),
            Some(Trouble::NoBucket | Trouble::TooLarge) => {
                return Error::store(operation, self.name, message);
            }
            None => {}
        }
        let http = chain(fault).find_map(|e| e.downcast_ref::<HttpError>());
        let unreachable = http.is_some_and(|http| http.kind() != HttpErrorKind::Decode);
        if unreachable {
            Error::unavailable(operation, self.name, message)
        } else {
            Error::store(operation, self.name, message)
        }
    }

    fn check(&self, operation: &'static str) -> Result<()> {
        if self.closed.load(Ordering::Acquire) {
            return Err(closed(operation, self.name));
        }
        Ok(())
    }
}

impl fmt::Debug for Wire {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Wire").field("name", &self.name).finish()
    }
}

/// Runs some at a time and keeps their order.
pub(super) async fn each<T, F>(futures: Vec<F>) -> Result<Vec<T>>
where
    F: Future<Output = Result<T>>,
{
    stream::iter(futures).buffered(WIDTH).try_collect().await
}

pub(super) fn millis(at: SystemTime) -> u64 {
    let since = at.duration_since(SystemTime::UNIX_EPOCH);
    since.map_or(0, |since| {
        u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
    })
}

fn closed(operation: &'static str, name: &str) -> Error {
    Error::new(ErrorKind::Closed, operation, format!("{name} is closed"))
}

fn trouble(fault: &Fault) -> Option<&Trouble> {
    chain(fault).find_map(|e| e.downcast_ref::<Trouble>())
}

fn chain<'a>(fault: &'a Fault) -> impl Iterator<Item = &'a (dyn std::error::Error + 'static)> {
    let first: &'a (dyn std::error::Error + 'static) = fault;
    std::iter::successors(
        Some(first),
        |error: &&'a (dyn std::error::Error + 'static)| (*error).source(),
    )
}

/// The innermost reason: what is around it repeats it, with URLs.
fn message(fault: &Fault) -> String {
    let whole = match trouble(fault) {
        Some(trouble) => trouble.to_string(),
        None => match chain(fault).find_map(|e| e.downcast_ref::<HttpError>()) {
            Some(http) => chain_text(http),
            None => fault.to_string(),
        },
    };
    let end = (0..=whole.len().min(MESSAGE))
        .rev()
        .find(|at| whole.is_char_boundary(*at));
    whole[..end.unwrap_or(0)].to_owned()
}

fn chain_text(error: &HttpError) -> String {
    let mut text = error.to_string();
    let mut inner = error.source().and_then(std::error::Error::source);
    while let Some(error) = inner {
        text = format!("{text}: {error}");
        inner = error.source();
    }
    text
}
