//! What needs the private side: values as they are kept, and heads.

use std::fmt;
use std::sync::Arc;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::*;
use crate::entry::Cacheable;

#[cfg(all(
    feature = "json",
    feature = "postcard",
    feature = "zstd",
    feature = "lz4",
    feature = "gzip",
    feature = "sign",
    feature = "encrypt"
))]
mod golden;
#[cfg(all(
    feature = "json",
    feature = "postcard",
    feature = "zstd",
    feature = "lz4",
    feature = "gzip",
    feature = "sign",
    feature = "encrypt"
))]
mod hostile;
#[cfg(all(feature = "sign", feature = "encrypt"))]
mod seals;
#[cfg(all(feature = "json", feature = "postcard"))]
mod shapes;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct User {
    id: u64,
    name: String,
    roles: Vec<Role>,
    email: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
enum Role {
    Reader,
    Writer(u32),
    Owner { of: String },
}

fn user() -> User {
    User {
        id: 7,
        name: "Ada".into(),
        roles: vec![
            Role::Reader,
            Role::Writer(3),
            Role::Owner { of: "acme".into() },
        ],
        email: None,
    }
}

fn stamps() -> Stamps {
    let tag = |name: &str, version| Tag {
        name: name.to_owned(),
        version,
    };
    Stamps {
        written: 1,
        refresh_at: 2,
        stale_until: 3,
        keep_until: 4,
        hits: 5,
        refresh_hits: 6,
        cost: 7,
        tags: vec![tag("users", 0xDEAD), tag("org:acme", 0xBEEF)],
    }
}

fn encoded<V>(codec: &Codec, key: &str, value: V) -> Vec<u8>
where
    V: Cacheable + Serialize + DeserializeOwned,
{
    let (kind, kept) = Value::new(value);
    let stamps = match codec.has_envelope() {
        true => stamps(),
        false => Stamps::default(),
    };
    codec
        .encode(key, &Wire::of::<V>(), (kind, &kept), stamps)
        .expect("encodes")
}

fn round<V>(codec: &Codec, value: V)
where
    V: Cacheable + Serialize + DeserializeOwned + PartialEq + fmt::Debug,
{
    let bytes = encoded(codec, "key", value.clone());
    let back = codec.from_bytes::<V>("key", &bytes);
    assert_eq!(back, Ok(value), "under {codec:?}");
}

/// One of each format that there is.
fn formats() -> Vec<Codec> {
    let formats = [
        Format::MessagePack,
        #[cfg(feature = "json")]
        Format::Json,
        #[cfg(feature = "postcard")]
        Format::Postcard,
        #[cfg(feature = "json")]
        Format::Plain,
    ];
    let built = |format| Codec::builder().format(format).build().expect("builds");
    formats.into_iter().map(built).collect()
}

#[test]
fn values_come_back_whatever_they_are_kept_as() {
    for codec in formats() {
        round(&codec, user());
        round(&codec, u64::MAX);
        round(&codec, -7_i16);
        round(&codec, true);
        round(&codec, ());
        round(&codec, 0.1_f64);
        round(&codec, String::from("text"));
        round(&codec, Some(7_u8));
        round(&codec, vec![None, Some(user())]);
        round(&codec, Arc::new(user()));
        round(&codec, Arc::<str>::from("text"));
    }
}

#[test]
fn an_arc_that_is_kept_as_its_pointee_is_written_as_an_arc() {
    let codec = Codec::default();
    let (kind, kept) = Value::from_arc(Arc::new(user()));
    let wire = Wire::of::<Arc<User>>();
    let bytes = codec
        .encode("key", &wire, (kind, &kept), Stamps::default())
        .expect("encodes");
    let (kind, kept) = codec.decode("key", &wire, &bytes).expect("decodes").value;
    assert_eq!(kept.into_arc::<User>(kind).as_deref(), Some(&user()));
}

#[test]
fn what_stands_in_the_head_comes_back_with_the_value() {
    let codec = Codec::default();
    let bytes = encoded(&codec, "key", user());
    let decoded = codec.decode("key", &Wire::of::<User>(), &bytes);
    let head = decoded.expect("decodes").head.expect("an envelope");
    let of_tags = stamps();
    assert_eq!((head.written, head.refresh_at, head.stale_until), (1, 2, 3));
    assert_eq!(
        (head.keep_until, head.hits, head.refresh_hits, head.cost),
        (4, 5, 6, 7)
    );
    assert_eq!(head.tags, of_tags.tags);
    assert_eq!(&bytes[26..34], &3_u64.to_be_bytes(), "as a script reads it");
}

#[test]
fn a_value_of_another_type_than_its_wire_is_an_error_and_no_panic() {
    let (kind, kept) = Value::new(String::from("text"));
    let error = Codec::default()
        .encode("key", &Wire::of::<User>(), (kind, &kept), stamps())
        .expect_err("it is no user");
    assert_eq!(error.kind(), ErrorKind::Encode);
}

#[test]
fn errors_and_local_values_are_not_written() {
    let (kind, kept) = Value::failure(crate::entry::Failure {
        error: 7_u64,
        clone: |error| *error,
    });
    let codec = Codec::default();
    let refused = codec.encode("key", &Wire::of::<u64>(), (kind, &kept), stamps());
    assert_eq!(refused.expect_err("an error").kind(), ErrorKind::Encode);
    let (kind, kept) = Value::new(7_u64);
    let refused = codec.encode("key", &Wire::local::<u64>(), (kind, &kept), stamps());
    assert!(refused.expect_err("local").to_string().contains("u64"));
    let bytes = encoded(&codec, "key", 7_u64);
    let read = codec.decode("key", &Wire::local::<u64>(), &bytes);
    assert_eq!(read.expect_err("local"), Unreadable::OtherType);
}

#[test]
fn a_head_that_does_not_fit_is_an_error_and_no_panic() {
    let codec = Codec::default();
    let (kind, kept) = Value::new(7_u64);
    let refuse = |tags: Vec<Tag>| {
        let stamps = Stamps {
            tags,
            ..Stamps::default()
        };
        codec
            .encode("key", &Wire::of::<u64>(), (kind, &kept), stamps)
            .expect_err("it does not fit")
    };
    let tag = |name: String| Tag { name, version: 1 };
    let many = (0..1_025).map(|at| tag(at.to_string())).collect();
    assert_eq!(refuse(many).kind(), ErrorKind::Encode);
    assert_eq!(
        refuse(vec![tag("x".repeat(65_536))]).kind(),
        ErrorKind::Encode
    );
}

#[test]
fn tag_versions_are_patched_in_place_and_nothing_else_is() {
    let codec = Codec::default();
    let mut bytes = encoded(&codec, "key", user());
    let before = bytes.clone();
    assert!(
        !Head::patch_versions(&mut bytes, &[1]),
        "there are two tags"
    );
    assert!(
        !Head::patch_versions(&mut bytes[..100], &[1, 2]),
        "half a head"
    );
    assert_eq!(bytes, before);
    assert!(Head::patch_versions(&mut bytes, &[1, u64::MAX]));
    let (head, _) = Head::parse(&bytes).expect("a head");
    let versions: Vec<u64> = head.tags.iter().map(|tag| tag.version).collect();
    assert_eq!(versions, [1, u64::MAX]);
    assert_eq!(codec.from_bytes::<User>("key", &bytes), Ok(user()));
    assert!(Head::patch_versions(&mut bytes, &[0xDEAD, 0xBEEF]));
    assert_eq!(bytes, before);
    assert!(!Head::patch_versions(&mut b"7".to_vec(), &[]), "no head");
}
