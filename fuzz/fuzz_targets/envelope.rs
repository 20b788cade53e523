//! An entry under each codec, which the first byte chooses; the second chooses the type. What is read is written and read again as the same.

#![no_main]

use larder::{Codec, Portable};
use larder_fuzz::{CODECS, KEY, Rich};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let [codec, of_type, entry @ ..] = bytes else {
        return;
    };
    let codec = &CODECS[usize::from(*codec) % CODECS.len()];
    match of_type % 4 {
        0 => read::<Rich>(codec, entry),
        1 => read::<Vec<()>>(codec, entry),
        2 => read::<u64>(codec, entry),
        _ => read::<String>(codec, entry),
    }
});

fn read<V: Portable + PartialEq + std::fmt::Debug>(codec: &Codec, entry: &[u8]) {
    let Ok(value) = codec.from_bytes::<V>(KEY, entry) else {
        return;
    };
    let again = match codec.to_bytes(KEY, value.clone()) {
        Ok(again) => again,
        Err(error) => {
            // Text of a number may be shorter than the number's own; nothing else may grow beyond the limit.
            assert_eq!(error.kind(), larder::ErrorKind::Encode);
            return;
        }
    };
    let back = codec
        .from_bytes::<V>(KEY, &again)
        .expect("what was just written");
    let same = back == value || format!("{back:?}") == format!("{value:?}");
    assert!(same, "another value came back");
}
