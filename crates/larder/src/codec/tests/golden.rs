//! Bytes of entries are pinned: what a release wrote, each later one reads.

use std::fmt::Write;

use super::hostile::all;
use super::seal::FIXED_NONCE;
use super::*;

/// One line per codec: its name, a tab, the entry in hex. A later layout gets a file of its own beside this one, and this one stays.
const VERSION_1: &str = include_str!("../../../tests/golden/envelope-1.txt");

const KEY: &str = "app:user:7";

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Page {
    id: u64,
    score: f64,
    title: String,
    body: String,
    role: Role,
    next: Option<u32>,
    units: (u8, bool, char),
}

fn page() -> Page {
    Page {
        id: 7,
        score: 0.1,
        title: "Größe".into(),
        body: "All work and no play. ".repeat(5),
        role: Role::Owner { of: "acme".into() },
        next: Some(70_000),
        units: (1, true, '€'),
    }
}

fn entry(codec: &Codec) -> Vec<u8> {
    FIXED_NONCE.set(Some([7; 24]));
    let bytes = encoded(codec, KEY, page());
    FIXED_NONCE.set(None);
    bytes
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

fn unhex(text: &str) -> Vec<u8> {
    let pairs = text.as_bytes().chunks(2);
    pairs
        .map(|pair| {
            let pair = std::str::from_utf8(pair).expect("hex");
            u8::from_str_radix(pair, 16).expect("hex")
        })
        .collect()
}

/// After a deliberate change of the layout: `LARDER_PRINT=1 cargo test --all-features golden -- --nocapture`, into a new file.
#[test]
fn print_if_asked() {
    if std::env::var_os("LARDER_PRINT").is_none() {
        return;
    }
    for (name, codec) in all() {
        println!("{name}\t{}", hex(&entry(&codec)));
    }
}

#[test]
fn entries_of_version_1_are_read_and_written_as_they_were() {
    let mut lines = VERSION_1.lines();
    for (name, codec) in all() {
        let (written, bytes) = lines
            .next()
            .and_then(|line| line.split_once('\t'))
            .expect("a line per codec");
        assert_eq!(written, name);
        let bytes = unhex(bytes);
        assert_eq!(codec.from_bytes::<Page>(KEY, &bytes), Ok(page()), "{name}");
        // What a compressor makes of a body may change with its releases; what is read from it may not.
        if codec.compressing.how == Compression::None {
            assert_eq!(hex(&entry(&codec)), hex(&bytes), "{name}");
        }
    }
    assert_eq!(lines.next(), None);
}
