//! What the target of entries and the maker of its corpus share: every codec, and a type with all that serde knows.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use larder::store::Secret;
use larder::{Codec, Compression, Format, SealKey, Signature};
use serde::{Deserialize, Serialize};

/// The key of all entries here.
pub const KEY: &str = "fuzz:1";
const LIMIT: usize = 1 << 20;

/// All that serde knows, and it nests without end.
#[derive(Clone, Debug, Serialize, Deserialize, PartialEq)]
pub struct Rich {
    pub id: u64,
    pub delta: i128,
    pub ratio: f64,
    pub letter: char,
    pub name: String,
    pub bytes: Vec<u8>,
    pub nothing: (),
    pub units: Vec<()>,
    pub pair: (u8, bool),
    pub maybe: Option<Box<Rich>>,
    pub by_name: BTreeMap<String, i32>,
    pub shape: Shape,
}

/// An enum that nests without end, by variants alone.
#[derive(Clone, Debug, Serialize, Deserialize, PartialEq)]
pub enum Shape {
    Unit,
    Newtype(Box<Shape>),
    Tuple(u16, String),
    Struct { left: Box<Shape>, right: Box<Shape> },
}

/// One with all.
#[must_use]
pub fn rich(depth: u8) -> Rich {
    Rich {
        id: 7,
        delta: -3,
        ratio: 0.1,
        letter: 'é',
        name: "Ada ".repeat(usize::from(depth) * 40 + 1),
        bytes: vec![0, 255, 7],
        nothing: (),
        units: vec![(); 3],
        pair: (1, true),
        maybe: depth.checked_sub(1).map(|depth| Box::new(rich(depth))),
        by_name: BTreeMap::from([("a".into(), 1), ("b".into(), -2)]),
        shape: Shape::Struct {
            left: Box::new(Shape::Newtype(Box::new(Shape::Unit))),
            right: Box::new(Shape::Tuple(5, "x".into())),
        },
    }
}

/// Every format with every compression and every seal, and plain.
pub static CODECS: LazyLock<Vec<Codec>> = LazyLock::new(|| {
    let mut codecs = vec![
        Codec::builder()
            .format(Format::Plain)
            .max_size(LIMIT)
            .build()
            .expect("plain"),
    ];
    let key = || SealKey::new(Secret::new("a secret of the fuzzer's"));
    for format in [Format::MessagePack, Format::Json, Format::Postcard] {
        for compression in [
            Compression::None,
            Compression::Zstd,
            Compression::Lz4,
            Compression::Gzip,
        ] {
            let plain = || {
                let mut builder = Codec::builder()
                    .format(format)
                    .max_size(LIMIT)
                    .compress(compression);
                if compression != Compression::None {
                    builder = builder.compress_above(1);
                }
                builder
            };
            let sealed = [
                plain(),
                // What is read without the check of shapes reaches the formats' readers sooner.
                plain().ignore_shapes(),
                plain().sign(Signature::Blake3, key()),
                plain().sign(Signature::HmacSha256, key()),
                plain().encrypt(key()),
            ];
            codecs.extend(sealed.map(|builder| builder.build().expect("one that can be built")));
        }
    }
    codecs
});
