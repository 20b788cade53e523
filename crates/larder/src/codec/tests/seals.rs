//! What a seal covers, and what it does not.

use proptest::prelude::*;

use super::*;
use crate::store::Secret;

fn key(text: &str) -> SealKey {
    SealKey::new(Secret::new(text))
}

const SECRET: &str = "sixteen bytes or more";
const OTHER: &str = "another sixteen bytes";

pub(super) fn sealing() -> Vec<Codec> {
    let built = |builder: CodecBuilder| builder.build().expect("builds");
    vec![
        built(Codec::builder().sign(Signature::Blake3, key(SECRET))),
        built(Codec::builder().sign(Signature::HmacSha256, key(SECRET))),
        built(Codec::builder().encrypt(key(SECRET))),
    ]
}

fn read(codec: &Codec, key: &str, bytes: &[u8]) -> Result<User, Unreadable> {
    codec.from_bytes(key, bytes)
}

#[test]
fn sealed_values_come_back_and_tag_versions_may_change() {
    for codec in sealing() {
        let mut bytes = encoded(&codec, "key", user());
        assert_eq!(read(&codec, "key", &bytes), Ok(user()));
        assert!(Head::patch_versions(&mut bytes, &[1, 2]));
        assert_eq!(read(&codec, "key", &bytes), Ok(user()));
    }
}

#[test]
fn an_entry_is_of_its_key_alone() {
    for codec in sealing() {
        let bytes = encoded(&codec, "key", user());
        assert_eq!(read(&codec, "kez", &bytes), Err(Unreadable::BadSeal));
        assert_eq!(read(&codec, "", &bytes), Err(Unreadable::BadSeal));
    }
}

#[test]
fn nothing_goes_past_a_seal_that_is_due() {
    let plain = encoded(&Codec::default(), "key", user());
    for codec in sealing() {
        assert_eq!(read(&codec, "key", &plain), Err(Unreadable::Unsealed));
        assert_eq!(
            codec.from_bytes::<u64>("key", b"7"),
            Err(Unreadable::Unsealed),
            "nor does a number"
        );
        assert_eq!(
            codec.from_bytes::<u64>("key", b""),
            Err(Unreadable::Unsealed)
        );
        let sealed = encoded(&codec, "key", user());
        let read_plainly = read(&Codec::default(), "key", &sealed);
        assert_eq!(read_plainly, Err(Unreadable::OtherSeal));
    }
}

#[test]
fn the_algorithm_is_the_configured_one_and_never_the_one_that_the_entry_names() {
    let all = sealing();
    for (at, writer) in all.iter().enumerate() {
        for (other, reader) in all.iter().enumerate() {
            let mut bytes = encoded(writer, "key", user());
            if at != other {
                assert_eq!(read(reader, "key", &bytes), Err(Unreadable::OtherSeal));
            }
            bytes[8] = reader.seal.id();
            let found = read(reader, "key", &bytes);
            assert_eq!(found.is_ok(), at == other, "{found:?}");
        }
    }
}

#[test]
fn secrets_are_rotated_by_their_ids() {
    let before = Codec::builder().encrypt(key(OTHER).id("2025"));
    let before = before.build().expect("builds");
    let after = Codec::builder().encrypt(key(SECRET).id("2026"));
    let unaware = after.clone().build().expect("builds");
    let after = after
        .old_key(key(OTHER).id("2025"))
        .build()
        .expect("builds");
    let old = encoded(&before, "key", user());
    assert_eq!(read(&after, "key", &old), Ok(user()));
    assert_eq!(read(&unaware, "key", &old), Err(Unreadable::UnknownKey));
    let new = encoded(&after, "key", user());
    assert_eq!(read(&unaware, "key", &new), Ok(user()));
    assert_eq!(read(&before, "key", &new), Err(Unreadable::UnknownKey));
    let (head, _) = Head::parse(&new).expect("a head");
    assert_eq!(head.key_id, "2026");
    let impostor = Codec::builder().encrypt(key(OTHER).id("2026"));
    let impostor = impostor.build().expect("builds");
    assert_eq!(
        read(&impostor, "key", &new),
        Err(Unreadable::BadSeal),
        "a name is no secret"
    );
}

#[test]
fn a_secret_without_an_id_has_one_that_depends_on_it_alone() {
    let named = |secret| {
        let codec = Codec::builder()
            .sign(Signature::Blake3, key(secret))
            .build();
        codec.expect("builds").seal.key_id().to_owned()
    };
    assert_eq!(named(SECRET), named(SECRET));
    assert_ne!(named(SECRET), named(OTHER));
    assert_eq!(named(SECRET).len(), 8);
}

#[test]
fn secrets_that_are_short_or_share_a_name_are_refused_and_none_is_shown() {
    let short = Codec::builder().encrypt(key("fifteen bytes..")).build();
    let error = short.expect_err("too short");
    assert_eq!(error.kind(), ErrorKind::Config);
    assert!(!error.to_string().contains("fifteen"), "{error}");
    let twice = Codec::builder()
        .encrypt(key(SECRET).id("a"))
        .old_key(key(OTHER).id("a"));
    assert_eq!(
        twice.build().expect_err("one name").kind(),
        ErrorKind::Config
    );
    let both = Codec::builder()
        .encrypt(key(SECRET))
        .sign(Signature::Blake3, key(SECRET));
    let shown = format!("{both:?}");
    assert!(!shown.contains(SECRET), "{shown}");
    assert_eq!(both.build().expect_err("both").kind(), ErrorKind::Config);
    let orphan = Codec::builder().old_key(key(SECRET)).build();
    assert_eq!(orphan.expect_err("alone").kind(), ErrorKind::Config);
    for codec in sealing() {
        let shown = format!("{codec:?}");
        assert!(
            !shown.contains(SECRET) && !shown.contains("bytes"),
            "{shown}"
        );
    }
}

#[test]
fn what_is_encrypted_is_not_to_be_read_and_never_the_same_twice() {
    let codec = &sealing()[2];
    let first = encoded(codec, "key", user());
    let second = encoded(codec, "key", user());
    assert_ne!(first, second, "another nonce");
    assert!(!first.windows(3).any(|window| window == b"Ada"));
}

/// Where the versions of the two tags of [`stamps`] stand.
fn is_version(at: usize) -> bool {
    let (first, second) = (68 + 2 + 5, 68 + 2 + 5 + 8 + 2 + 8);
    (first..first + 8).contains(&at) || (second..second + 8).contains(&at)
}

#[test]
fn every_changed_bit_breaks_a_seal_except_in_the_versions_of_tags() {
    for codec in sealing() {
        let bytes = encoded(&codec, "key", user());
        for at in 0..bytes.len() {
            for bit in 0..8 {
                let mut changed = bytes.clone();
                changed[at] ^= 1 << bit;
                let found = read(&codec, "key", &changed);
                match is_version(at) {
                    true => assert_eq!(found, Ok(user()), "byte {at}"),
                    false => assert!(found.is_err(), "byte {at}, bit {bit}: {found:?}"),
                }
            }
        }
    }
}

#[test]
fn every_truncation_and_every_addition_is_unreadable() {
    for codec in sealing().into_iter().chain([Codec::default()]) {
        let bytes = encoded(&codec, "key", user());
        for length in 0..bytes.len() {
            assert!(read(&codec, "key", &bytes[..length]).is_err(), "{length}");
        }
        let longer = [&bytes[..], b"\0"].concat();
        assert!(read(&codec, "key", &longer).is_err());
    }
}

proptest! {
    #[test]
    fn splicing_two_sealed_entries_gives_neither(cut in 0_usize..200, which in 0_usize..3) {
        let codec = &sealing()[which];
        let one = encoded(codec, "key", user());
        let other = encoded(codec, "key", User { id: 8, ..user() });
        let cut = cut.min(one.len());
        let spliced = [&one[..cut], &other[cut..]].concat();
        let found = read(codec, "key", &spliced);
        prop_assert!(found.is_err() || spliced == one || spliced == other);
    }
}
