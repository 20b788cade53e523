//! What SQLite's errors mean for a caller.

use rusqlite::ErrorCode;

use super::place::BROKEN;
use crate::error::ErrorKind;
use crate::store::Failure;

/// See the [result codes](https://sqlite.org/rescode.html).
pub(super) fn failure(error: rusqlite::Error) -> Failure {
    let kind = match error.sqlite_error_code() {
        Some(ErrorCode::TooBig) => ErrorKind::Encode,
        // Nobody answered, and later somebody may.
        Some(
            ErrorCode::DatabaseBusy
            | ErrorCode::DatabaseLocked
            | ErrorCode::CannotOpen
            | ErrorCode::SystemIoFailure
            | ErrorCode::FileLockingProtocolFailed
            | ErrorCode::OperationInterrupted,
        ) => ErrorKind::Unavailable,
        _ => ErrorKind::Store,
    };
    match is_corruption(&error) {
        true => Failure::new(kind, format!("{BROKEN}: {error}")),
        false => Failure::new(kind, error.to_string()),
    }
}

pub(super) fn is_corruption(error: &rusqlite::Error) -> bool {
    matches!(
        error.sqlite_error_code(),
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase)
    )
}

pub(super) fn is_busy(error: &rusqlite::Error) -> bool {
    matches!(
        error.sqlite_error_code(),
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked)
    )
}
