//! What every store and every wrapper of stores must do, as functions that a test calls.
