//! A [`Loaded`] as bytes: `{ value, validator }`. What was said of storing stays behind.

use std::fmt;
use std::marker::PhantomData;

use serde::de::{self, Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde::ser::{Serialize, SerializeStruct, Serializer};

use super::Loaded;

const FIELDS: [&str; 2] = ["value", "validator"];

impl<T: Serialize> Serialize for Loaded<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut fields = serializer.serialize_struct("Loaded", 2)?;
        fields.serialize_field("value", &self.value)?;
        fields.serialize_field("validator", &self.validator)?;
        fields.end()
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Loaded<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_struct("Loaded", &FIELDS, Fields(PhantomData))
    }
}

struct Fields<T>(PhantomData<T>);

/// The name of a field, or one that is not known here.
struct Name(Option<usize>);

impl<'de> Deserialize<'de> for Name {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Text;

        impl Visitor<'_> for Text {
            type Value = Name;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("`value` or `validator`")
            }

            fn visit_str<E: de::Error>(self, name: &str) -> Result<Name, E> {
                Ok(Name(FIELDS.iter().position(|field| *field == name)))
            }
        }

        deserializer.deserialize_identifier(Text)
    }
}

impl<'de, T: Deserialize<'de>> Visitor<'de> for Fields<T> {
    type Value = Loaded<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value and its validator")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut fields: A) -> Result<Loaded<T>, A::Error> {
        let lacks = |at| move || de::Error::invalid_length(at, &"two fields");
        let value = fields.next_element()?.ok_or_else(lacks(0))?;
        let validator = fields.next_element()?.ok_or_else(lacks(1))?;
        Ok(loaded(value, validator))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<Loaded<T>, A::Error> {
        let (mut value, mut validator) = (None, None);
        while let Some(Name(field)) = fields.next_key()? {
            match field {
                Some(0) => value = Some(fields.next_value()?),
                Some(_) => validator = fields.next_value()?,
                None => drop(fields.next_value::<de::IgnoredAny>()?),
            }
        }
        let value = value.ok_or_else(|| de::Error::missing_field("value"))?;
        Ok(loaded(value, validator))
    }
}

fn loaded<T>(value: T, validator: Option<String>) -> Loaded<T> {
    Loaded {
        value,
        validator: validator.map(Into::into),
        orders: None,
    }
}
