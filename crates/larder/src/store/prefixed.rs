//! TODO(prefixed)
