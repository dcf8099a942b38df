//! A manifest as a tree of values with positions, before anybody asks what they mean.
//!
//! Knows the kinds of values YAML and JSON share and how a plain word becomes one of them; reading the text is
//! left to [`crate::yaml`].

use std::sync::Arc;

use serde_json::Value as Json;

use crate::source::Position;

/// A value and where it was written.
#[derive(Clone, Debug)]
pub(crate) struct Node {
    pub(crate) value: Value,
    pub(crate) at: Position,
}

#[derive(Clone, Debug)]
pub(crate) enum Value {
    Null,
    /// A plain word that is neither text nor nothing; kept as it was written.
    Plain(Kind, Arc<str>),
    Text(Arc<str>),
    List(Vec<Node>),
    Map(Vec<Entry>),
}

/// One key of a map with its value. Keys are always text here; the reader refuses others.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) key: Arc<str>,
    pub(crate) key_at: Position,
    pub(crate) value: Node,
}

/// What a plain (unquoted) word means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Bool,
    Whole,
    Fraction,
}

impl Value {
    /// What this is, in words.
    pub(crate) fn describe(&self) -> &'static str {
        match self {
            Self::Null => "nothing",
            Self::Plain(Kind::Bool, _) => "a boolean",
            Self::Plain(Kind::Whole | Kind::Fraction, _) => "a number",
            Self::Text(_) => "text",
            Self::List(_) => "a list",
            Self::Map(_) => "a map",
        }
    }

    /// The value of a plain word by the rules of YAML 1.2's core schema, as v1's parser had them: `yes` and `on`
    /// are text, and so is a number with leading zeros.
    pub(crate) fn of_plain(word: &str) -> Self {
        match word {
            "" | "~" | "null" | "Null" | "NULL" => return Self::Null,
            "true" | "True" | "TRUE" | "false" | "False" | "FALSE" => {
                return Self::Plain(Kind::Bool, word.into());
            }
            _ => {}
        }
        match number_kind(word) {
            Some(kind) => Self::Plain(kind, word.into()),
            None => Self::Text(word.into()),
        }
    }
}

fn number_kind(word: &str) -> Option<Kind> {
    let digits = |text: &str, radix: u32| !text.is_empty() && text.chars().all(|c| c.is_digit(radix));
    let unsigned = word.strip_prefix(['+', '-']).unwrap_or(word);
    if matches!(unsigned, ".inf" | ".Inf" | ".INF") || matches!(word, ".nan" | ".NaN" | ".NAN") {
        return Some(Kind::Fraction);
    }
    for (prefix, radix) in [("0x", 16), ("0o", 8), ("0b", 2)] {
        if unsigned
            .strip_prefix(prefix)
            .is_some_and(|rest| digits(rest, radix))
        {
            return Some(Kind::Whole);
        }
    }
    let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent)),
        None => (unsigned, None),
    };
    let (whole, fraction) = match mantissa.split_once('.') {
        Some((whole, fraction)) => (whole, Some(fraction)),
        None => (mantissa, None),
    };
    let leading_zero = whole.len() > 1 && whole.starts_with('0');
    let whole_ok = !leading_zero && (whole.is_empty() || digits(whole, 10));
    let fraction_ok = fraction.is_none_or(|fraction| fraction.is_empty() || digits(fraction, 10));
    let some_digit = mantissa.contains(|c: char| c.is_ascii_digit());
    let exponent_ok = exponent.is_none_or(|e| digits(e.strip_prefix(['+', '-']).unwrap_or(e), 10));
    match whole_ok && fraction_ok && some_digit && exponent_ok {
        false => None,
        true if fraction.is_none() && exponent.is_none() => Some(Kind::Whole),
        true => Some(Kind::Fraction),
    }
}

impl Node {
    /// The entries of a map; none where this is something else.
    pub(crate) fn entries(&self) -> &[Entry] {
        match &self.value {
            Value::Map(entries) => entries,
            _ => &[],
        }
    }

    /// The items of a list; none where this is something else.
    pub(crate) fn items(&self) -> &[Self] {
        match &self.value {
            Value::List(items) => items,
            _ => &[],
        }
    }

    /// The value of a key of a map.
    pub(crate) fn get(&self, key: &str) -> Option<&Self> {
        self.entries()
            .iter()
            .find(|entry| &*entry.key == key)
            .map(|entry| &entry.value)
    }

    /// The text this is, if it is text.
    pub(crate) fn text(&self) -> Option<&str> {
        match &self.value {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The whole number this is, if it is one that fits.
    pub(crate) fn whole(&self) -> Option<u64> {
        match &self.value {
            Value::Plain(Kind::Whole, word) => parse_whole(word),
            _ => None,
        }
    }

    /// The same value as JSON.
    pub(crate) fn to_json(&self) -> Json {
        match &self.value {
            Value::Null => Json::Null,
            Value::Plain(Kind::Bool, word) => Json::Bool(word.starts_with(['t', 'T'])),
            Value::Plain(_, word) => {
                let number = parse_whole(word).map(Json::from);
                let number = number.or_else(|| word.parse::<i64>().ok().map(Json::from));
                // What JSON has no number for, such as `.inf`, stays the word it was.
                number
                    .or_else(|| word.parse::<f64>().ok().and_then(finite))
                    .unwrap_or_else(|| (&**word).into())
            }
            Value::Text(text) => Json::String(text.to_string()),
            Value::List(items) => Json::Array(items.iter().map(Self::to_json).collect()),
            Value::Map(entries) => Json::Object(
                entries
                    .iter()
                    .map(|e| (e.key.to_string(), e.value.to_json()))
                    .collect(),
            ),
        }
    }
}

fn finite(number: f64) -> Option<Json> {
    serde_json::Number::from_f64(number).map(Json::Number)
}

fn parse_whole(word: &str) -> Option<u64> {
    let word = word.strip_prefix('+').unwrap_or(word);
    for (prefix, radix) in [("0x", 16), ("0o", 8), ("0b", 2)] {
        if let Some(rest) = word.strip_prefix(prefix) {
            return u64::from_str_radix(rest, radix).ok();
        }
    }
    word.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_words() {
        let kind = |word: &str| match Value::of_plain(word) {
            Value::Plain(kind, _) => format!("{kind:?}"),
            other => other.describe().to_owned(),
        };
        for (words, expect) in [
            ("null|~|", "nothing"),
            ("true|False|TRUE", "Bool"),
            ("0|1|-5|+7|0x1f|0o17|18446744073709551616", "Whole"),
            ("1.0|.5|1.|1e3|-1.5E-3|.inf|-.INF|.nan", "Fraction"),
            (
                "yes|on|no|012|1_000|1.2.3|.|e|+|-|0x|1e|v1|12:30|64MiB|127.0.0.1|tRUE|+.nan|00.5",
                "text",
            ),
        ] {
            for word in words.split('|') {
                assert_eq!(kind(word), expect, "{word:?}");
            }
        }
    }

    #[test]
    fn numbers_become_json_numbers() {
        let json = |word: &str| {
            Node {
                value: Value::of_plain(word),
                at: Position::default(),
            }
            .to_json()
            .to_string()
        };
        assert_eq!(json("20"), "20");
        assert_eq!(json("0x10"), "16");
        assert_eq!(json("-3"), "-3");
        assert_eq!(json("1.5"), "1.5");
        assert_eq!(json(".inf"), "\".inf\"");
        assert_eq!(json("true"), "true");
    }
}
