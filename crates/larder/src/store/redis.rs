//! TODO(redis)
