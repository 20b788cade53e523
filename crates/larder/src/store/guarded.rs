//! TODO(guarded)
