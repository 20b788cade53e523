//! Values as they stand in the keys of templates.

use std::fmt::{self, Write as _};

use super::buf::{KeyBuf, Sink as _};
use super::escape;

mod impls;

/// A value that can stand in a key template.
///
/// Everything with [`Display`](fmt::Display) can stand there without this trait. Implement it for a type
/// that has no `Display`, or one that is not meant for machines. Two values that differ must render
/// differently, or they share an entry: call [`PartWriter::text`] once, or use [`PartWriter::list`] for
/// several parts. The text should not change from one release to the next.
///
/// ```
/// use larder::{KeyPart, PartWriter};
///
/// struct Place { country: &'static str, city: &'static str }
///
/// impl KeyPart for Place {
///     fn render(&self, out: &mut PartWriter<'_>) {
///         out.list([self.country, self.city]);
///     }
/// }
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be shown in a key",
    label = "this has neither `larder::KeyPart` nor `Display`",
    note = "name a field of it (`{{x.id}}`), show it with `{{x:?}}` or `{{x:path::to::fn}}`, leave it out with `skip = [x]`, or implement `larder::KeyPart`"
)]
pub trait KeyPart {
    /// Writes the value.
    fn render(&self, out: &mut PartWriter<'_>);

    /// What `{x:len}` shows in a template made at run time: the number of elements, or of bytes of a text.
    fn length(&self) -> Option<usize> {
        None
    }
}

/// Where a [`KeyPart`] writes itself; what it writes is escaped.
#[derive(Debug)]
pub struct PartWriter<'a> {
    out: &'a mut KeyBuf,
    stop: Option<u8>,
    case: Case,
    escapes: Escapes,
    // How many `Some` stand around the value, and how many lists.
    somes: u32,
    lists: u32,
    absent: bool,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Case {
    Kept,
    Lower,
    Upper,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Escapes {
    Always,
    /// Only for the elements of lists, which nothing else keeps apart: what a digest is taken of.
    InLists,
}

impl<'a> PartWriter<'a> {
    #[doc(hidden)]
    #[inline(always)]
    pub fn new(out: &'a mut KeyBuf, stop: Option<u8>) -> PartWriter<'a> {
        PartWriter {
            out,
            stop,
            case: Case::Kept,
            escapes: Escapes::Always,
            somes: 0,
            lists: 0,
            absent: false,
        }
    }

    /// Writes a text. Several of them run together: `text("ab")` and `text("a")`, `text("b")` are the same.
    ///
    /// ```
    /// # use larder::{KeyPart, PartWriter};
    /// struct Name(String);
    ///
    /// impl KeyPart for Name {
    ///     fn render(&self, out: &mut PartWriter<'_>) {
    ///         out.text(&self.0);
    ///     }
    /// }
    /// ```
    #[inline(always)]
    pub fn text(&mut self, text: &str) {
        if (self.lists, self.case, self.escapes) == (0, Case::Kept, Escapes::Always) {
            return self.out.value(text, self.stop);
        }
        self.styled_text(text);
    }

    #[cold]
    fn styled_text(&mut self, text: &str) {
        let text = match self.case {
            Case::Kept => text,
            Case::Lower => &text.to_lowercase(),
            Case::Upper => &text.to_uppercase(),
        };
        match (self.escapes, self.lists) {
            (Escapes::InLists, 0) => self.out.literal(text),
            (Escapes::Always, 0) => self.out.value(text, self.stop),
            _ => self
                .out
                .escaped(text, [self.stop.unwrap_or(b'%'), self.separator()]),
        }
    }

    /// Writes what `value` displays.
    ///
    /// ```
    /// # use larder::{KeyPart, PartWriter};
    /// struct Version(u16, u16);
    ///
    /// impl KeyPart for Version {
    ///     fn render(&self, out: &mut PartWriter<'_>) {
    ///         out.display(format_args!("{}.{}", self.0, self.1));
    ///     }
    /// }
    /// ```
    pub fn display(&mut self, value: impl fmt::Display) {
        // Escapes are made character by character, so the pieces can be escaped as they come; the case of
        // a letter may depend on its neighbours.
        let written = match self.case {
            Case::Kept => write!(Pieces(|piece: &str| self.text(piece)), "{value}"),
            Case::Lower | Case::Upper => {
                self.text(&value.to_string());
                Ok(())
            }
        };
        written.expect("a key takes every text");
    }

    /// Writes a whole number.
    ///
    /// ```
    /// # use larder::{KeyPart, PartWriter};
    /// struct Id(u64);
    ///
    /// impl KeyPart for Id {
    ///     fn render(&self, out: &mut PartWriter<'_>) {
    ///         out.number(self.0);
    ///     }
    /// }
    /// ```
    #[inline(always)]
    pub fn number(&mut self, number: u64) {
        if self.stop.is_none_or(|stop| !stop.is_ascii_digit()) {
            return self.out.number(number);
        }
        let mut text = KeyBuf::new();
        text.number(number);
        self.text(text.as_str());
    }

    /// Writes several values; an empty list, and a list in a list, can be told from a text.
    ///
    /// ```
    /// # use larder::{KeyPart, PartWriter};
    /// struct Range { from: u32, to: u32 }
    ///
    /// impl KeyPart for Range {
    ///     fn render(&self, out: &mut PartWriter<'_>) {
    ///         out.list([self.from, self.to]);
    ///     }
    /// }
    /// ```
    pub fn list<T: KeyPart>(&mut self, elements: impl IntoIterator<Item = T>) {
        let nested = self.lists > 0;
        self.lists += 1;
        if nested {
            self.out.literal("%(");
        }
        let mut elements = elements.into_iter().peekable();
        if elements.peek().is_none() {
            self.out.literal("%empty");
        }
        while let Some(element) = elements.next() {
            element.render(self);
            if elements.peek().is_some() {
                self.out.push(u64::from(self.separator()), 1);
            }
        }
        if nested {
            self.out.literal("%)");
        }
        self.lists -= 1;
    }

    /// Writes that there is no value.
    ///
    /// ```
    /// # use larder::{KeyPart, PartWriter};
    /// enum Owner { Nobody, User(u64) }
    ///
    /// impl KeyPart for Owner {
    ///     fn render(&self, out: &mut PartWriter<'_>) {
    ///         match self {
    ///             Owner::Nobody => out.none(),
    ///             Owner::User(id) => out.number(*id),
    ///         }
    ///     }
    /// }
    /// ```
    pub fn none(&mut self) {
        // One mark for everything around it, or `None`, `Some(None)` and `[None]` would be the same text.
        for _ in 0..self.somes + self.lists {
            self.out.literal("%some");
        }
        self.out.literal("%none");
        self.absent |= self.lists == 0;
    }

    #[inline(always)]
    fn some(&mut self, value: &(impl KeyPart + ?Sized)) {
        self.somes += 1;
        value.render(self);
        self.somes -= 1;
    }

    // A list that is followed by `,` needs another character between its elements.
    fn separator(&self) -> u8 {
        if self.stop == Some(b',') { b';' } else { b',' }
    }

    // Bytes of a text that may not be UTF-8: those that are not become escapes, and no text renders the
    // escape of such a byte. Only where texts are escaped too, so a digest takes the escaped form.
    fn bytes(&mut self, bytes: &[u8]) {
        let escapes = std::mem::replace(&mut self.escapes, Escapes::Always);
        for chunk in bytes.utf8_chunks() {
            self.text(chunk.valid());
            escape::escape_bytes(self.out, chunk.invalid());
        }
        self.escapes = escapes;
    }

    /// Writes `text`, which no value can render, as it is.
    pub(super) fn mark(&mut self, text: &str) {
        self.out.literal(text);
    }

    /// Renders `part` in another case. The last of two transforms is the outer one, so it decides.
    pub(super) fn cased(&mut self, case: Case, part: &(impl KeyPart + ?Sized)) {
        let outer = self.case;
        if outer == Case::Kept {
            self.case = case;
        }
        part.render(self);
        self.case = outer;
    }

    /// Hands the text of `part` to `change` and writes what it makes of it. No value stays no value.
    pub(super) fn changed(
        &mut self,
        part: &(impl KeyPart + ?Sized),
        change: impl FnOnce(&mut Self, &str),
    ) {
        let mut text = KeyBuf::new();
        let mut inner = PartWriter::new(&mut text, None);
        inner.escapes = Escapes::InLists;
        part.render(&mut inner);
        match inner.absent {
            true => self.none(),
            false => change(self, text.as_str()),
        }
    }
}

/// What formatting writes, piece by piece.
pub(super) struct Pieces<F>(pub(super) F);

impl<F: FnMut(&str)> fmt::Write for Pieces<F> {
    fn write_str(&mut self, piece: &str) -> fmt::Result {
        (self.0)(piece);
        Ok(())
    }
}
