//! How much a message may hold, and the readers of lists and maps that stop there.
//!
//! A limit on bytes alone would let a megabyte of `"","",…` become many times as much in memory, so lists and maps
//! are counted while they are read.

use std::collections::BTreeMap;
use std::fmt;
use std::marker::PhantomData;

use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};

/// Longest request, record or message to a provider, in bytes. A NATS server takes no more where nobody configured
/// it otherwise (`max_payload`, 1 MiB).
pub const MAX_REQUEST: usize = 1 << 20;
/// Longest reply or event, in bytes: the inventory of a host with 10,000 components, and the most that the
/// documentation of NATS advises for `max_payload`.
pub const MAX_REPLY: usize = 8 << 20;
/// Most labels, annotations, constraints or limits in one map.
pub const MAX_LABELS: usize = 1_000;
/// Most names in one list: of configs, interfaces, tags.
pub const MAX_NAMES: usize = 1_000;
/// Most entries of one config.
pub const MAX_VALUES: usize = 10_000;
/// Most links, components, providers or claims in one list.
pub const MAX_ITEMS: usize = 100_000;

/// Keys and values that people choose: labels, annotations, constraints.
pub type Labels = BTreeMap<String, String>;

/// Reads a list of at most `MAX` items; `null` is an empty one.
pub(crate) fn list<'de, D, T, const MAX: usize>(from: D) -> Result<Vec<T>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    Ok(optional_list::<D, T, MAX>(from)?.unwrap_or_default())
}

/// Reads a list of at most `MAX` items; `null` is none.
pub(crate) fn optional_list<'de, D, T, const MAX: usize>(from: D) -> Result<Option<Vec<T>>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    from.deserialize_option(List::<T, MAX>(PhantomData))
}

/// Reads a map of at most `MAX` entries; `null` is an empty one.
pub(crate) fn map<'de, D, V, const MAX: usize>(from: D) -> Result<BTreeMap<String, V>, D::Error>
where
    D: Deserializer<'de>,
    V: Deserialize<'de>,
{
    Ok(optional_map::<D, V, MAX>(from)?.unwrap_or_default())
}

/// Reads a map of at most `MAX` entries; `null` is none.
pub(crate) fn optional_map<'de, D, V, const MAX: usize>(
    from: D,
) -> Result<Option<BTreeMap<String, V>>, D::Error>
where
    D: Deserializer<'de>,
    V: Deserialize<'de>,
{
    from.deserialize_option(Map::<V, MAX>(PhantomData))
}

struct List<T, const MAX: usize>(PhantomData<T>);

impl<'de, T: Deserialize<'de>, const MAX: usize> Visitor<'de> for List<T, MAX> {
    type Value = Option<Vec<T>>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a list of at most {MAX} items")
    }

    fn visit_none<E: Error>(self) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_unit<E: Error>(self) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_some<D: Deserializer<'de>>(self, from: D) -> Result<Self::Value, D::Error> {
        from.deserialize_seq(self)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Self::Value, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element()? {
            if list.len() == MAX {
                return Err(A::Error::custom(format_args!("more than {MAX} items")));
            }
            list.push(item);
        }
        Ok(Some(list))
    }
}

struct Map<V, const MAX: usize>(PhantomData<V>);

impl<'de, V: Deserialize<'de>, const MAX: usize> Visitor<'de> for Map<V, MAX> {
    type Value = Option<BTreeMap<String, V>>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a map of at most {MAX} entries")
    }

    fn visit_none<E: Error>(self) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_unit<E: Error>(self) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_some<D: Deserializer<'de>>(self, from: D) -> Result<Self::Value, D::Error> {
        from.deserialize_map(self)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Self::Value, A::Error> {
        let mut map = BTreeMap::new();
        while let Some((key, value)) = entries.next_entry()? {
            map.insert(key, value);
            if map.len() > MAX {
                return Err(A::Error::custom(format_args!("more than {MAX} entries")));
            }
        }
        Ok(Some(map))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(serde::Deserialize)]
    struct Small {
        #[serde(default, deserialize_with = "list::<_, _, 2>")]
        list: Vec<String>,
        #[serde(default, deserialize_with = "optional_map::<_, _, 2>")]
        map: Option<BTreeMap<String, u8>>,
    }

    #[test]
    fn lists_and_maps_end_at_their_limit() {
        let read = serde_json::from_str::<Small>;
        let full = read(r#"{"list":["a","b"],"map":{"a":1,"b":2}}"#).unwrap();
        assert_eq!((full.list.len(), full.map.map(|map| map.len())), (2, Some(2)));
        for empty in ["{}", r#"{"list":null,"map":null}"#] {
            let empty = read(empty).unwrap();
            assert!(empty.list.is_empty() && empty.map.is_none());
        }
        let refused = |json| read(json).err().unwrap().to_string();
        assert!(refused(r#"{"list":["a","b","c"]}"#).starts_with("more than 2 items"));
        assert!(refused(r#"{"map":{"a":1,"b":2,"c":3}}"#).starts_with("more than 2 entries"));
        assert!(refused(r#"{"map":[]}"#).contains("expected a map of at most 2 entries"));
    }
}
