//! Literals of attributes as what the knobs of guards need; evaluated by the compiler, so that a panic is a compile error at the literal.

use super::Outage;
use crate::policy::{FOREVER, Fault, IntoSpan, Lit, Span};
use crate::store::Window;

/// A span of time that ends, in nanoseconds, of a builder.
pub(super) fn finite(span: impl IntoSpan) -> Result<u64, Fault> {
    match span.into_span()? {
        Span(FOREVER) => Err(Fault::ForeverNotHere),
        Span(span) => Ok(span),
    }
}

impl Lit {
    /// A whole number from 1 on.
    #[track_caller]
    pub(crate) const fn count(self) -> u64 {
        match self {
            Self::Int(count) if count >= 1 && count <= u32::MAX as i128 => count as u64,
            _ => panic!("this is a whole number from 1 to 4294967295"),
        }
    }

    /// A span of time that ends, in nanoseconds.
    #[track_caller]
    pub(crate) const fn finite(self) -> u64 {
        match self.span() {
            Ok(span) if span.0 == FOREVER => {
                panic!("\"forever\" cannot stand here: give a span like \"1m\"")
            }
            Ok(span) => span.0,
            Err(fault) => panic!("{}", fault.message()),
        }
    }

    /// A share in parts of a million.
    #[track_caller]
    pub(crate) const fn part(self) -> u32 {
        match self.share() {
            Ok(share) => share,
            Err(fault) => panic!("{}", fault.message()),
        }
    }

    /// Nothing: the knob stands alone.
    #[track_caller]
    pub(crate) const fn flag(self) {
        match self {
            Self::Flag => {}
            _ => panic!("this knob stands alone, without a value"),
        }
    }

    /// A number that may have a fraction.
    #[track_caller]
    pub(crate) const fn number(self) -> f64 {
        match self {
            Self::Float(number) => number,
            Self::Int(number) => number as f64,
            _ => panic!("this is a number, like 2 or 1.5"),
        }
    }

    #[track_caller]
    pub(crate) const fn window(self) -> Window {
        if let Self::Text(word) = self {
            match word.as_bytes() {
                b"fixed" => return Window::Fixed,
                b"sliding" => return Window::Sliding,
                b"gcra" => return Window::Gcra,
                _ => {}
            }
        }
        panic!("a window is \"fixed\", \"sliding\" or \"gcra\"")
    }

    #[track_caller]
    pub(crate) const fn outage(self) -> Outage {
        if let Self::Text(word) = self
            && let Some(outage) = Outage::of(word)
        {
            return outage;
        }
        panic!(
            "say what happens when the store cannot be asked: \"open\" lets calls through, \"closed\" refuses them"
        )
    }
}
