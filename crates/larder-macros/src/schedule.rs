//! What `#[background(..)]` says beyond `#[cached(..)]`: when the function runs by itself.

use proc_macro2::{Ident, Span, TokenStream};
use quote::quote_spanned;
use syn::parse::Parser;
use syn::{Expr, ExprLit, ItemFn, Lit};

use crate::args::{Args, Given, Knob, Shape, alone, expression, list, literal};
use crate::diagnose::Errors;
use crate::model::Function;
use crate::tokens;

/// When a function runs by itself, and who hears of its errors.
#[derive(Default)]
pub(crate) struct Schedule {
    /// Knobs with a literal.
    pub(crate) constant: Vec<(Ident, TokenStream)>,
    /// Knobs with an expression: evaluated when the schedule is started.
    pub(crate) open: Vec<(Ident, Expr)>,
    pub(crate) on_error: Option<(Ident, Expr)>,
    on_demand: Option<Ident>,
    every: Option<Ident>,
}

const SAY_HOW_OFTEN: &str = "say how often it runs: `every = \"30s\"`, or `on_demand` and a `ttl`";

const SAY_HOW_LONG: &str =
    "without an interval nothing says how long a value is kept: add `ttl = \"10m\"`";

pub(crate) fn parse(tokens: TokenStream) -> syn::Result<Args> {
    let (mut args, mut schedule) = (Args::default(), Schedule::default());
    let mut errors = Errors::default();
    let mut seen: Vec<Ident> = Vec::new();
    for knob in list.parse2(tokens)? {
        if seen.contains(&knob.name) {
            let message = format!("`{}` is given twice: keep one", knob.name);
            errors.add(&knob.name, message);
            continue;
        }
        seen.push(knob.name.clone());
        errors.keep(schedule.read(knob, &mut args));
    }
    errors.finish()?;
    if let Some(error) = schedule.missing(&args) {
        return Err(error);
    }
    args.schedule = Some(schedule);
    Ok(args)
}

impl Schedule {
    fn read(&mut self, knob: Knob, args: &mut Args) -> syn::Result<()> {
        let Knob { name, value } = knob;
        match name.to_string().as_str() {
            "every" => self.read_every(name, value, args),
            "on_demand" => {
                self.on_demand = Some(alone(&name, value)?);
                args.background.get_or_insert(name);
                Ok(())
            }
            "run_now" => {
                let name = alone(&name, value)?;
                let flag = quote_spanned!(tokens::placed(name.span())=> Flag);
                self.constant.push((name, flag));
                Ok(())
            }
            "jitter" => {
                let value = expression(&name, value)?;
                self.knob(name, value)
            }
            "on_error" => {
                let closure = expression(&name, value)?;
                if !matches!(closure, Expr::Closure(_) | Expr::Path(_)) {
                    let message = "`on_error` is called with each error of a scheduled run: write `on_error = |error| ..`";
                    return Err(syn::Error::new_spanned(closure, message));
                }
                self.on_error = Some((name, closure));
                Ok(())
            }
            _ => args.read(Knob { name, value }),
        }
    }

    /// Also says for how long a value is kept, unless something else does.
    fn read_every(&mut self, name: Ident, value: Given, args: &mut Args) -> syn::Result<()> {
        let value = match value {
            Given::Value(value) => value,
            _ => return Err(syn::Error::new(name.span(), SAY_HOW_OFTEN)),
        };
        let own = Ident::new("__every", name.span());
        if !is_zero(&value) {
            args.says_ttl = true;
            match literal(&name, &value)? {
                Some(literal) => args.constant.push((own, literal)),
                None => args.open.insert(0, (own, value.clone())),
            }
        }
        args.background.get_or_insert(name.clone());
        self.every = Some(name.clone());
        self.knob(name, value)
    }

    fn knob(&mut self, name: Ident, value: Expr) -> syn::Result<()> {
        match literal(&name, &value)? {
            Some(literal) => self.constant.push((name, literal)),
            None => self.open.push((name, value)),
        }
        Ok(())
    }

    fn missing(&self, args: &Args) -> Option<syn::Error> {
        let here = |message| Some(syn::Error::new(Span::call_site(), message));
        match (&self.every, &self.on_demand) {
            (None, None) => here(SAY_HOW_OFTEN),
            (Some(every), Some(_)) => {
                let message = "`every` and `on_demand` contradict each other: keep one";
                Some(syn::Error::new(every.span(), message))
            }
            (_, Some(word)) | (Some(word), _) if !args.says_ttl => {
                Some(syn::Error::new(word.span(), SAY_HOW_LONG))
            }
            _ => None,
        }
    }
}

/// Whether a literal is an interval of no time: nothing is scheduled.
fn is_zero(value: &Expr) -> bool {
    let Expr::Lit(ExprLit { lit, .. }) = value else {
        return false;
    };
    match lit {
        Lit::Int(int) => int.base10_digits() == "0",
        Lit::Str(text) => {
            larder_syntax::duration::parse(&text.value())
                == Err(larder_syntax::duration::DurationError::Zero)
        }
        _ => false,
    }
}

/// What cannot run by itself.
pub(crate) fn validate(args: &Args, item: &ItemFn) -> syn::Result<()> {
    let mut errors = Errors::default();
    let function = Function::new(item.clone(), args);
    let on_a_free_function = "a schedule has no `self` to run on: put `#[background]` on a free function that takes what it needs, in an `Arc` if it is large";
    if let Some(receiver) = item.sig.receiver() {
        errors.add(receiver, on_a_free_function);
    } else if let Some(associated) = &args.associated {
        errors.add(associated, on_a_free_function);
    } else if let Some(found) = tokens::self_type(item) {
        errors.push(syn::Error::new(found, on_a_free_function));
    }
    if let Some(flag) = &args.no_handle {
        errors.add(
            flag,
            "the schedule is started by the handle: remove `no_handle`",
        );
    }
    let on_error = args.schedule.as_ref().and_then(|s| s.on_error.as_ref());
    if let Some((name, _)) = on_error
        && function.shape != Shape::Result
    {
        errors.add(name, "`on_error` needs a function that returns a `Result`: return one (add `result` if it is an alias of one), or remove `on_error`");
    }
    errors.finish()
}
