//! The knobs of a rate limit are checked by the compiler, alone and together.

use larder::{Refused, rate_limit};

#[rate_limit(limit = 0, per = "1m")]
fn no_calls() -> Result<(), Refused> {
    Ok(())
}

#[rate_limit(limit = 10, per = "1m", window = "rolling")]
fn unknown_window() -> Result<(), Refused> {
    Ok(())
}

#[rate_limit(limit = 100_000, per = "1h")]
fn too_many_to_remember() -> Result<(), Refused> {
    Ok(())
}

#[rate_limit(limit = 10, per = "1m", ban = "forever")]
fn banned_for_ever() -> Result<(), Refused> {
    Ok(())
}

#[rate_limit(limit = 10, per = "1m", on_outage = "allow")]
fn unknown_outage() -> Result<(), Refused> {
    Ok(())
}

fn main() {}
