//! Values of serde types, in each format.

use std::marker::PhantomData;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::entry::Cacheable;
use crate::entry::{Kind, Value};

use super::bounded::Steps;
use super::counter::Number;
use super::format::Format;
use super::limited::Limited;
use super::shape::{self, Shape};
use super::wire::{Coded, Coder, with};

/// Writes and reads a `V` by serde.
pub(super) struct BySerde<V>(PhantomData<fn() -> V>);

impl<V> BySerde<V> {
    pub(super) const NEW: Self = Self(PhantomData);
}

impl<V: Cacheable + Serialize + DeserializeOwned> Coder for BySerde<V> {
    fn own_shape(&self) -> Option<&'static str> {
        None
    }

    fn shape(&self, is_text: bool) -> Shape {
        shape::of::<V>(is_text)
    }

    fn encode(&self, format: Format, kind: Kind, value: &Value, out: &mut Limited) -> Coded<()> {
        with(kind, value, |value: &V| write(format, value, out))
    }

    fn decode(&self, format: Format, bytes: &[u8]) -> Coded<(Kind, Value)> {
        read::<V>(format, bytes).map(Value::new)
    }

    fn number(&self, number: Number) -> Coded<(Kind, Value)> {
        Ok(Value::new(V::deserialize(number)?))
    }
}

fn write<V: Serialize>(format: Format, value: &V, out: &mut Limited) -> Coded<()> {
    match format {
        Format::MessagePack => Ok(rmp_serde::encode::write_named(out, value)?),
        #[cfg(feature = "json")]
        Format::Json | Format::Plain => Ok(serde_json::to_writer(out, value)?),
        #[cfg(feature = "postcard")]
        Format::Postcard => Ok(postcard::to_io(value, out).map(|_| ())?),
    }
}

fn read<V: DeserializeOwned>(format: Format, bytes: &[u8]) -> Coded<V> {
    let steps = Steps::of(bytes.len());
    match format {
        Format::MessagePack => {
            let mut source = rmp_serde::Deserializer::from_read_ref(bytes);
            let value = V::deserialize(steps.bound(&mut source))?;
            // The reader does not show what it has left. Asking for more must find the end.
            match bool::deserialize(&mut source) {
                Err(rmp_serde::decode::Error::InvalidMarkerRead(_)) => Ok(value),
                _ => Err("there is more than a value".into()),
            }
        }
        #[cfg(feature = "json")]
        Format::Json | Format::Plain => {
            let mut source = serde_json::Deserializer::from_slice(bytes);
            let value = V::deserialize(steps.bound(&mut source))?;
            source.end()?;
            Ok(value)
        }
        #[cfg(feature = "postcard")]
        Format::Postcard => {
            let mut source = postcard::Deserializer::from_bytes(bytes);
            let value = V::deserialize(steps.bound(&mut source))?;
            match source.finalize()? {
                [] => Ok(value),
                _ => Err("there is more than a value".into()),
            }
        }
    }
}
