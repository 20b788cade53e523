//! TOML text as a [`Node`], by the crate `toml`; nothing else here knows it.

use std::ops::Range;
use std::sync::Arc;

use toml::de::{DeTable, DeValue};

use super::node::{DEEPEST, Name, Node, TOO_LARGE, Value};
use super::origin::Origin;
use crate::error;

/// Reads a TOML document.
pub(crate) fn read(name: &Arc<str>, text: &str) -> error::Result<Node> {
    let places = Places::new(name, text);
    if let Err(at) = too_deep(text) {
        return Err(places.at(&(at..at)).fault(TOO_LARGE));
    }
    let table = DeTable::parse(text).map_err(|error| {
        let at = places.at(&error.span().unwrap_or(0..0));
        let message = error.message();
        if message == "duplicate key" {
            let key = error.span().and_then(|span| text.get(span));
            let key = key.unwrap_or("a key").trim_matches(['"', '\'']);
            return at.fault(super::node::twice(key));
        }
        at.fault(format!("this is no TOML: {message}"))
    })?;
    places.table(&table.span(), table.get_ref(), 0)
}

/// Looks for depth before the parser does, and gives the place of too much: the parser makes a table for each dot of a key, in tables
/// in tables, and dropping those recurses.
///
/// Strings of several lines are too much as well, since with them no line could be judged by itself.
fn too_deep(text: &str) -> Result<(), usize> {
    let mut open = 0_usize;
    let mut start = 0;
    for line in text.split('\n') {
        let mut dots = 0;
        let mut quote = None;
        let mut before = [' ', ' '];
        for (at, c) in line.char_indices() {
            if quote.is_none() && matches!(c, '"' | '\'') && before == [c, c] {
                return Err(start + at - 2);
            }
            match (quote, c) {
                (Some('"'), '"') if before[1] != '\\' => quote = None,
                (Some('\''), '\'') => quote = None,
                (Some(_), _) => {}
                (None, '"' | '\'') => quote = Some(c),
                (None, '#') => break,
                (None, '.') => dots += 1,
                (None, '[' | '{') => open += 1,
                (None, ']' | '}') => open = open.saturating_sub(1),
                (None, _) => {}
            }
            if dots > DEEPEST || open > DEEPEST {
                return Err(start + at);
            }
            // After an escaped backslash nothing is escaped.
            let escaped = quote == Some('"') && c == '\\' && before[1] == '\\';
            before = [before[1], if escaped { ' ' } else { c }];
        }
        start += line.len() + 1;
    }
    Ok(())
}

struct Places<'a> {
    name: &'a Arc<str>,
    text: &'a str,
    /// Where each line begins.
    lines: Vec<usize>,
}

impl<'a> Places<'a> {
    fn new(name: &'a Arc<str>, text: &'a str) -> Self {
        let breaks = text.match_indices('\n').map(|(at, _)| at + 1);
        let lines = std::iter::once(0).chain(breaks).collect();
        Self { name, text, lines }
    }

    fn at(&self, span: &Range<usize>) -> Origin {
        let line = self.lines.partition_point(|start| *start <= span.start);
        let start = self.lines[line - 1];
        let before = self.text.get(start..span.start).unwrap_or("");
        let narrow = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
        Origin::File {
            name: self.name.clone(),
            line: narrow(line),
            column: narrow(before.chars().count() + 1),
        }
    }

    fn table(&self, span: &Range<usize>, table: &DeTable<'_>, depth: usize) -> error::Result<Node> {
        let at = self.at(span);
        if depth > DEEPEST {
            return Err(at.fault(TOO_LARGE));
        }
        let mut pairs: Vec<_> = table.iter().collect();
        // The parser sorts by name; which of two contradicting settings came last is a matter of order in the file.
        pairs.sort_by_key(|(key, _)| key.span().start);
        let pair = |(key, value): &(&toml::Spanned<_>, &toml::Spanned<DeValue<'_>>)| {
            let text: &std::borrow::Cow<'_, str> = key.get_ref();
            let name = Name {
                text: text.to_string(),
                at: self.at(&key.span()),
            };
            Ok((name, self.value(&value.span(), value.get_ref(), depth)?))
        };
        let pairs = pairs.iter().map(pair).collect::<error::Result<_>>()?;
        Ok(Node {
            value: Value::Map(pairs),
            at,
        })
    }

    fn value(&self, span: &Range<usize>, value: &DeValue<'_>, depth: usize) -> error::Result<Node> {
        let at = self.at(span);
        let value = match value {
            DeValue::String(text) => Value::Text(text.to_string()),
            DeValue::Integer(number) => {
                match i128::from_str_radix(number.as_str(), number.radix()) {
                    Ok(number) => Value::Whole(number),
                    Err(_) => return Err(at.fault("a number out of range")),
                }
            }
            DeValue::Float(number) => match number.as_str().parse() {
                Ok(number) => Value::Fraction(number),
                Err(_) => return Err(at.fault("a number out of range")),
            },
            DeValue::Boolean(flag) => Value::Flag(*flag),
            DeValue::Datetime(_) => Value::Other("a date"),
            DeValue::Array(items) => {
                if depth > DEEPEST {
                    return Err(at.fault(TOO_LARGE));
                }
                let item = |item: &toml::Spanned<DeValue<'_>>| {
                    self.value(&item.span(), item.get_ref(), depth + 1)
                };
                Value::List(items.iter().map(item).collect::<error::Result<_>>()?)
            }
            DeValue::Table(table) => return self.table(span, table, depth + 1),
        };
        Ok(Node { value, at })
    }
}
