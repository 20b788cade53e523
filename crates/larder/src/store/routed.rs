//! TODO(routed)
