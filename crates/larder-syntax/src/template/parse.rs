//! Reads templates.

use super::{Piece, Placeholder, Source, SyntaxError, Template, Transform, unknown_transform};

pub(super) fn template(text: &str) -> Result<Template, SyntaxError> {
    let mut pieces = Vec::new();
    let mut literal = String::new();
    let mut at = 0;
    while let Some(character) = text[at..].chars().next() {
        let doubled = text[at + character.len_utf8()..].starts_with(character);
        match character {
            '{' | '}' if doubled => {
                literal.push(character);
                at += 2;
            }
            '}' => {
                return Err(SyntaxError::new(
                    at,
                    "a `}` that closes nothing: write `}}` for the character itself",
                ));
            }
            '{' => {
                let placeholder = braces(text, at)?;
                at += placeholder.text.len() + 2;
                add(&mut pieces, &mut literal, placeholder)?;
            }
            _ if character.is_control() => {
                return Err(SyntaxError::new(
                    at,
                    format!(
                        "a key cannot contain {}: remove it",
                        character.escape_debug()
                    ),
                ));
            }
            _ => {
                literal.push(character);
                at += character.len_utf8();
            }
        }
    }
    if !literal.is_empty() {
        pieces.push(Piece::Literal(literal));
    }
    if pieces.is_empty() {
        return Err(SyntaxError::new(
            0,
            "an empty key: write what is kept and for what, such as `user:{id}`",
        ));
    }
    stops(&mut pieces)?;
    Ok(Template { pieces })
}

fn add(
    pieces: &mut Vec<Piece>,
    literal: &mut String,
    placeholder: Placeholder,
) -> Result<(), SyntaxError> {
    if !literal.is_empty() {
        pieces.push(Piece::Literal(std::mem::take(literal)));
    }
    if let Some(Piece::Value(before)) = pieces.last() {
        let (first, second) = (&before.text, &placeholder.text);
        return Err(SyntaxError::new(
            placeholder.at,
            format!(
                "nothing separates `{{{first}}}` and `{{{second}}}`, so different values could make the same key: write `{{{first}}}:{{{second}}}`"
            ),
        ));
    }
    pieces.push(Piece::Value(placeholder));
    Ok(())
}

// A value ends where the literal behind it starts, unless it is the last one: that one ends where the rest of
// the template, whose length is known, starts.
fn stops(pieces: &mut [Piece]) -> Result<(), SyntaxError> {
    let Some(last) = pieces
        .iter()
        .rposition(|piece| matches!(piece, Piece::Value(_)))
    else {
        return Ok(());
    };
    for at in 0..last {
        let (before, behind) = pieces.split_at_mut(at + 1);
        let (Piece::Value(placeholder), Piece::Literal(literal)) = (&mut before[at], &behind[0])
        else {
            continue;
        };
        let stop = literal.as_bytes()[0];
        if stop == b'%' {
            return Err(SyntaxError::new(
                placeholder.at + placeholder.text.len() + 2,
                "a `%` behind a placeholder reads like a part of its value: write another character, such as `:`",
            ));
        }
        placeholder.stop = Some(stop);
    }
    Ok(())
}

fn braces(text: &str, at: usize) -> Result<Placeholder, SyntaxError> {
    let inside = &text[at + 1..];
    let Some(end) = inside
        .find(['{', '}'])
        .filter(|end| inside[*end..].starts_with('}'))
    else {
        return Err(SyntaxError::new(
            at,
            "a `{` that is not closed: write `}` behind the name, or `{{` for the character itself",
        ));
    };
    placeholder(&inside[..end], at)
}

fn placeholder(text: &str, at: usize) -> Result<Placeholder, SyntaxError> {
    let inside = at + 1;
    if text.trim().is_empty() {
        return Err(SyntaxError::new(
            at,
            "an empty placeholder: name an argument, such as `{id}`",
        ));
    }
    if let Some(space) = text.find(char::is_whitespace) {
        let without: String = text.split_whitespace().collect();
        return Err(SyntaxError::new(
            inside + space,
            format!("no spaces within a placeholder: write `{{{without}}}`"),
        ));
    }
    let end = text.find(':').unwrap_or(text.len());
    let source = source(&text[..end], inside)?;
    let mut transforms = Vec::new();
    let mut rest = end;
    while rest < text.len() {
        let start = rest + 1;
        let length = transform_length(&text[start..]);
        let written = &text[start..start + length];
        let transform = transform(written, &text[..end], inside + start)?;
        if let Some(before) = transforms.last() {
            follows(before, &transform, inside + start)?;
        }
        transforms.push(transform);
        rest = start + length;
    }
    Ok(Placeholder {
        source,
        transforms,
        stop: None,
        text: text.to_owned(),
        at,
    })
}

// Up to the next colon that is neither one of two, which are a part of a path, nor in parentheses.
fn transform_length(text: &str) -> usize {
    let mut at = 0;
    let mut open = false;
    while at < text.len() {
        let rest = &text[at..];
        match rest.as_bytes()[0] {
            b'(' => open = true,
            b')' => open = false,
            b':' if !open && rest.starts_with("::") => at += 1,
            b':' if !open => return at,
            _ => {}
        }
        at += 1;
        while !text.is_char_boundary(at) {
            at += 1;
        }
    }
    text.len()
}

fn source(text: &str, at: usize) -> Result<Source, SyntaxError> {
    if let Some(name) = text.strip_prefix('@') {
        return match is_name(name) {
            true => Ok(Source::Context(name.to_owned())),
            false => Err(SyntaxError::new(
                at,
                "`@` is followed by the name of a value of the context, such as `{@client}`",
            )),
        };
    }
    if text.contains('(') {
        return Err(SyntaxError::new(
            at,
            "a placeholder cannot call a function: name one behind a colon, such as `{x:crate::path::to::fn}`",
        ));
    }
    let mut parts = text.split('.');
    let name = parts.next().unwrap_or_default();
    if !is_name(name) {
        return Err(SyntaxError::new(
            at,
            format!(
                "`{text}` is not the name of an argument: write `{{id}}`, `{{user.id}}` or `{{@client}}`"
            ),
        ));
    }
    let fields: Vec<String> = parts.map(str::to_owned).collect();
    let is_field = |field: &String| {
        is_name(field) || !field.is_empty() && field.bytes().all(|byte| byte.is_ascii_digit())
    };
    match fields.iter().find(|field| !is_field(field)) {
        Some(field) => Err(SyntaxError::new(
            at,
            format!("`{field}` is not the name of a field: write `{{user.id}}` or `{{pair.0}}`"),
        )),
        None => Ok(Source::Argument {
            name: name.to_owned(),
            fields,
        }),
    }
}

fn transform(text: &str, source: &str, at: usize) -> Result<Transform, SyntaxError> {
    let (name, argument) = match text.split_once('(') {
        None => (text, None),
        Some((name, rest)) => match rest.strip_suffix(')') {
            Some(argument) => (name, Some(argument)),
            None => {
                return Err(SyntaxError::new(
                    at,
                    format!("a `(` that is not closed: write `{text})`"),
                ));
            }
        },
    };
    let transform = match name {
        "" => {
            return Err(SyntaxError::new(
                at,
                format!(
                    "nothing behind the colon: write `{{{source}}}`, or a transform such as `{{{source}:lower}}`"
                ),
            ));
        }
        "lower" => Transform::Lower,
        "upper" => Transform::Upper,
        "len" => Transform::Len,
        "hash" => Transform::Hash,
        "?" => Transform::Debug,
        "jwt" => return jwt(argument, source, at),
        _ if name.contains("::") && name.split("::").all(is_name) => {
            Transform::Path(name.to_owned())
        }
        _ => return Err(SyntaxError::new(at, unknown_transform(name, source))),
    };
    match argument {
        None => Ok(transform),
        Some(_) => Err(SyntaxError::new(
            at,
            format!("`{name}` takes nothing in parentheses: write `{{{source}:{name}}}`"),
        )),
    }
}

fn jwt(claim: Option<&str>, source: &str, at: usize) -> Result<Transform, SyntaxError> {
    match claim {
        Some(claim) if !claim.is_empty() && !claim.contains('(') => {
            Ok(Transform::Jwt(claim.to_owned()))
        }
        _ => Err(SyntaxError::new(
            at,
            format!("`jwt` needs the claim to show: write `{{{source}:jwt(sub)}}`"),
        )),
    }
}

// `len` and `?` look at the value itself, which is gone when a transform has made text of it.
fn follows(before: &Transform, transform: &Transform, at: usize) -> Result<(), SyntaxError> {
    let of_value = matches!(transform, Transform::Len | Transform::Debug);
    if !of_value || matches!(before, Transform::Path(_)) {
        return Ok(());
    }
    let name = if *transform == Transform::Len {
        "len"
    } else {
        "?"
    };
    Err(SyntaxError::new(
        at,
        format!("`{name}` looks at the value itself, so it comes first: `{{x:{name}}}`"),
    ))
}

fn is_name(text: &str) -> bool {
    let text = text.strip_prefix("r#").unwrap_or(text);
    let mut characters = text.chars();
    characters
        .next()
        .is_some_and(|first| first == '_' || first.is_alphabetic())
        && characters.all(|character| character == '_' || character.is_alphanumeric())
}
