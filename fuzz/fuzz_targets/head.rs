//! A head: what is read is written back as the same bytes, and changing versions changes nothing else.

#![no_main]

use larder::store::Head;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Some((head, length)) = Head::parse(bytes) else {
        let mut copy = bytes.to_vec();
        assert!(!Head::patch_versions(&mut copy, &[]));
        assert_eq!(copy, bytes);
        return;
    };
    assert_eq!(head.to_bytes(), bytes[..length]);
    let versions: Vec<u64> = (0..head.tags().len() as u64).map(|at| !at).collect();
    let mut patched = bytes.to_vec();
    assert!(Head::patch_versions(&mut patched, &versions));
    let (after, _) = Head::parse(&patched).expect("a patched head is a head");
    assert!(after.tags().iter().map(|tag| tag.version).eq(versions));
    let before: Vec<u64> = head.tags().iter().map(|tag| tag.version).collect();
    assert!(Head::patch_versions(&mut patched, &before));
    assert_eq!(patched, bytes, "nothing but the versions changed");
});
