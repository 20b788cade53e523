//! Whole numbers that a store counts in: decimal text without a head.

/// A whole number as a store's counters write it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Number(i64);

impl Number {
    /// `None` for what no counter writes: signs and zeros too many, what is out of range, anything but digits.
    pub(super) fn parse(bytes: &[u8]) -> Option<Self> {
        let digits = bytes.strip_prefix(b"-").unwrap_or(bytes);
        let is_decimal = match digits {
            [b'0'] => bytes.len() == 1,
            [b'1'..=b'9', rest @ ..] => rest.iter().all(u8::is_ascii_digit),
            _ => false,
        };
        if !is_decimal || bytes.len() > "-9223372036854775808".len() {
            return None;
        }
        std::str::from_utf8(bytes).ok()?.parse().ok().map(Self)
    }
}

#[cfg(feature = "serde")]
mod by_serde {
    use serde::de::value::Error;
    use serde::de::{Deserializer, Visitor};

    use super::Number;

    /// As any type of integer that has room for it, as a newtype of one, or as `Some`.
    impl<'de> Deserializer<'de> for Number {
        type Error = Error;

        fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
            visitor.visit_i64(self.0)
        }

        fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
            visitor.visit_some(self)
        }

        fn deserialize_newtype_struct<V: Visitor<'de>>(
            self,
            _: &'static str,
            visitor: V,
        ) -> Result<V::Value, Error> {
            visitor.visit_newtype_struct(self)
        }

        serde::forward_to_deserialize_any! {
            bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf
            unit unit_struct seq tuple tuple_struct map struct enum identifier ignored_any
        }
    }
}
