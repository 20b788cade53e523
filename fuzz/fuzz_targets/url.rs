//! A URL: taken apart without a crash, its parameters read as whatever they are not, and nothing of its secrets shown.

#![no_main]

use larder::Codec;
use larder::store::Address;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let Ok(mut address) = Address::parse(text) else {
        return;
    };
    let shown = format!("{address:?}");
    assert!(shown.starts_with(address.scheme()));
    if let Some(password) = address.password() {
        assert_eq!(format!("{password:?}"), "Secret(..)");
    }
    let _ = (
        address.user(),
        address.place(),
        address.path(),
        address.hosts(6379),
    );
    // Not those that read files and variables: what is there is none of the fuzzer's business.
    for name in ["size", "weight", "limit"] {
        let _ = (
            address.bytes(name),
            address.number(name),
            address.flag(name),
        );
    }
    let _ = (address.span("timeout"), address.word("mode", &["a", "b"]));
    if !text.contains("_key") && !text.contains("old%") && !text.contains('%') {
        let _ = Codec::from_address(&mut address);
    }
    let _ = address.finish();
});
