//! Errors of the client as errors of a store.

use ::redis::{RedisError, ServerErrorKind};

use super::NAME;
use crate::error::{Error, ErrorKind};

pub(super) fn closed(operation: &'static str) -> Error {
    Error::new(ErrorKind::Closed, operation, "the store is closed")
}

/// The error of an operation.
pub(super) fn error_of(operation: &'static str, error: RedisError) -> Error {
    use ::redis::ErrorKind::{ClusterConnectionNotFound, Io, Server};
    use ServerErrorKind::{BusyLoading, ClusterDown, MasterDown, ReadOnly, TryAgain};
    match error.kind() {
        Io
        | ClusterConnectionNotFound
        | ::redis::ErrorKind::MasterNameNotFoundBySentinel
        | Server(BusyLoading | ClusterDown | MasterDown | ReadOnly | TryAgain) => {
            Error::unavailable(operation, NAME, error)
        }
        _ => Error::store(operation, NAME, error),
    }
}
