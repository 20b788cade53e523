//! A product catalogue as people run them: an HTTP service over SQL, cached where `LARDER_URL` says.

pub mod catalog;
pub mod client;
pub mod database;
pub mod http;
pub mod load;
