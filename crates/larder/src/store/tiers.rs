//! TODO(tiers)
