//! Values outside the process: two caches on one store behave as two processes would.
#![cfg(feature = "serde")]

mod attributes;
mod cancelled;
mod copies;
mod direct;
mod functions;
mod loading;
mod nodes;
mod nonsense;
mod removing;
mod shapes;
mod values;
