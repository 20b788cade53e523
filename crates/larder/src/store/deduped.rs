//! TODO(deduped)
