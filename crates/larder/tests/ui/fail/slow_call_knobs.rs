//! The knobs of a slow-call detector are checked by the compiler.

use larder::{Refused, slow_call};

#[slow_call]
fn for_how_long() -> Result<(), Refused> {
    Ok(())
}

#[slow_call(factor = 1, for = "1m")]
fn as_slow_as_usual() -> Result<(), Refused> {
    Ok(())
}

#[slow_call(factor = "twice", for = "1m")]
fn no_number() -> Result<(), Refused> {
    Ok(())
}

#[slow_call(window = 5000, for = "1m")]
fn too_many_to_remember() -> Result<(), Refused> {
    Ok(())
}

#[slow_call(for = "forever")]
fn for_ever() -> Result<(), Refused> {
    Ok(())
}

fn main() {}
