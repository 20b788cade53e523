//! Commands and answers of the [meta protocol](https://github.com/memcached/memcached/blob/1.6.18/doc/protocol.txt).

use std::fmt::Write;
use std::sync::atomic::{AtomicU64, Ordering};

use super::names::Name;

/// No line of an answer is longer: a name may come back in it.
const LONGEST_LINE: usize = 2_048;

static NEXT: AtomicU64 = AtomicU64::new(1);

/// Commands that go out together, and how many answers they get.
#[derive(Debug)]
pub(super) struct Exchange {
    pub(super) bytes: Vec<u8>,
    pub(super) answers: usize,
    /// What the first answer must repeat if it says anything: whoever is out of step is found out.
    pub(super) number: u64,
}

impl Exchange {
    /// One that begins with a look at this item.
    pub(super) fn look(name: &Name, flags: &str) -> Self {
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let mut exchange = Self::empty(number);
        exchange.line("mg", name, None, format_args!("{flags} O{number}"));
        exchange
    }

    /// One that asks nothing but whether somebody is there.
    pub(super) fn hello() -> Self {
        let mut exchange = Self::empty(0);
        exchange.bytes.extend(b"mn\r\n");
        exchange.answers = 1;
        exchange
    }

    pub(super) fn empty(number: u64) -> Self {
        Self {
            bytes: Vec::with_capacity(256),
            answers: 0,
            number,
        }
    }

    pub(super) fn get(&mut self, name: &Name, flags: std::fmt::Arguments<'_>) {
        self.line("mg", name, None, flags);
    }

    pub(super) fn delete(&mut self, name: &Name, flags: std::fmt::Arguments<'_>) {
        self.line("md", name, None, flags);
    }

    /// Stores `value` and `tail` as one.
    pub(super) fn set(
        &mut self,
        name: &Name,
        value: &[u8],
        tail: &[u8],
        flags: std::fmt::Arguments<'_>,
    ) {
        self.line("ms", name, Some(value.len() + tail.len()), flags);
        self.bytes.extend_from_slice(value);
        self.bytes.extend_from_slice(tail);
        self.bytes.extend_from_slice(b"\r\n");
    }

    fn line(
        &mut self,
        command: &str,
        name: &Name,
        length: Option<usize>,
        flags: std::fmt::Arguments<'_>,
    ) {
        let mut line = String::with_capacity(64 + name.text.len());
        let _ = write!(line, "{command} {}", name.text);
        if let Some(length) = length {
            let _ = write!(line, " {length}");
        }
        if name.encoded {
            line.push_str(" b");
        }
        let _ = write!(line, " {flags}\r\n");
        self.bytes.extend_from_slice(line.as_bytes());
        self.answers += 1;
    }
}

/// What a command did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Code {
    /// `HD`, `VA`: done.
    Done,
    /// `EN`, `NF`: no such item.
    Nothing,
    /// `NS`: the condition does not hold.
    NotStored,
    /// `EX`: another version is there.
    Exists,
    /// `MN`.
    Noop,
    /// `SERVER_ERROR`: what it says.
    Refused(String),
}

/// One answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Answer {
    pub(super) code: Code,
    /// Empty where no value was asked for.
    pub(super) body: Vec<u8>,
    pub(super) cas: u64,
    pub(super) flags: u32,
    /// Seconds; -1 is for ever.
    pub(super) ttl: i64,
    pub(super) number: Option<u64>,
    /// Whether the item was made by this command (`W`).
    pub(super) made: bool,
}

impl Answer {
    pub(super) fn done(&self) -> bool {
        self.code == Code::Done
    }

    pub(super) fn too_large(&self) -> bool {
        matches!(&self.code, Code::Refused(said) if said.contains("too large"))
    }
}

/// What was found at the beginning of the input.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Parsed {
    /// An answer, and how many bytes it takes.
    Whole(Answer, usize),
    /// It is not all there; so many bytes are due, if that is known.
    Part(Option<usize>),
}

/// The first answer in `input`.
///
/// # Errors
/// What is no answer: nothing that follows can be trusted.
pub(super) fn parse(input: &[u8], longest: usize) -> Result<Parsed, String> {
    let within = &input[..input.len().min(LONGEST_LINE)];
    let Some(end) = within.iter().position(|byte| *byte == b'\n') else {
        return if within.len() == LONGEST_LINE {
            Err(garbage(input))
        } else {
            Ok(Parsed::Part(None))
        };
    };
    let line = std::str::from_utf8(&input[..end]).map_err(|_| garbage(input))?;
    let line = line.strip_suffix('\r').ok_or_else(|| garbage(input))?;
    let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
    let mut tokens = rest.split(' ').filter(|token| !token.is_empty());
    let mut taken = end + 1;
    let mut body = Vec::new();
    let code = match word {
        "HD" => Code::Done,
        "EN" | "NF" => Code::Nothing,
        "NS" => Code::NotStored,
        "EX" => Code::Exists,
        "MN" => Code::Noop,
        "SERVER_ERROR" => {
            // Words, not flags.
            tokens.by_ref().for_each(drop);
            Code::Refused(rest.to_owned())
        }
        "VA" => {
            let size = tokens.next().and_then(|token| token.parse().ok());
            let size: usize = size.ok_or_else(|| garbage(input))?;
            if size > longest {
                return Err(format!(
                    "it announced a value of {size} bytes where {longest} are the limit"
                ));
            }
            let Some(block) = input.get(taken..taken + size + 2) else {
                return Ok(Parsed::Part(Some(taken + size + 2)));
            };
            let value = block.strip_suffix(b"\r\n").ok_or_else(|| garbage(input))?;
            body = value.to_vec();
            taken += size + 2;
            Code::Done
        }
        // The server did not understand, so the commands and answers to come may not match any more.
        "CLIENT_ERROR" | "ERROR" => return Err(format!("it said `{}`", shown(line.as_bytes()))),
        _ => return Err(garbage(input)),
    };
    let mut answer = Answer {
        code,
        body,
        cas: 0,
        flags: 0,
        ttl: -1,
        number: None,
        made: false,
    };
    for token in tokens {
        let (letter, value) = token.split_at_checked(1).ok_or_else(|| garbage(input))?;
        let bad = |_| garbage(input);
        match letter {
            "c" => answer.cas = value.parse().map_err(bad)?,
            "f" => answer.flags = value.parse().map_err(bad)?,
            "t" => answer.ttl = value.parse().map_err(bad)?,
            "O" => answer.number = Some(value.parse().map_err(bad)?),
            "W" => answer.made = true,
            _ => {}
        }
    }
    Ok(Parsed::Whole(answer, taken))
}

fn garbage(input: &[u8]) -> String {
    format!("it said what is no answer: `{}`", shown(input))
}

/// The beginning of foreign bytes, fit for a message.
fn shown(bytes: &[u8]) -> String {
    let bytes = &bytes[..bytes.len().min(60)];
    bytes.escape_ascii().to_string()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn answers_of_memcached_are_read() {
        let input = b"VA 3 c2 f7 t100 O9 kabc Z X\r\na\nb\r\nHD\r\n";
        let whole = |input| match parse(input, 100) {
            Ok(Parsed::Whole(answer, taken)) => (answer, taken),
            other => panic!("{other:?}"),
        };
        let (answer, taken) = whole(input.as_slice());
        assert_eq!(&input[taken..], b"HD\r\n");
        assert_eq!((answer.cas, answer.flags, answer.ttl), (2, 7, 100));
        assert_eq!((answer.number, &*answer.body), (Some(9), &b"a\nb"[..]));
        let refused = b"SERVER_ERROR object too large for cache\r\n";
        let (answer, _) = whole(refused);
        assert!(answer.too_large());
        assert_eq!(parse(b"VA 3 c2\r\nab", 100), Ok(Parsed::Part(Some(14))));
        assert_eq!(parse(b"VA 3 c2", 100), Ok(Parsed::Part(None)));
    }

    #[test]
    fn what_is_no_answer_ends_the_talk() {
        let long = vec![b'H'; LONGEST_LINE];
        for bad in [
            &b"VA 101 c2\r\n"[..],
            b"VA x\r\n",
            b"VA 1\r\nabc\r\n",
            b"HD c-1\r\n",
            b"HD\n",
            b"ERROR\r\n",
            b"CLIENT_ERROR bad data chunk\r\n",
            b"HTTP/1.1 400 Bad Request\r\n",
            b"\xff\xff\r\n",
            &long,
        ] {
            assert!(parse(bad, 100).is_err(), "{}", bad.escape_ascii());
        }
    }

    proptest! {
        #[test]
        fn foreign_bytes_never_panic(input in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = parse(&input, 100);
        }

        #[test]
        fn lines_like_answers_never_panic(word in "HD|VA|EN|SERVER_ERROR", rest in "[ cftO0-9é-]{0,20}", tail in "[\r\n]{0,3}") {
            let _ = parse(format!("{word} {rest}{tail}").as_bytes(), 100);
        }
    }
}
