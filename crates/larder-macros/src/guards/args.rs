//! The grammar of a guard's attribute: a few words are read here, all others are handed on to the library.

use proc_macro2::{Ident, TokenStream};
use syn::parse::Parser;
use syn::{Expr, LitStr};

use super::is_closure;
use crate::args::{Args, Knob, expression, list, text};
use crate::diagnose::Errors;

/// The word by which a cached function tells a guard on its body what the function is called. Not for people.
pub(crate) const FUNCTION: &str = "__function";

/// The word by which it tells a filter who may call the function. Not for people.
pub(crate) const VISIBLE: &str = "__visible";

/// What the attribute of a guard says.
#[derive(Default)]
pub(crate) struct GuardArgs {
    /// What all attributes share; the guard's own knobs stand in `constant` and `open`.
    pub(crate) common: Args,
    /// Which errors are failures to the guard.
    pub(crate) exceptions: Option<Expr>,
    /// The function's name, where the item has another.
    pub(crate) function: Option<LitStr>,
    /// The function's visibility, where the item has another.
    pub(crate) visible: Option<LitStr>,
    /// The name of a filter.
    pub(crate) filter: Option<LitStr>,
}

/// The guards that ask what came back.
const LOOK_AT_ERRORS: &[&str] = &["circuit_breaker", "slow_call"];

impl GuardArgs {
    pub(crate) fn parse(guard: &str, tokens: TokenStream) -> syn::Result<Self> {
        let mut args = Self::default();
        let mut errors = Errors::default();
        let mut seen: Vec<Ident> = Vec::new();
        for knob in list.parse2(tokens)? {
            if seen.contains(&knob.name) && knob.name != "associated" {
                let message = format!("`{}` is given twice: keep one", knob.name);
                errors.add(&knob.name, message);
                continue;
            }
            seen.push(knob.name.clone());
            errors.keep(args.read(guard, knob));
        }
        errors.finish().map(|()| args)
    }

    fn read(&mut self, guard: &str, knob: Knob) -> syn::Result<()> {
        let Knob { name, value } = knob;
        match name.to_string().as_str() {
            FUNCTION => self.function = Some(text(&name, value, "user")?),
            VISIBLE => self.visible = Some(text(&name, value, "pub")?),
            "filter" if guard == "bloom" => {
                self.filter = Some(text(&name, value, "filter = \"users\"")?)
            }
            "skip" | "no_handle" if guard == "bloom" => self.common.read(Knob { name, value })?,
            "exceptions" if LOOK_AT_ERRORS.contains(&guard) => {
                let closure = expression(&name, value)?;
                if !is_closure(&closure) {
                    let message = "`exceptions` says which errors are failures: write `exceptions = |error| ..`";
                    return Err(syn::Error::new_spanned(closure, message));
                }
                self.exceptions = Some(closure);
            }
            "exceptions" => {
                let message = format!(
                    "`{guard}` does not ask what came back: `exceptions` is for `circuit_breaker` and `slow_call`"
                );
                return Err(syn::Error::new_spanned(name, message));
            }
            "key" | "cache" | "crate" | "version" | "associated" | "result" | "option"
            | "plain" => {
                self.common.read(Knob { name, value })?;
            }
            _ => self.common.hand_on(name, value)?,
        }
        Ok(())
    }
}
