//! Writes the entries and texts that the targets begin with: `cargo run --example seeds` in this directory.

use std::fs;
use std::path::Path;

use larder::Codec;
use larder_fuzz::{CODECS, KEY, rich};

fn main() -> std::io::Result<()> {
    let entries = Path::new("seeds/envelope");
    fs::create_dir_all(entries)?;
    for (at, codec) in CODECS.iter().enumerate() {
        write(entries, at, 0, &encoded(codec, rich(2)))?;
        if !codec_is_plain(at) {
            continue;
        }
        write(entries, at, 1, &encoded(codec, vec![(); 5]))?;
        write(entries, at, 2, &encoded(codec, 7_u64))?;
        write(entries, at, 2, b"-12")?;
        write(entries, at, 3, &encoded(codec, String::from("text")))?;
    }
    let heads = Path::new("seeds/head");
    fs::create_dir_all(heads)?;
    for (at, codec) in CODECS.iter().enumerate().skip(1).take(5) {
        fs::write(heads.join(format!("{at}")), encoded(codec, 7_u64))?;
    }
    fs::write(heads.join("tags"), with_tags())?;
    texts(
        "url",
        &[
            "memory://?size=10000&weight=64mb",
            "redis://user:pass%20word@localhost:6379,[::1]:7000/0?prefix=app:&timeout=200ms&format=json&compress=zstd&compress_above=4kib&client_side",
            "sqlite:///var/cache.db?limit=1gib&mode=a",
            "s3://bucket/a%2Fb?envelope=none",
            "redis+cluster://h1,h2:1/?format=postcard&compress=gzip&compress_level=9&max_size=1mb&fingerprint=0",
        ],
    )?;
    texts(
        "template",
        &[
            "user:{id}",
            "a:{user.name:lower}:b:{@client}",
            "{x:hash}",
            "{list:len}:{0.1}",
            "{{literal}}:{x:a::b}",
        ],
    )
}

/// The first, and of each five the first: no seal, shapes checked.
fn codec_is_plain(at: usize) -> bool {
    at == 0 || at % 5 == 1
}

fn encoded<V: larder::Portable>(codec: &Codec, value: V) -> Vec<u8> {
    codec
        .to_bytes(KEY, value)
        .expect("a value that can be written")
}

fn write(into: &Path, codec: usize, of_type: u8, entry: &[u8]) -> std::io::Result<()> {
    let mut bytes = vec![codec as u8, of_type];
    bytes.extend(entry);
    let name = format!("{codec:02}-{of_type}-{:04}", entry.len());
    fs::write(into.join(name), bytes)
}

fn texts(target: &str, texts: &[&str]) -> std::io::Result<()> {
    let into = Path::new("seeds").join(target);
    fs::create_dir_all(&into)?;
    for (at, text) in texts.iter().enumerate() {
        fs::write(into.join(format!("{at}")), text)?;
    }
    Ok(())
}

/// A head with two tags, by hand: nothing public writes tags.
fn with_tags() -> Vec<u8> {
    let mut head = vec![0xC1, 1, 0, 0, 0, 0, 1, 0, 0, 0];
    head.resize(66, 0);
    head.extend([0, 2]);
    for (tag, version) in [("users", 7_u64), ("org:acme", 9)] {
        head.extend((tag.len() as u16).to_be_bytes());
        head.extend(tag.as_bytes());
        head.extend(version.to_be_bytes());
    }
    head.extend([0, 0, 0, 0, 1]);
    let length = (head.len() as u32).to_be_bytes();
    head[2..6].copy_from_slice(&length);
    head.push(7);
    head
}
