//! The small languages of Larder: key templates, durations, percentages, sizes and glob patterns.
//!
//! The library reads them at run time, its macros at compile time; both do it here, so they cannot differ.

pub mod duration;
pub mod glob;
mod number;
pub mod percent;
pub mod size;
pub mod suggest;
pub mod template;

pub use template::SyntaxError;
