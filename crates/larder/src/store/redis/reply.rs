//! Answers of the server as plain types; what cannot be right is an error.

use ::redis::Value;

use super::NAME;
use crate::error::{Error, Result};

/// An answer that does not fit the question.
pub(super) fn odd(operation: &'static str) -> Error {
    Error::store(operation, NAME, "the answer does not fit the question")
}

pub(super) fn list(operation: &'static str, value: Value) -> Result<Vec<Value>> {
    match value {
        Value::Array(items) => Ok(items),
        _ => Err(odd(operation)),
    }
}

pub(super) fn list_of(operation: &'static str, value: Value, length: usize) -> Result<Vec<Value>> {
    let items = list(operation, value)?;
    if items.len() == length {
        Ok(items)
    } else {
        Err(odd(operation))
    }
}

pub(super) fn bytes(operation: &'static str, value: Value) -> Result<Option<Vec<u8>>> {
    match value {
        Value::BulkString(bytes) => Ok(Some(bytes)),
        Value::Nil | Value::Boolean(false) => Ok(None),
        Value::SimpleString(text) => Ok(Some(text.into_bytes())),
        _ => Err(odd(operation)),
    }
}

pub(super) fn number(operation: &'static str, value: &Value) -> Result<i64> {
    match value {
        Value::Int(number) => Ok(*number),
        Value::BulkString(text) => std::str::from_utf8(text)
            .ok()
            .and_then(|text| text.parse().ok())
            .ok_or_else(|| odd(operation)),
        _ => Err(odd(operation)),
    }
}

pub(super) fn yes(operation: &'static str, value: &Value) -> Result<bool> {
    number(operation, value).map(|number| number != 0)
}

/// A version of a tag, or an epoch; 0 where there is none.
pub(super) fn version(operation: &'static str, value: Value) -> Result<u64> {
    let found = bytes(operation, value)?;
    Ok(found
        .and_then(|bytes| <[u8; 8]>::try_from(bytes).ok())
        .map_or(0, u64::from_be_bytes))
}
