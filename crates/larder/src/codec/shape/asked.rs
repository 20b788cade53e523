//! The shape of a serde type, found out by asking its `Deserialize`.

use std::any::{TypeId, type_name};
use std::cell::RefCell;
use std::collections::HashMap;
use std::fmt::Write;
use std::panic::{AssertUnwindSafe, catch_unwind};

use foldhash::fast::FixedState;
use parking_lot::RwLock;
use serde::de::DeserializeOwned;

use super::look::{Given, Look, Node, Seen};
use super::{Shape, mark};

/// A type and whether the format is text, on which depends how some types describe themselves.
type Which = (TypeId, bool);

/// Static items cannot be generic, so all types share one.
static KNOWN: RwLock<HashMap<Which, Shape, FixedState>> =
    RwLock::new(HashMap::with_hasher(FixedState::with_seed(0)));

/// The shape of `V`; asked for once.
pub(in crate::codec) fn of<V: DeserializeOwned + 'static>(is_text: bool) -> Shape {
    let which = (TypeId::of::<V>(), is_text);
    if let Some(shape) = KNOWN.read().get(&which) {
        return *shape;
    }
    let shape = ask::<V>(is_text);
    KNOWN.write().insert(which, shape);
    shape
}

/// How many places of a type are looked at, and how deep they lie. What lies beyond counts by the type's name.
const PLACES: usize = 1_000;
const DEEPEST: usize = 32;
/// More elements of a tuple or an array than are looked at one by one.
const ELEMENTS: usize = 32;
/// A type of one name and of the same fields may stand inside itself once, as a list of lists does; the second time it is recursive.
const REPEATS: usize = 2;

fn ask<V: DeserializeOwned>(is_text: bool) -> Shape {
    let asking = Asking {
        look: &|path, give| look::<V>(path, give, is_text),
        is_text,
        path: Vec::new(),
        around: Vec::new(),
        left: PLACES,
        vague: Vague::default(),
        is_lossy: false,
    };
    asking.shape(type_name::<V>())
}

fn look<V: DeserializeOwned>(path: &[usize], give: Option<&[usize]>, is_text: bool) -> Seen {
    let seen = RefCell::new(Seen::default());
    let look = Look {
        path,
        give,
        is_text,
        seen: &seen,
    };
    // A `Deserialize` that panics on values nobody wrote is not asked further; what was seen before stays.
    let _ = catch_unwind(AssertUnwindSafe(|| V::deserialize(look).is_ok()));
    seen.into_inner()
}

type Looking<'a> = &'a dyn Fn(&[usize], Option<&[usize]>) -> Seen;

struct Asking<'a> {
    look: Looking<'a>,
    is_text: bool,
    /// Where it is now.
    path: Vec<usize>,
    /// The named types around it.
    around: Vec<Node>,
    left: usize,
    vague: Vague,
    is_lossy: bool,
}

/// Whether something that counts could not be seen.
#[derive(Clone, Copy, Default)]
struct Vague {
    named: bool,
    ordered: bool,
}

/// One place, written for formats with names and for those without.
#[derive(Default)]
struct Text {
    named: String,
    ordered: String,
}

impl Text {
    fn both(text: &str) -> Self {
        Self {
            named: text.to_owned(),
            ordered: text.to_owned(),
        }
    }

    fn push(&mut self, other: &Self) {
        self.named.push_str(&other.named);
        self.ordered.push_str(&other.ordered);
    }

    fn wrap(mut self, before: &str, after: &str) -> Self {
        for text in [&mut self.named, &mut self.ordered] {
            text.insert_str(0, before);
            text.push_str(after);
        }
        self
    }
}

impl Asking<'_> {
    fn shape(mut self, name: &str) -> Shape {
        let mut text = self.describe();
        if self.vague.named {
            text.named.push_str(name);
        }
        if self.vague.ordered {
            text.ordered.push_str(name);
        }
        Shape {
            named: mark(&text.named),
            ordered: mark(&text.ordered),
            is_lossy: self.is_lossy,
        }
    }

    fn node(&self) -> Option<Node> {
        (self.look)(&self.path, None).node
    }

    fn child(&mut self, step: usize) -> Text {
        self.path.push(step);
        let text = self.describe();
        self.path.pop();
        text
    }

    fn vague(&mut self, text: &str) -> Text {
        self.vague = Vague {
            named: true,
            ordered: true,
        };
        Text::both(text)
    }

    fn describe(&mut self) -> Text {
        if self.left == 0 || self.path.len() > DEEPEST {
            return self.vague("..");
        }
        self.left -= 1;
        match self.node() {
            None => self.vague("?"),
            Some(Node::Anything) => self.vague("any"),
            Some(Node::Leaf(leaf)) => Text::both(leaf),
            Some(Node::UnitStruct(name)) => Text::both(&format!("struct {name}")),
            Some(Node::Option) => {
                self.is_lossy |= self.reads_as_none();
                self.child(0).wrap("option(", ")")
            }
            Some(Node::Newtype(name)) => self.child(0).wrap(&format!("{name}("), ")"),
            Some(Node::Seq) => self.child(0).wrap("[", "]"),
            Some(Node::Map) => {
                let mut text = self.child(0);
                text.push(&Text::both(": "));
                text.push(&self.child(1));
                text.wrap("{", "}")
            }
            Some(Node::Tuple(name, len)) => self.tuple(name, len),
            Some(node @ (Node::Struct(..) | Node::Enum(..))) => self.named(node),
        }
    }

    /// Whether what an `Option` here has inside may be written as a nothing of its own.
    fn reads_as_none(&mut self) -> bool {
        let depth = self.path.len();
        let mut inside = Some(Node::Newtype(""));
        while let Some(Node::Newtype(_)) = inside
            && self.path.len() < DEEPEST
        {
            self.path.push(0);
            inside = self.node();
        }
        self.path.truncate(depth);
        match inside {
            Some(Node::Option | Node::Leaf("unit")) => true,
            Some(Node::UnitStruct(_)) => self.is_text,
            _ => false,
        }
    }

    fn tuple(&mut self, name: &str, len: usize) -> Text {
        let mut text = Text::default();
        for at in 0..len.min(ELEMENTS) {
            text.push(&self.child(at));
            text.push(&Text::both(", "));
        }
        text.wrap(&format!("{name}{len}("), ")")
    }

    fn named(&mut self, node: Node) -> Text {
        if self.around.iter().filter(|around| **around == node).count() >= REPEATS {
            return match node {
                Node::Struct(name, _) | Node::Enum(name, _) => Text::both(&format!("again {name}")),
                _ => Text::default(),
            };
        }
        self.around.push(node);
        let text = match node {
            Node::Struct(name, fields) => self.structure(name, fields),
            Node::Enum(name, variants) => {
                let parts = (0..variants.len())
                    .map(|at| (true, self.child(at)))
                    .collect();
                joined(&format!("enum {name}"), variants, parts)
            }
            _ => Text::default(),
        };
        self.around.pop();
        text
    }

    fn structure(&mut self, name: &str, fields: &'static [&'static str]) -> Text {
        let needed = self.needed(fields);
        let mut parts = Vec::with_capacity(fields.len());
        for (at, is_needed) in needed.into_iter().enumerate() {
            self.path.push(at);
            let is_option = self.node() == Some(Node::Option);
            let was_vague = self.vague.named;
            let text = self.describe();
            self.path.pop();
            let counts = is_needed || is_option;
            if !counts {
                self.vague.named = was_vague;
            }
            parts.push((counts, text));
        }
        joined(&format!("struct {name}"), fields, parts)
    }

    /// Which fields must be there: the struct is given those that it was found to miss, until it misses nothing.
    fn needed(&self, fields: &[&'static str]) -> Vec<bool> {
        let mut needed = vec![false; fields.len()];
        let mut given = Vec::new();
        loop {
            let missed = match (self.look)(&self.path, Some(&given)).given {
                Some(Given::Enough) => return needed,
                Some(Given::Missing(field)) => fields.iter().position(|name| *name == field),
                Some(Given::Refused) | None => None,
            };
            match missed {
                Some(at) if !needed[at] => {
                    needed[at] = true;
                    given.push(at);
                }
                // It does not say: all that it has not been asked about count.
                _ => {
                    let asked = given.last().map_or(0, |last| last + 1);
                    needed[asked..].fill(true);
                    return needed;
                }
            }
        }
    }
}

/// Names with what they stand for: in their order, and, for formats with names, the ones that count, sorted.
fn joined(title: &str, names: &[&str], parts: Vec<(bool, Text)>) -> Text {
    let mut all = Text::both(title).wrap("", " {");
    let mut counted = Vec::new();
    for (name, (counts, part)) in names.iter().zip(parts) {
        // Writing to a `String` cannot fail.
        let _ = write!(all.ordered, "{name}: {}, ", part.ordered);
        if counts {
            counted.push(format!("{name}: {}, ", part.named));
        }
    }
    counted.sort_unstable();
    all.named.extend(counted);
    all.wrap("", "}")
}
