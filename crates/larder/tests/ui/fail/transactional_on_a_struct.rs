//! A transaction is around a function.

use larder::transactional;

#[transactional]
struct Booking;

fn main() {}
