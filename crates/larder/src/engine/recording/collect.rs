//! A source read to its end at once, for a reload.

use super::Items;
use crate::engine::Shape;

/// Reads an iterator to its end, or to its first error.
///
/// # Errors
/// The first error among the items.
pub fn collected<S, R>(source: impl Iterator<Item = R>) -> Result<Items<S::Value>, S::Error>
where
    S: Shape<R>,
{
    source
        .map(S::split)
        .collect::<Result<_, _>>()
        .map(std::sync::Arc::new)
}

/// Reads a stream to its end, or to its first error.
///
/// # Errors
/// The first error among the items.
#[cfg(feature = "stream")]
pub async fn collected_stream<S, R>(
    source: impl futures_core::Stream<Item = R>,
) -> Result<Items<S::Value>, S::Error>
where
    S: Shape<R>,
{
    let mut source = std::pin::pin!(source);
    let mut items = Vec::new();
    while let Some(item) = std::future::poll_fn(|context| source.as_mut().poll_next(context)).await
    {
        items.push(S::split(item)?);
    }
    Ok(std::sync::Arc::new(items))
}
