//! Bytes that nobody wrote, and values of every kind.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::store::Secret;

/// Every format with every compression and every seal.
pub(super) fn all() -> Vec<(String, Codec)> {
    let key = || SealKey::new(Secret::new("the secret of the tests")).id("test");
    let mut all = Vec::new();
    for format in [Format::MessagePack, Format::Json, Format::Postcard] {
        for compression in [
            Compression::None,
            Compression::Zstd,
            Compression::Lz4,
            Compression::Gzip,
        ] {
            let plain = || {
                let builder = Codec::builder().format(format).compress(compression);
                match compression {
                    Compression::None => builder,
                    _ => builder.compress_above(1),
                }
            };
            let sealed = [
                ("unsealed", plain()),
                ("blake3", plain().sign(Signature::Blake3, key())),
                ("hmac-sha256", plain().sign(Signature::HmacSha256, key())),
                ("xchacha20-poly1305", plain().encrypt(key())),
            ];
            all.extend(sealed.map(|(seal, builder)| {
                let name = format!("{format:?} {compression:?} {seal}");
                (name, builder.build().expect("builds"))
            }));
        }
    }
    let plain = Codec::builder().format(Format::Plain).build();
    all.push(("Plain".to_owned(), plain.expect("builds")));
    all
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
enum Any {
    Unit,
    Number(i64),
    Large(u128),
    Real(f64),
    Text(String),
    Bytes(Vec<u8>),
    Maybe(Option<Box<Any>>),
    List(Vec<Any>),
    Named {
        by: BTreeMap<String, Any>,
        letter: char,
    },
}

fn any() -> impl Strategy<Value = Any> {
    let leaf = prop_oneof![
        Just(Any::Unit),
        proptest::num::i64::ANY.prop_map(Any::Number),
        proptest::num::u128::ANY.prop_map(Any::Large),
        proptest::num::f64::NORMAL.prop_map(Any::Real),
        ".{0,40}".prop_map(Any::Text),
        proptest::collection::vec(proptest::num::u8::ANY, 0..200).prop_map(Any::Bytes),
    ];
    leaf.prop_recursive(4, 40, 6, |inner| {
        prop_oneof![
            proptest::option::of(inner.clone().prop_map(Box::new)).prop_map(Any::Maybe),
            proptest::collection::vec(inner.clone(), 0..6).prop_map(Any::List),
            (
                proptest::collection::btree_map(".{0,8}", inner, 0..4),
                any_char()
            )
                .prop_map(|(by, letter)| Any::Named { by, letter }),
        ]
    })
}

fn any_char() -> impl Strategy<Value = char> {
    proptest::char::any()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn every_value_comes_back_under_every_codec(value in any()) {
        for (name, codec) in all() {
            let bytes = encoded(&codec, "key", value.clone());
            prop_assert_eq!(codec.from_bytes::<Any>("key", &bytes), Ok(value.clone()), "{}", name);
        }
    }

    #[test]
    fn random_bytes_are_unreadable_and_no_panic(bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..300)) {
        for (_, codec) in all() {
            let _ = codec.from_bytes::<Any>("key", &bytes);
            let _ = codec.from_bytes::<Vec<()>>("key", &bytes);
        }
    }

    #[test]
    fn a_body_of_random_bytes_under_a_true_head_is_no_panic(
        body in proptest::collection::vec(proptest::num::u8::ANY, 0..300),
        compressed in proptest::bool::ANY,
    ) {
        for (_, codec) in all().into_iter().filter(|(_, codec)| codec.seal.id() == 0 && codec.has_envelope()) {
            let mut bytes = encoded(&codec, "key", Any::Unit);
            let (_, length) = Head::parse(&bytes).expect("a head");
            bytes.truncate(length);
            bytes[length - 4..].copy_from_slice(&(body.len() as u32).to_be_bytes());
            bytes.extend(&body);
            Head::set_compression(&mut bytes, if compressed { codec.compressing.how.id() } else { 0 });
            let _ = codec.from_bytes::<Any>("key", &bytes);
        }
    }

    #[test]
    fn a_changed_byte_is_unreadable_or_a_value_and_no_panic(at in 0_usize..4_000, to in proptest::num::u8::ANY, value in any()) {
        for (_, codec) in all() {
            let mut bytes = encoded(&codec, "key", value.clone());
            let at = at % bytes.len();
            bytes[at] = to;
            let _ = codec.from_bytes::<Any>("key", &bytes);
        }
    }
}

#[test]
fn every_truncation_is_unreadable_under_every_codec_with_an_envelope() {
    for (name, codec) in all().into_iter().filter(|(_, codec)| codec.has_envelope()) {
        // A number in JSON ends nowhere by itself.
        let bytes = encoded(&codec, "key", 123_456_u64);
        for length in 0..bytes.len() {
            let found = codec.from_bytes::<u64>("key", &bytes[..length]);
            assert!(found.is_err(), "{name}, {length} bytes: {found:?}");
        }
    }
}

/// `bytes` as the body of an entry that is otherwise true.
fn forged<V: Cacheable + Serialize + DeserializeOwned>(
    codec: &Codec,
    value: V,
    compression: u8,
    body: &[u8],
) -> Vec<u8> {
    let mut bytes = encoded(codec, "key", value);
    let (_, length) = Head::parse(&bytes).expect("a head");
    bytes.truncate(length);
    bytes[length - 4..].copy_from_slice(&(body.len() as u32).to_be_bytes());
    Head::set_compression(&mut bytes, compression);
    bytes.extend(body);
    bytes
}

#[test]
fn a_small_entry_that_claims_or_holds_much_is_too_large() {
    const LIMIT: usize = 1 << 16;
    let zeros = vec![0_u8; LIMIT * 64];
    for compression in [Compression::Zstd, Compression::Lz4, Compression::Gzip] {
        let builder = Codec::builder().compress(compression).compress_above(1);
        let codec = builder.max_size(LIMIT).build().expect("builds");
        let (kind, kept) = Value::new(String::from_utf8(zeros.clone()).expect("zeros are text"));
        let refused = codec.encode(
            "key",
            &Wire::of::<String>(),
            (kind, &kept),
            Stamps::default(),
        );
        assert_eq!(refused.expect_err("too large").kind(), ErrorKind::Encode);
        let bomb = codec.compressing.compress(&zeros).expect("zeros shrink");
        assert!(bomb.len() < zeros.len() / 200, "{}", bomb.len());
        let bytes = forged(&codec, String::new(), compression.id(), &bomb);
        assert_eq!(
            codec.from_bytes::<String>("key", &bytes),
            Err(Unreadable::TooLarge),
            "{compression:?}"
        );
    }
}

#[test]
fn a_zstd_frame_that_does_not_say_its_size_is_bounded_too() {
    use std::io::Write;
    const LIMIT: usize = 1 << 20;
    let codec = Codec::builder()
        .compress(Compression::Zstd)
        .max_size(LIMIT)
        .build()
        .expect("builds");
    let frame = |length: usize| {
        let mut encoder = zstd::stream::write::Encoder::new(Vec::new(), 3).expect("an encoder");
        encoder
            .write_all(&vec![b'x'; length])
            .expect("a vector takes all");
        encoder.finish().expect("ends")
    };
    let inflated = codec.compressing.decompress(&frame(300_000), LIMIT);
    assert_eq!(inflated.map(|bytes| bytes.len()), Ok(300_000));
    let inflated = codec.compressing.decompress(&frame(LIMIT), LIMIT);
    assert_eq!(inflated.map(|bytes| bytes.len()), Ok(LIMIT));
    let inflated = codec.compressing.decompress(&frame(LIMIT + 1), LIMIT);
    assert_eq!(inflated, Err(Unreadable::TooLarge));
}

#[test]
fn an_entry_that_nests_without_end_is_broken_and_takes_no_stack() {
    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
    enum Chain {
        End,
        Link(Box<Chain>),
    }
    let deep = 1 << 20;
    let bodies = [
        (Format::MessagePack, b"\x81\xA4Link".repeat(deep)),
        (Format::Json, b"{\"Link\":".repeat(deep)),
        (Format::Postcard, b"\x01".repeat(deep)),
    ];
    for (format, body) in bodies {
        let codec = Codec::builder().format(format).build().expect("builds");
        let bytes = forged(&codec, Chain::End, 0, &body);
        assert_eq!(
            codec.from_bytes::<Chain>("key", &bytes),
            Err(Unreadable::Broken)
        );
        let mut chain = Chain::End;
        for _ in 0..50 {
            chain = Chain::Link(Box::new(chain));
        }
        round(&codec, chain);
    }
}

#[test]
fn elements_that_take_no_bytes_are_counted() {
    let codec = Codec::builder()
        .format(Format::Postcard)
        .build()
        .expect("builds");
    round(&codec, vec![(); 1_000]);
    let endless = [0xFF; 9].into_iter().chain([1]).collect::<Vec<u8>>();
    let bytes = forged(&codec, vec![()], 0, &endless);
    assert_eq!(
        codec.from_bytes::<Vec<()>>("key", &bytes),
        Err(Unreadable::Broken)
    );
}

#[test]
fn many_small_elements_in_many_wrappers_come_back() {
    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
    struct Inner(u8);
    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
    struct Wrapper {
        only: ((Inner,),),
        nothing: (),
    }
    let one = Wrapper {
        only: ((Inner(7),),),
        nothing: (),
    };
    for codec in formats() {
        round(&codec, vec![one.clone(); 100_000]);
    }
}

#[test]
fn more_than_a_value_is_broken() {
    for codec in formats() {
        let (kind, kept) = Value::new(user());
        let bytes = codec
            .encode("key", &Wire::of::<User>(), (kind, &kept), Stamps::default())
            .expect("encodes");
        let start = Head::parse(&bytes).map_or(0, |(_, length)| length);
        let body = [&bytes[start..], &bytes[start..]].concat();
        let bytes = match codec.has_envelope() {
            true => forged(&codec, user(), 0, &body),
            false => body,
        };
        assert_eq!(
            codec.from_bytes::<User>("key", &bytes),
            Err(Unreadable::Broken)
        );
    }
}

#[test]
fn what_cannot_be_read_says_why() {
    let codec = Codec::default();
    let read = |bytes: &[u8]| codec.from_bytes::<u64>("key", bytes);
    let bytes = encoded(&codec, "key", 7_u64);
    assert_eq!(read(b""), Err(Unreadable::Foreign));
    assert_eq!(read(b"<html>"), Err(Unreadable::Foreign));
    assert_eq!(read(b"{\"a\":1}"), Err(Unreadable::Foreign));
    assert_eq!(read(b"\xC1"), Err(Unreadable::Truncated));
    assert_eq!(read(&bytes[..70]), Err(Unreadable::Truncated));
    assert_eq!(read(&bytes[..bytes.len() - 1]), Err(Unreadable::Truncated));
    let mut later = bytes.clone();
    later[1] = 2;
    assert_eq!(read(&later), Err(Unreadable::OtherVersion));
    let mut broken = bytes.clone();
    broken[9] = 1;
    assert_eq!(read(&broken), Err(Unreadable::Broken));
    let json = Codec::builder()
        .format(Format::Json)
        .build()
        .expect("builds");
    assert_eq!(
        json.from_bytes::<u64>("key", &bytes),
        Err(Unreadable::OtherFormat)
    );
    let plain = Codec::builder()
        .format(Format::Plain)
        .build()
        .expect("builds");
    assert_eq!(
        plain.from_bytes::<u64>("key", &bytes),
        Err(Unreadable::OtherFormat)
    );
    let lz4 = Codec::builder()
        .compress(Compression::Lz4)
        .build()
        .expect("builds");
    let long = encoded(&lz4, "key", "a".repeat(4_000));
    assert_eq!(
        lz4.from_bytes::<String>("key", &long)
            .map(|text| text.len()),
        Ok(4_000)
    );
    assert_eq!(
        codec.from_bytes::<String>("key", &long),
        Err(Unreadable::OtherCompression)
    );
    assert_eq!(
        lz4.from_bytes::<u64>("key", &bytes),
        Ok(7),
        "what is not compressed is always read"
    );
    let tight = Codec::builder().max_size(3).build().expect("builds");
    let text = encoded(&codec, "key", "text".to_owned());
    assert_eq!(
        tight.from_bytes::<String>("key", &text),
        Err(Unreadable::TooLarge)
    );
}

#[test]
fn bodies_are_compressed_from_the_threshold_on_and_only_if_they_shrink() {
    let codec = Codec::builder()
        .compress(Compression::Zstd)
        .build()
        .expect("builds");
    let compression = |text: String| encoded(&codec, "key", text)[7];
    assert_eq!(
        compression("a".repeat(1_000)),
        0,
        "below 1 KiB with its head"
    );
    assert_eq!(compression("a".repeat(1_100)), 1);
    let mut noise = Vec::new();
    let mut state = 7_u64;
    for _ in 0..2_000 {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        noise.push((state >> 33) as u8);
    }
    let codec = Codec::builder()
        .format(Format::Postcard)
        .compress(Compression::Zstd)
        .build()
        .expect("builds");
    assert_eq!(encoded(&codec, "key", noise.clone())[7], 0);
    round(&codec, noise);
}

#[test]
fn counters_are_read_as_any_integer_that_has_room() {
    for codec in formats() {
        let read = |bytes: &[u8]| codec.from_bytes::<i64>("key", bytes);
        assert_eq!(read(b"7"), Ok(7));
        assert_eq!(read(b"-9223372036854775808"), Ok(i64::MIN));
        assert_eq!(codec.from_bytes::<u8>("key", b"255"), Ok(255));
        assert_eq!(codec.from_bytes::<u128>("key", b"1"), Ok(1));
        assert_eq!(codec.from_bytes::<Option<u16>>("key", b"0"), Ok(Some(0)));
        assert_eq!(
            codec.from_bytes::<u8>("key", b"256"),
            Err(Unreadable::OtherType)
        );
        assert_eq!(
            codec.from_bytes::<u64>("key", b"-1"),
            Err(Unreadable::OtherType)
        );
        assert_eq!(
            codec.from_bytes::<String>("key", b"7"),
            Err(Unreadable::OtherType)
        );
        for no_counter in [
            "",
            "-",
            "-0",
            "007",
            "+7",
            "9223372036854775808x",
            "99999999999999999999",
        ] {
            assert!(read(no_counter.as_bytes()).is_err(), "{no_counter}");
        }
    }
}

#[test]
fn plain_entries_are_json_and_nothing_else() {
    let codec = Codec::builder()
        .format(Format::Plain)
        .build()
        .expect("builds");
    let bytes = encoded(&codec, "key", user());
    let json: serde_json::Value = serde_json::from_slice(&bytes).expect("JSON");
    assert_eq!(json["name"], "Ada");
    let by_others = br#"{"name": "Ada", "id": 7, "roles": [], "since": 1815}"#;
    assert_eq!(
        codec
            .from_bytes::<User>("key", by_others)
            .map(|user| user.id),
        Ok(7)
    );
    let (kind, kept) = Value::new(7_u64);
    let tagged = codec.encode("key", &Wire::of::<u64>(), (kind, &kept), stamps());
    assert_eq!(
        tagged.expect_err("nowhere to put tags").kind(),
        ErrorKind::Encode
    );
}
