//! YAML text as a [`Node`], by `serde-saphyr`; nothing else here knows that crate.

use std::fmt;
use std::sync::Arc;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_saphyr::{Location, Spanned};

use super::node::{DEEPEST, Name, Node, Value};
use super::origin::Origin;
use crate::error::{Error, Result};

/// Reads one YAML 1.2 document.
pub(crate) fn read(name: &Arc<str>, text: &str) -> Result<Node> {
    let options = serde_saphyr::options! {
        // Far beyond any file that is meant, and small enough that hostile anchors cost nothing.
        budget: serde_saphyr::budget! {
            max_events: 100_000,
            max_aliases: 256,
            max_anchors: 256,
            max_recorded_anchor_events: 20_000,
            max_recorded_anchor_bytes: 1 << 20,
            max_depth: DEEPEST,
            flow_nesting_limit: DEEPEST,
            // The second is refused with a word of its own.
            max_documents: 2,
            max_nodes: 50_000,
            max_total_scalar_bytes: 4 << 20,
            max_merge_keys: 256,
        },
        alias_limits: serde_saphyr::alias_limits! {
            max_total_replayed_events: 20_000,
            max_replay_stack_depth: 8,
        },
        strict_booleans: true,
        emit_comments: false,
        with_snippet: false,
    };
    let parsed = serde_saphyr::from_str_with_options::<Spanned<Raw>>(text, options);
    let raw = parsed.map_err(|error| refusal(name, &error))?;
    Ok(node(name, raw))
}

fn refusal(name: &Arc<str>, error: &serde_saphyr::Error) -> Error {
    use serde_saphyr::Error as Yaml;
    let mut error = error.without_snippet();
    let at = origin(name, error.location().unwrap_or(Location::UNKNOWN));
    while let Yaml::AliasError { error: inner, .. } = error {
        error = inner.without_snippet();
    }
    if let Yaml::DuplicateMappingKey { key: Some(key), .. } = error {
        return at.fault(super::node::twice(key));
    }
    let message = error.render_with_formatter(&serde_saphyr::UserMessageFormatter);
    // The parser's own bounds have no variant.
    if matches!(error, Yaml::Budget { .. }) || message.contains("recursion limit") {
        return at.fault(super::node::TOO_LARGE);
    }
    // It ends with the place that stands before it here.
    let message = message.split(" at line ").next().unwrap_or(&message);
    at.fault(format!("this is no YAML: {}", message.trim_end()))
}

fn origin(name: &Arc<str>, at: Location) -> Origin {
    let narrow = |number: u64| u32::try_from(number).unwrap_or(u32::MAX).max(1);
    Origin::File {
        name: name.clone(),
        line: narrow(at.line()),
        column: narrow(at.column()),
    }
}

fn node(name: &Arc<str>, raw: Spanned<Raw>) -> Node {
    let value = match raw.value {
        Raw::Plain(value) => value,
        Raw::List(items) => Value::List(items.into_iter().map(|item| node(name, item)).collect()),
        Raw::Map(pairs) => {
            let pair = |(key, value): (Spanned<String>, _)| {
                let at = origin(name, key.referenced);
                let text = key.value;
                (Name { text, at }, node(name, value))
            };
            Value::Map(pairs.into_iter().map(pair).collect())
        }
    };
    Node {
        value,
        at: origin(name, raw.referenced),
    }
}

enum Raw {
    Plain(Value),
    List(Vec<Spanned<Raw>>),
    Map(Vec<(Spanned<String>, Spanned<Raw>)>),
}

impl<'de> Deserialize<'de> for Raw {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Any)
    }
}

struct Any;

impl<'de> Visitor<'de> for Any {
    type Value = Raw;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_bool<E>(self, flag: bool) -> Result<Raw, E> {
        Ok(Raw::Plain(Value::Flag(flag)))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Raw, E> {
        Ok(Raw::Plain(Value::Whole(number.into())))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Raw, E> {
        Ok(Raw::Plain(Value::Whole(number.into())))
    }

    fn visit_i128<E>(self, number: i128) -> Result<Raw, E> {
        Ok(Raw::Plain(Value::Whole(number)))
    }

    fn visit_u128<E: serde::de::Error>(self, number: u128) -> Result<Raw, E> {
        let number = i128::try_from(number).map_err(|_| E::custom("a number out of range"))?;
        Ok(Raw::Plain(Value::Whole(number)))
    }

    fn visit_f64<E>(self, number: f64) -> Result<Raw, E> {
        Ok(Raw::Plain(Value::Fraction(number)))
    }

    fn visit_str<E>(self, text: &str) -> Result<Raw, E> {
        Ok(Raw::Plain(Value::Text(text.to_owned())))
    }

    fn visit_string<E>(self, text: String) -> Result<Raw, E> {
        Ok(Raw::Plain(Value::Text(text)))
    }

    fn visit_bytes<E>(self, _: &[u8]) -> Result<Raw, E> {
        Ok(Raw::Plain(Value::Other("binary data")))
    }

    fn visit_unit<E>(self) -> Result<Raw, E> {
        Ok(Raw::Plain(Value::Nothing))
    }

    fn visit_none<E>(self) -> Result<Raw, E> {
        Ok(Raw::Plain(Value::Nothing))
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Raw, D::Error> {
        deserializer.deserialize_any(self)
    }

    fn visit_newtype_struct<D: Deserializer<'de>>(self, inner: D) -> Result<Raw, D::Error> {
        inner.deserialize_any(self)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Raw, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = seq.next_element()? {
            items.push(item);
        }
        Ok(Raw::List(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Raw, A::Error> {
        let mut pairs = Vec::new();
        while let Some(pair) = map.next_entry()? {
            pairs.push(pair);
        }
        Ok(Raw::Map(pairs))
    }
}
