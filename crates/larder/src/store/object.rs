//! TODO(object)
