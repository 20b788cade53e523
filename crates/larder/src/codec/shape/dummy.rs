//! Invented values, to get past what stands before the place that is looked at.

use serde::de::value::StrDeserializer;
use serde::de::{
    DeserializeSeed, Deserializer, EnumAccess, MapAccess, SeqAccess, VariantAccess, Visitor,
};

use super::look::Halt;

/// A small plain value of any type that does not refuse it.
#[derive(Clone, Copy)]
pub(super) struct Dummy {
    is_text: bool,
    depth: usize,
}

/// Deeper than this a type has no end.
const DEEPEST: usize = 24;
/// From here on other variants than the first are tried: the first may be the one that nests.
const TURN: usize = 4;

impl Dummy {
    pub(super) fn new(is_text: bool) -> Self {
        Self { is_text, depth: 0 }
    }

    fn deeper(self) -> Result<Self, Halt> {
        let depth = self.depth + 1;
        match depth < DEEPEST {
            true => Ok(Self { depth, ..self }),
            false => Err(Halt::HERE),
        }
    }
}

macro_rules! plain {
    ($($name:ident $visit:ident($value:expr))*) => {$(
        fn $name<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Halt> {
            visitor.$visit($value)
        }
    )*};
}

impl<'de> Deserializer<'de> for Dummy {
    type Error = Halt;

    // One, because zero is what types of numbers refuse; and a text that is a number.
    plain! {
        deserialize_bool visit_bool(true) deserialize_char visit_char('1')
        deserialize_i8 visit_i8(1) deserialize_i16 visit_i16(1) deserialize_i32 visit_i32(1)
        deserialize_i64 visit_i64(1) deserialize_i128 visit_i128(1)
        deserialize_u8 visit_u8(1) deserialize_u16 visit_u16(1) deserialize_u32 visit_u32(1)
        deserialize_u64 visit_u64(1) deserialize_u128 visit_u128(1)
        deserialize_f32 visit_f32(1.0) deserialize_f64 visit_f64(1.0)
        deserialize_str visit_borrowed_str("1") deserialize_string visit_string("1".to_owned())
        deserialize_bytes visit_borrowed_bytes(b"1") deserialize_byte_buf visit_byte_buf(b"1".to_vec())
        deserialize_identifier visit_borrowed_str("1")
    }

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Halt> {
        visitor.visit_unit()
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Halt> {
        visitor.visit_unit()
    }

    fn deserialize_unit<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Halt> {
        visitor.visit_unit()
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Halt> {
        visitor.visit_unit()
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Halt> {
        visitor.visit_none()
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Halt> {
        visitor.visit_newtype_struct(self.deeper()?)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Halt> {
        self.deserialize_tuple(0, visitor)
    }

    fn deserialize_tuple<V: Visitor<'de>>(self, len: usize, visitor: V) -> Result<V::Value, Halt> {
        visitor.visit_seq(Several {
            left: len,
            fields: &[],
            dummy: self.deeper()?,
        })
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        len: usize,
        visitor: V,
    ) -> Result<V::Value, Halt> {
        self.deserialize_tuple(len, visitor)
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Halt> {
        self.deserialize_struct("", &[], visitor)
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Halt> {
        visitor.visit_map(Several {
            left: 0,
            fields,
            dummy: self.deeper()?,
        })
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Halt> {
        let dummy = self.deeper()?;
        let turn = dummy.depth.saturating_sub(TURN);
        let variant = variants
            .get(turn % variants.len().max(1))
            .ok_or(Halt::HERE)?;
        visitor.visit_enum(OneOf { variant, dummy })
    }

    fn is_human_readable(&self) -> bool {
        self.is_text
    }
}

struct Several {
    left: usize,
    fields: &'static [&'static str],
    dummy: Dummy,
}

impl<'de> SeqAccess<'de> for Several {
    type Error = Halt;

    fn next_element_seed<T: DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, Halt> {
        match self.left.checked_sub(1) {
            None => Ok(None),
            Some(left) => {
                self.left = left;
                seed.deserialize(self.dummy).map(Some)
            }
        }
    }
}

impl<'de> MapAccess<'de> for Several {
    type Error = Halt;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, Halt> {
        let [field, rest @ ..] = self.fields else {
            return Ok(None);
        };
        self.fields = rest;
        seed.deserialize(StrDeserializer::new(field)).map(Some)
    }

    fn next_value_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<T::Value, Halt> {
        seed.deserialize(self.dummy)
    }
}

struct OneOf {
    variant: &'static str,
    dummy: Dummy,
}

impl<'de> EnumAccess<'de> for OneOf {
    type Error = Halt;
    type Variant = Dummy;

    fn variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<(T::Value, Dummy), Halt> {
        let variant = seed.deserialize(StrDeserializer::<Halt>::new(self.variant))?;
        Ok((variant, self.dummy))
    }
}

impl<'de> VariantAccess<'de> for Dummy {
    type Error = Halt;

    fn unit_variant(self) -> Result<(), Halt> {
        Ok(())
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<T::Value, Halt> {
        seed.deserialize(self)
    }

    fn tuple_variant<V: Visitor<'de>>(self, len: usize, visitor: V) -> Result<V::Value, Halt> {
        self.deserialize_tuple(len, visitor)
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Halt> {
        self.deserialize_struct("", fields, visitor)
    }
}
