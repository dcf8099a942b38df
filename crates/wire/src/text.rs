//! How names that `wasmcloud-core` checks stand in JSON: as their text.

use std::fmt::Display;
use std::str::FromStr;

use serde::de::{Deserialize, Deserializer, Error};
use serde::ser::Serializer;

pub(crate) fn serialize<T: Display, S: Serializer>(name: &T, to: S) -> Result<S::Ok, S::Error> {
    to.collect_str(name)
}

pub(crate) fn deserialize<'de, T, D>(from: D) -> Result<T, D::Error>
where
    T: FromStr<Err: Display>,
    D: Deserializer<'de>,
{
    Name::deserialize(from).map(|name| name.0)
}

/// One name, so that lists of names are lists of something that can be read.
struct Name<T>(T);

impl<'de, T: FromStr<Err: Display>> Deserialize<'de> for Name<T> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = String::deserialize(from)?;
        text.parse().map(Self).map_err(D::Error::custom)
    }
}

/// A name that may be missing.
pub(crate) mod optional {
    use super::*;

    pub(crate) fn serialize<T: Display, S: Serializer>(name: &Option<T>, to: S) -> Result<S::Ok, S::Error> {
        match name {
            Some(name) => to.collect_str(name),
            None => to.serialize_none(),
        }
    }

    pub(crate) fn deserialize<'de, T, D>(from: D) -> Result<Option<T>, D::Error>
    where
        T: FromStr<Err: Display>,
        D: Deserializer<'de>,
    {
        Ok(Option::<Name<T>>::deserialize(from)?.map(|name| name.0))
    }
}

/// A list of names.
pub(crate) mod list {
    use super::*;
    use crate::limit::{self, MAX_NAMES};

    pub(crate) fn serialize<T: Display, S: Serializer>(names: &[T], to: S) -> Result<S::Ok, S::Error> {
        to.collect_seq(names.iter().map(ToString::to_string))
    }

    pub(crate) fn deserialize<'de, T, D>(from: D) -> Result<Vec<T>, D::Error>
    where
        T: FromStr<Err: Display>,
        D: Deserializer<'de>,
    {
        let names = limit::list::<_, Name<T>, MAX_NAMES>(from)?;
        Ok(names.into_iter().map(|name| name.0).collect())
    }
}
