//! TODO(sqlite)
