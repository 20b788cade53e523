//! Caches by URL.

use larder_syntax::suggest;

use crate::cache::Builder;
use crate::error::{Error, ErrorKind, Result};
use crate::policy::Policy;
use crate::switch::Operations;

const SCHEMES: [&str; 2] = ["memory", "off"];
const PARAMETERS: [&str; 6] = [
    "size",
    "weight",
    "prefix",
    "ttl",
    "name",
    "background_loads",
];

/// Puts what a URL says into a builder.
pub(crate) fn apply(builder: Builder, url: &str) -> Result<Builder> {
    let Some((scheme, rest)) = url.split_once("://") else {
        return Err(bad(format!(
            "`{url}` is no cache URL: write it like `memory://?size=10000`"
        )));
    };
    let (place, query) = rest.split_once('?').unwrap_or((rest, ""));
    let mut builder = match scheme {
        "memory" => builder,
        "off" => builder.off(Operations::ALL),
        other => return Err(bad(unknown("scheme", other, &SCHEMES))),
    };
    if !place.is_empty() {
        return Err(bad(format!(
            "`{scheme}://` names no place: leave out `{place}`"
        )));
    }
    for pair in query.split('&').filter(|p| !p.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        builder = parameter(builder, name, &decode(value)?)?;
    }
    Ok(builder)
}

fn parameter(builder: Builder, name: &str, value: &str) -> Result<Builder> {
    Ok(match name {
        "size" => builder.size(number(name, value)?),
        "weight" => builder.weight(value),
        "prefix" => builder.prefix(value),
        "ttl" => builder.defaults(Policy::new().ttl(value).check()?),
        "name" => builder.name(value),
        "background_loads" => {
            builder.background_loads(usize::try_from(number(name, value)?).unwrap_or(usize::MAX))
        }
        other => return Err(bad(unknown("parameter", other, &PARAMETERS))),
    })
}

fn number(name: &str, value: &str) -> Result<u64> {
    value
        .parse()
        .map_err(|_| bad(format!("`{name}={value}`: a whole number is due here")))
}

/// Percent-decoding by RFC 3986, section 2.1.
fn decode(value: &str) -> Result<String> {
    let mut bytes = Vec::with_capacity(value.len());
    let mut rest = value.as_bytes();
    while let [first, tail @ ..] = rest {
        rest = tail;
        if *first != b'%' {
            bytes.push(*first);
            continue;
        }
        // `from_str_radix` alone would take a sign for a digit.
        let hex = tail
            .get(..2)
            .filter(|h| h.iter().all(u8::is_ascii_hexdigit))
            .and_then(|h| std::str::from_utf8(h).ok());
        let Some(byte) = hex.and_then(|h| u8::from_str_radix(h, 16).ok()) else {
            return Err(bad(format!("`{value}`: after `%` two hex digits are due")));
        };
        bytes.push(byte);
        rest = &tail[2..];
    }
    String::from_utf8(bytes).map_err(|_| bad(format!("`{value}` decodes to no UTF-8 text")))
}

fn unknown(what: &str, word: &str, known: &[&str]) -> String {
    let nearest = suggest::nearest(word, known.iter().copied());
    let hint = nearest.map_or(String::new(), |n| format!(" (did you mean `{n}`?)"));
    format!(
        "unknown {what} `{word}`{hint}; there is {}",
        known.join(", ")
    )
}

fn bad(message: String) -> Error {
    Error::new(ErrorKind::Config, "url", message)
}
