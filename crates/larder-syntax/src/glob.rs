//! Glob patterns with the rules of Redis (`KEYS`, `SCAN ... MATCH`).
//!
//! `*` is any text, `?` any byte, `[abc]`, `[a-z]` and `[^a]` one byte of a set, and `\` takes the special
//! meaning away. Matching is by bytes: `?` is a part of `é`, not all of it.
//!
//! The rules are those of `stringmatchlen` in Redis 7, with its habits: a range may be written backwards, an
//! open `[` goes to the end of the pattern, and a `\` at the end stands for itself.

/// Does the whole text match the pattern?
///
/// Takes at most time proportional to the product of the lengths, whatever the pattern.
///
/// ```
/// use larder_syntax::glob;
///
/// assert!(glob::matches("user:*:name", "user:7:name"));
/// assert!(glob::matches("h[^e]llo", "hallo"));
/// assert!(!glob::matches("user:?", "user:17"));
/// ```
pub fn matches(pattern: &str, text: &str) -> bool {
    let (pattern, text) = (pattern.as_bytes(), text.as_bytes());
    let (mut at, mut here) = (0, 0);
    // Behind the last `*`, and where the text it took ended when it was tried last. Every other element takes
    // exactly one byte, so if anything has to change it is what the last `*` took.
    let mut star: Option<(usize, usize)> = None;
    while here < text.len() {
        let next = match pattern.get(at) {
            Some(b'*') => {
                at += 1;
                star = Some((at, here));
                continue;
            }
            Some(_) => element(&pattern[at..], text[here]).map(|taken| at + taken),
            None => None,
        };
        match (next, star) {
            (Some(next), _) => (at, here) = (next, here + 1),
            (None, Some((behind, end))) => {
                star = Some((behind, end + 1));
                (at, here) = (behind, end + 1);
            }
            (None, None) => return false,
        }
    }
    pattern[at..].iter().all(|byte| *byte == b'*')
}

/// How long the first element of the pattern is, if it takes this byte.
fn element(pattern: &[u8], byte: u8) -> Option<usize> {
    match pattern {
        [b'?', ..] => Some(1),
        [b'[', set @ ..] => {
            let (taken, length) = one_of(set, byte);
            taken.then_some(1 + length)
        }
        [b'\\', escaped, ..] => (*escaped == byte).then_some(2),
        [plain, ..] => (*plain == byte).then_some(1),
        [] => None,
    }
}

/// Whether a set, which starts behind its `[`, holds the byte, and how long it is.
fn one_of(set: &[u8], byte: u8) -> (bool, usize) {
    let negated = set.first() == Some(&b'^');
    let mut at = usize::from(negated);
    let mut found = false;
    loop {
        match &set[at..] {
            [] => break,
            [b'\\', escaped, ..] => {
                found |= *escaped == byte;
                at += 2;
            }
            [b']', ..] => {
                at += 1;
                break;
            }
            [from, b'-', to, ..] => {
                found |= (*from.min(to)..=*from.max(to)).contains(&byte);
                at += 3;
            }
            [plain, ..] => {
                found |= *plain == byte;
                at += 1;
            }
        }
    }
    (found != negated, at)
}

/// The pattern that matches this text and no other.
///
/// ```
/// use larder_syntax::glob;
///
/// let pattern = format!("file:{}:*", glob::escape("a[1].txt"));
/// assert!(glob::matches(&pattern, "file:a[1].txt:size"));
/// assert!(!glob::matches(&pattern, "file:a1.txt:size"));
/// ```
pub fn escape(text: &str) -> String {
    let mut pattern = String::with_capacity(text.len());
    for character in text.chars() {
        if matches!(character, '*' | '?' | '[' | ']' | '\\') {
            pattern.push('\\');
        }
        pattern.push(character);
    }
    pattern
}

/// The text that everything that matches starts with; with a pattern that has nothing special, all of it.
///
/// ```
/// assert_eq!(larder_syntax::glob::literal_prefix(r"a\*:b*c"), "a*:b");
/// ```
pub fn literal_prefix(pattern: &str) -> String {
    let mut prefix = String::new();
    let mut characters = pattern.chars();
    while let Some(character) = characters.next() {
        match character {
            '*' | '?' | '[' => break,
            '\\' => prefix.push(characters.next().unwrap_or('\\')),
            _ => prefix.push(character),
        }
    }
    prefix
}
