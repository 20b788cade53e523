//! The pieces of a URL. No message repeats a text that may be a secret.

use super::bad;
use crate::error::Result;

/// Far more than there are, and few enough that looking for one in all costs nothing.
const MOST_PARAMETERS: usize = 256;

#[derive(Clone)]
pub(super) struct Parameter {
    pub(super) name: String,
    pub(super) value: String,
    pub(super) taken: bool,
}

pub(super) fn host(text: &str) -> Result<(String, Option<u16>)> {
    let (host, port) = if let Some(rest) = text.strip_prefix('[') {
        let Some((host, port)) = rest.split_once(']') else {
            return Err(bad("an IPv6 address ends with `]`"));
        };
        (host, port.strip_prefix(':'))
    } else {
        text.split_once(':')
            .map_or((text, None), |(host, port)| (host, Some(port)))
    };
    // What stands there is not shown: in a URL written wrong it may be a password.
    let port = port.map(|port| {
        port.parse().map_err(|_| {
            bad(format!(
                "the port of `{host}`: expected a number from 0 to 65535"
            ))
        })
    });
    Ok((decode(host, "a host")?, port.transpose()?))
}

pub(super) fn parameters(query: &str) -> Result<Vec<Parameter>> {
    let mut parameters: Vec<Parameter> = Vec::new();
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let parameter = parameter(pair)?;
        if parameters.iter().any(|p| p.name == parameter.name) {
            return Err(bad(format!(
                "`{}` stands in this URL twice: leave one out",
                parameter.name
            )));
        }
        parameters.push(parameter);
        if parameters.len() > MOST_PARAMETERS {
            return Err(bad(format!(
                "a URL has at most {MOST_PARAMETERS} parameters"
            )));
        }
    }
    Ok(parameters)
}

fn parameter(pair: &str) -> Result<Parameter> {
    let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
    if name.contains('@') {
        return Err(bad("a `?` in a password is written `%3F`"));
    }
    Ok(Parameter {
        name: decode(name, "the name of a parameter")?,
        value: decode(value, "the value of a parameter")?,
        taken: false,
    })
}

/// Percent-decoding by RFC 3986, section 2.1. The message does not repeat the text: it may be a secret.
pub(super) fn decode(text: &str, what: &str) -> Result<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
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
            return Err(bad(format!("{what}: expected two hex digits after `%`")));
        };
        bytes.push(byte);
        rest = &tail[2..];
    }
    String::from_utf8(bytes).map_err(|_| bad(format!("{what} decodes to no UTF-8 text")))
}
