//! A knob that is misspelled, and a keyword that is no knob.

use larder::{Refused, slow_call};

#[slow_call(facter = 3, for = "1m")]
fn misspelled() -> Result<(), Refused> {
    Ok(())
}

#[slow_call(while = "1m")]
fn keyword() -> Result<(), Refused> {
    Ok(())
}

fn main() {}
