//! Examples of Larder.
