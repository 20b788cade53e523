//! TODO(file)
