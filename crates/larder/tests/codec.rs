//! Codecs as they are configured, and types as they say how they are written.
#![cfg(feature = "serde")]

use larder::store::{Address, Secret};
use larder::{BoxError, Codec, Error, ErrorKind, Format, Portable, Unreadable, Wire};
use serde::{Deserialize, Serialize};

fn configured(query: &str) -> Result<Codec, Error> {
    let mut address = Address::parse(&format!("redis://localhost/0?{query}"))?;
    let codec = Codec::from_address(&mut address)?;
    address.finish()?;
    Ok(codec)
}

#[track_caller]
fn refused(query: &str, hint: &str) {
    let error = configured(query).expect_err("it is refused");
    assert_eq!(error.kind(), ErrorKind::Config, "{error}");
    assert!(error.to_string().contains(hint), "{error}");
}

/// A file with a secret, gone at the end.
struct SecretFile(std::path::PathBuf);

impl SecretFile {
    fn new(name: &str, secret: &str) -> Self {
        let path = std::env::temp_dir().join(format!("larder-{}-{name}", std::process::id()));
        std::fs::write(&path, format!("{secret}\n")).expect("a temporary file");
        Self(path)
    }
}

impl std::fmt::Display for SecretFile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.0.display())
    }
}

impl Drop for SecretFile {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

#[test]
fn without_parameters_a_codec_is_the_default_one() {
    let codec = configured("").expect("nothing is wrong");
    let bytes = Codec::default().to_bytes("key", 7_u64).expect("encodes");
    assert_eq!(codec.from_bytes::<u64>("key", &bytes), Ok(7));
}

#[test]
fn words_that_nobody_knows_are_refused_with_the_nearest() {
    refused("format=jsn", "did you mean `json`");
    refused("compress=ztsd", "did you mean `zstd`");
    refused("envelope=off", "none");
    refused("compres=zstd", "did you mean `compress`");
    refused("max_size=much", "a size like");
    refused("sign_key=secret", "write `sign_key_env`");
    refused(
        "sign_key_env=LARDER_TEST_NO_SUCH_VARIABLE",
        "LARDER_TEST_NO_SUCH_VARIABLE",
    );
    refused("fingerprint=maybe", "`1` or `0`");
}

#[test]
fn what_does_not_go_together_is_refused() {
    refused("compress_above=4kib", "add it, or leave them out");
    refused("compress_level=3", "add it, or leave them out");
    refused("sign=blake3", "sign_key_env");
    refused("key_id=2026", "belong to a secret");
    refused("old_keys=env:HOME", "belong to a secret");
    refused("envelope=none&format=msgpack", "leave `format=msgpack` out");
    refused("max_size=8gib", "4 GiB");
}

#[test]
#[cfg(not(feature = "zstd"))]
fn what_this_build_cannot_do_is_refused_with_the_feature() {
    refused("compress=zstd", "the feature `zstd`");
}

#[test]
#[cfg(not(feature = "json"))]
fn a_format_that_this_build_cannot_write_is_refused_with_the_feature() {
    refused("format=json", "the feature `json`");
    refused("envelope=none", "the feature `json`");
}

#[test]
#[cfg(not(feature = "sign"))]
fn a_signature_that_this_build_cannot_make_is_refused_with_the_feature() {
    let file = SecretFile::new("unsigned", "a random text of 16 or more");
    refused(&format!("sign_key_file={file}"), "the feature `sign`");
}

#[test]
#[cfg(feature = "json")]
fn formats_are_chosen_by_name() {
    let plain = configured("envelope=none").expect("plain");
    assert_eq!(plain.to_bytes("key", vec![1_u8]).expect("encodes"), b"[1]");
    let json = configured("format=json").expect("json");
    let bytes = json.to_bytes("key", vec![1_u8]).expect("encodes");
    assert!(bytes.ends_with(b"[1]") && bytes.len() > 70);
}

#[test]
#[cfg(all(feature = "zstd", feature = "gzip", feature = "lz4"))]
fn compression_is_chosen_by_name_with_its_threshold_and_level() {
    let text = || "all work and no play ".repeat(100);
    for how in ["zstd&compress_level=19", "gzip&compress_level=1", "lz4"] {
        let codec = configured(&format!("compress={how}&compress_above=10b")).expect("it goes");
        let bytes = codec.to_bytes("key", text()).expect("encodes");
        assert!(bytes.len() < 300, "{how}: {}", bytes.len());
        assert_eq!(codec.from_bytes::<String>("key", &bytes), Ok(text()));
    }
    refused("compress=lz4&compress_level=1", "no levels");
    refused("compress=gzip&compress_level=10", "from 1 to 9");
    refused("compress=zstd&compress_level=high", "a whole number");
    let mut address = Address::parse("redis://h?envelope=none&compress=zstd").expect("a URL");
    let error = Codec::from_address(&mut address);
    #[cfg(feature = "json")]
    assert_eq!(error.expect_err("no envelope").kind(), ErrorKind::Config);
    #[cfg(not(feature = "json"))]
    let _ = error;
}

#[test]
#[cfg(feature = "sign")]
fn secrets_come_from_files_and_follow_one_another() {
    let old = SecretFile::new("old", "the secret of last year");
    let new = SecretFile::new("new", "the secret of this year");
    let before = configured(&format!("sign_key_file={old}&key_id=2025")).expect("goes");
    let after = configured(&format!(
        "sign_key_file={new}&sign=blake3&key_id=2026&old_keys=2025=file:{old}"
    ))
    .expect("goes");
    let bytes = before.to_bytes("key", 7_u64).expect("encodes");
    assert_eq!(after.from_bytes::<u64>("key", &bytes), Ok(7));
    let bytes = after.to_bytes("key", 7_u64).expect("encodes");
    assert_eq!(
        before.from_bytes::<u64>("key", &bytes),
        Err(Unreadable::UnknownKey)
    );
    let unnamed = configured(&format!("sign_key_file={old}")).expect("goes");
    let bytes = unnamed.to_bytes("key", 7_u64).expect("encodes");
    let after = configured(&format!("sign_key_file={new}&old_keys=file:{old}")).expect("goes");
    assert_eq!(
        after.from_bytes::<u64>("key", &bytes),
        Ok(7),
        "named by a hash of itself"
    );

    let short = SecretFile::new("short", "short");
    refused(&format!("sign_key_file={short}"), "at least 16 bytes");
    refused(
        &format!("sign_key_file={new}&old_keys=the+secret+itself"),
        "env:VARIABLE",
    );
    let error = configured(&format!("sign_key_file={new}&old_keys=hunter2hunter2"))
        .expect_err("no reference");
    assert!(!error.to_string().contains("hunter2"), "{error}");
    refused(&format!("sign_key_file={new}&sign=md5"), "hmac-sha256");
}

#[test]
#[cfg(all(feature = "sign", feature = "encrypt"))]
fn what_is_encrypted_is_not_signed_as_well() {
    let file = SecretFile::new("both", "a random text of 16 or more");
    refused(
        &format!("sign_key_file={file}&encrypt_key_file={file}"),
        "leave the signing out",
    );
    let codec = configured(&format!("encrypt_key_file={file}")).expect("goes");
    let bytes = codec
        .to_bytes("key", "secret text".to_owned())
        .expect("encodes");
    assert!(!bytes.windows(6).any(|window| window == b"secret"));
    assert_eq!(
        codec.from_bytes::<String>("key", &bytes).as_deref(),
        Ok("secret text")
    );
}

#[derive(Clone, Debug, PartialEq)]
struct Point {
    x: u32,
    y: u32,
}

fn encode(point: &Point) -> Result<Vec<u8>, BoxError> {
    Ok([point.x.to_be_bytes(), point.y.to_be_bytes()].concat())
}

fn decode(bytes: &[u8]) -> Result<Point, BoxError> {
    let (x, y) = bytes.split_first_chunk().ok_or("too short")?;
    Ok(Point {
        x: u32::from_be_bytes(*x),
        y: u32::from_be_bytes(y.try_into()?),
    })
}

impl Portable for Point {
    fn wire() -> Wire {
        Wire::custom("point 1", encode, decode)
    }
}

#[test]
fn a_type_without_serde_has_bytes_of_its_own() {
    let codec = Codec::default();
    let point = Point { x: 1, y: 2 };
    let bytes = codec.to_bytes("key", point.clone()).expect("encodes");
    assert!(bytes.ends_with(&[0, 0, 0, 1, 0, 0, 0, 2]));
    assert_eq!(codec.from_bytes::<Point>("key", &bytes), Ok(point));
    assert_eq!(
        codec.from_bytes::<Point>("key", &bytes[..bytes.len() - 1]),
        Err(Unreadable::Truncated)
    );
    assert_eq!(
        codec.from_bytes::<u64>("key", &bytes),
        Err(Unreadable::OtherFormat)
    );
    assert_eq!(
        codec.from_bytes::<Point>("key", b"7"),
        Err(Unreadable::OtherType)
    );
}

#[test]
fn a_custom_codec_of_another_shape_is_another_type() {
    /// As a later release calls the layout.
    #[derive(Clone, Debug, PartialEq)]
    struct Later(Point);
    impl Portable for Later {
        fn wire() -> Wire {
            Wire::custom(
                "point 2",
                |later: &Self| encode(&later.0),
                |bytes| decode(bytes).map(Self),
            )
        }
    }
    let codec = Codec::default();
    let bytes = codec
        .to_bytes("key", Point { x: 1, y: 2 })
        .expect("encodes");
    assert_eq!(
        codec.from_bytes::<Later>("key", &bytes),
        Err(Unreadable::OtherType)
    );
    let bytes = codec
        .to_bytes("key", Later(Point { x: 1, y: 2 }))
        .expect("encodes");
    assert!(codec.from_bytes::<Later>("key", &bytes).is_ok());
}

/// A type that cannot leave the process, and says so.
#[derive(Clone, Debug, PartialEq)]
struct Connection;

larder::local!(Connection);

#[test]
fn a_local_type_is_not_written() {
    assert!(Connection::wire().is_local());
    let error = Codec::default()
        .to_bytes("key", Connection)
        .expect_err("local");
    assert_eq!(error.kind(), ErrorKind::Encode);
    assert!(error.to_string().contains("Connection"), "{error}");
}

/// Nobody said how it is written.
#[derive(Clone)]
struct Silent;

fn bounded<V: Portable>() -> Wire {
    larder::__larder_wire!(V)
}

fn by_serde<V: larder::__private::Cacheable + Serialize + serde::de::DeserializeOwned>() -> Wire {
    larder::__larder_wire!(V)
}

fn unbounded<V: Clone + Send + Sync + 'static>() -> Wire {
    larder::__larder_wire!(V)
}

#[test]
fn a_macro_finds_out_whether_a_type_can_be_written() {
    #[derive(Clone, Serialize, Deserialize)]
    struct Known(u8);
    assert!(!larder::__larder_wire!(Known).is_local());
    assert!(!larder::__larder_wire!(Option<Vec<Known>>).is_local());
    assert!(!larder::__larder_wire!(Point).is_local());
    assert!(larder::__larder_wire!(Connection).is_local());
    assert!(larder::__larder_wire!(Silent).is_local());
    assert!(larder::__larder_wire!(Option<Silent>).is_local());
    assert!(!bounded::<Known>().is_local());
    assert!(!by_serde::<Known>().is_local());
    assert!(
        unbounded::<Known>().is_local(),
        "it is generic and nothing is known of it"
    );
    assert!(
        larder::__larder_wire!(Silent)
            .type_name()
            .ends_with("Silent")
    );
}

#[test]
fn a_reason_is_a_sentence_and_a_secret_is_never_shown() {
    assert_eq!(Unreadable::BadSeal.to_string(), "the seal does not fit");
    assert_eq!(format!("{:?}", Secret::new("hunter2hunter2")), "Secret(..)");
    assert_eq!(Format::default(), Format::MessagePack);
}
