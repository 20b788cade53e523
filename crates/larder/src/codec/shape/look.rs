//! What a type asks for at one place inside it.
//!
//! A source of values that gives none: it follows a path of choices into the type, notes what the type asks for at its end, and stops with an error.
//! So nothing has to be constructed on the way, and types that refuse invented values can still be looked at.

use std::cell::RefCell;
use std::fmt;

use serde::de::value::StrDeserializer;
use serde::de::{
    self, DeserializeSeed, Deserializer, EnumAccess, MapAccess, SeqAccess, VariantAccess, Visitor,
};

use super::dummy::Dummy;

type Names = &'static [&'static str];

/// What a type asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Node {
    Leaf(&'static str),
    Anything,
    Option,
    UnitStruct(&'static str),
    Newtype(&'static str),
    Seq,
    Tuple(&'static str, usize),
    Map,
    Struct(&'static str, Names),
    Enum(&'static str, Names),
}

/// What became of a struct that was given some of its fields.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Given {
    Enough,
    Missing(&'static str),
    Refused,
}

/// What was seen at the end of the path.
#[derive(Debug, Default)]
pub(super) struct Seen {
    pub(super) node: Option<Node>,
    pub(super) given: Option<Given>,
}

/// Why it stopped: always, at the latest where the path ends.
#[derive(Debug)]
pub(super) struct Halt {
    missing: Option<&'static str>,
}

impl Halt {
    pub(super) const HERE: Self = Self { missing: None };
}

impl fmt::Display for Halt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("this source has no values")
    }
}

impl std::error::Error for Halt {}

impl de::Error for Halt {
    fn custom<T: fmt::Display>(_: T) -> Self {
        Self::HERE
    }

    fn missing_field(field: &'static str) -> Self {
        Self {
            missing: Some(field),
        }
    }
}

#[derive(Clone, Copy)]
pub(super) struct Look<'a> {
    /// Which child is gone into, at each level that is left.
    pub(super) path: &'a [usize],
    /// At the end of the path stands a struct, and it is given these of its fields, to see which it then misses.
    pub(super) give: Option<&'a [usize]>,
    pub(super) is_text: bool,
    pub(super) seen: &'a RefCell<Seen>,
}

impl<'a> Look<'a> {
    fn note<T>(self, node: Node) -> Result<T, Halt> {
        if self.path.is_empty() {
            self.seen.borrow_mut().node.get_or_insert(node);
        }
        Err(Halt::HERE)
    }

    /// The choice to be made here, and how it goes on; without one this is the end, and `node` is noted.
    fn choose(self, node: Node) -> Result<(usize, Self), Halt> {
        match self.path {
            [step, path @ ..] => Ok((*step, Self { path, ..self })),
            [] => self.note(node),
        }
    }

    fn structure<'de, V: Visitor<'de>>(
        self,
        node: Node,
        fields: Names,
        visitor: V,
    ) -> Result<V::Value, Halt> {
        if let (Some(give), []) = (self.give, self.path) {
            let given = match visitor.visit_map(Fields {
                look: self,
                fields,
                left: give,
                is_gone_into: false,
            }) {
                Ok(_) => Given::Enough,
                Err(Halt { missing: None }) => Given::Refused,
                Err(Halt {
                    missing: Some(field),
                }) => Given::Missing(field),
            };
            self.seen.borrow_mut().given.get_or_insert(given);
            return Err(Halt::HERE);
        }
        let (step, look) = self.choose(node)?;
        visitor.visit_map(Fields {
            look,
            fields,
            left: &[step],
            is_gone_into: true,
        })
    }

    fn dummy(self) -> Dummy {
        Dummy::new(self.is_text)
    }
}

macro_rules! leaves {
    ($($name:ident $leaf:literal)*) => {$(
        fn $name<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Halt> {
            self.note(Node::Leaf($leaf))
        }
    )*};
}

macro_rules! anything {
    ($($name:ident)*) => {$(
        fn $name<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Halt> {
            self.note(Node::Anything)
        }
    )*};
}

impl<'de> Deserializer<'de> for Look<'_> {
    type Error = Halt;

    leaves! {
        deserialize_bool "bool" deserialize_char "char"
        deserialize_i8 "i8" deserialize_i16 "i16" deserialize_i32 "i32" deserialize_i64 "i64" deserialize_i128 "i128"
        deserialize_u8 "u8" deserialize_u16 "u16" deserialize_u32 "u32" deserialize_u64 "u64" deserialize_u128 "u128"
        deserialize_f32 "f32" deserialize_f64 "f64"
        deserialize_str "text" deserialize_string "text"
        deserialize_bytes "bytes" deserialize_byte_buf "bytes"
        deserialize_unit "unit"
    }

    anything! { deserialize_any deserialize_ignored_any deserialize_identifier }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Halt> {
        let (_, look) = self.choose(Node::Option)?;
        visitor.visit_some(look)
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        _: V,
    ) -> Result<V::Value, Halt> {
        self.note(Node::UnitStruct(name))
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Halt> {
        let (_, look) = self.choose(Node::Newtype(name))?;
        visitor.visit_newtype_struct(look)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Halt> {
        let (_, look) = self.choose(Node::Seq)?;
        visitor.visit_seq(Elements::new(0, look))
    }

    fn deserialize_tuple<V: Visitor<'de>>(self, len: usize, visitor: V) -> Result<V::Value, Halt> {
        self.deserialize_tuple_struct("", len, visitor)
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        len: usize,
        visitor: V,
    ) -> Result<V::Value, Halt> {
        let (before, look) = self.choose(Node::Tuple(name, len))?;
        visitor.visit_seq(Elements::new(before, look))
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Halt> {
        let (step, look) = self.choose(Node::Map)?;
        visitor.visit_map(Pair {
            step,
            look,
            is_over: false,
        })
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        fields: Names,
        visitor: V,
    ) -> Result<V::Value, Halt> {
        self.structure(Node::Struct(name, fields), fields, visitor)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        variants: Names,
        visitor: V,
    ) -> Result<V::Value, Halt> {
        let (step, look) = self.choose(Node::Enum(name, variants))?;
        let variant = variants.get(step).ok_or(Halt::HERE)?;
        visitor.visit_enum(Variant { variant, look })
    }

    fn is_human_readable(&self) -> bool {
        self.is_text
    }
}

/// Invented elements, then the one that is gone into, then none: some types go on after an error.
struct Elements<'a> {
    before: usize,
    look: Option<Look<'a>>,
    dummy: Dummy,
}

impl<'a> Elements<'a> {
    fn new(before: usize, look: Look<'a>) -> Self {
        Self {
            before,
            look: Some(look),
            dummy: look.dummy(),
        }
    }
}

impl<'de> SeqAccess<'de> for Elements<'_> {
    type Error = Halt;

    fn next_element_seed<T: DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, Halt> {
        match self.before.checked_sub(1) {
            Some(before) => {
                self.before = before;
                seed.deserialize(self.dummy).map(Some)
            }
            None => match self.look.take() {
                Some(look) => seed.deserialize(look).map(Some),
                None => Ok(None),
            },
        }
    }
}

/// A key that is gone into, or an invented key and its value that is.
struct Pair<'a> {
    step: usize,
    look: Look<'a>,
    is_over: bool,
}

impl<'de> MapAccess<'de> for Pair<'_> {
    type Error = Halt;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, Halt> {
        if std::mem::replace(&mut self.is_over, true) {
            return Ok(None);
        }
        match self.step {
            0 => seed.deserialize(self.look).map(Some),
            _ => seed.deserialize(self.look.dummy()).map(Some),
        }
    }

    fn next_value_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<T::Value, Halt> {
        seed.deserialize(self.look)
    }
}

/// Some fields, and then none.
struct Fields<'a> {
    look: Look<'a>,
    fields: Names,
    /// Gone into if it is one, given an invented value if it is several.
    left: &'a [usize],
    is_gone_into: bool,
}

impl<'de> MapAccess<'de> for Fields<'_> {
    type Error = Halt;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, Halt> {
        let [field, left @ ..] = self.left else {
            return Ok(None);
        };
        self.left = left;
        let name = self.fields.get(*field).ok_or(Halt::HERE)?;
        seed.deserialize(StrDeserializer::new(name)).map(Some)
    }

    fn next_value_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<T::Value, Halt> {
        match self.is_gone_into {
            true => seed.deserialize(self.look),
            false => seed.deserialize(self.look.dummy()),
        }
    }
}

/// A variant that is gone into.
struct Variant<'a> {
    variant: &'static str,
    look: Look<'a>,
}

impl<'de> EnumAccess<'de> for Variant<'_> {
    type Error = Halt;
    type Variant = Self;

    fn variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<(T::Value, Self), Halt> {
        let variant = seed.deserialize(StrDeserializer::<Halt>::new(self.variant))?;
        Ok((variant, self))
    }
}

impl<'de> VariantAccess<'de> for Variant<'_> {
    type Error = Halt;

    fn unit_variant(self) -> Result<(), Halt> {
        self.look.note(Node::Leaf("variant"))
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<T::Value, Halt> {
        let (_, look) = self.look.choose(Node::Newtype(""))?;
        seed.deserialize(look)
    }

    fn tuple_variant<V: Visitor<'de>>(self, len: usize, visitor: V) -> Result<V::Value, Halt> {
        self.look.deserialize_tuple_struct("", len, visitor)
    }

    fn struct_variant<V: Visitor<'de>>(self, fields: Names, visitor: V) -> Result<V::Value, Halt> {
        self.look
            .structure(Node::Struct("", fields), fields, visitor)
    }
}
