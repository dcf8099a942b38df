//! Compares what was written with the tables of [`crate::grammar`].
//!
//! Finds everything that is wrong with the form: unknown fields, missing ones, values of the wrong kind. After it,
//! reading fields out of the tree needs no further complaints.

use std::sync::Arc;

use wasmcloud_core::{nearest, parse_bytes, parse_duration};

use crate::diagnostic::Sink;
use crate::shape::{Field, OneOf, Shape, Table};
use crate::source::Position;
use crate::tree::{Entry, Kind, Node, Value};

/// Longest text that is repeated whole in a message.
const QUOTED: usize = 60;

/// Checks a value against a shape. `what` names the value: `` `image` ``.
pub(crate) fn check(node: &Node, shape: &Shape, what: &str, sink: &mut Sink) {
    match shape {
        Shape::Text => {
            text(node, what, sink);
        }
        Shape::Choice(words, older) => choice(node, words, older, what, sink),
        Shape::Count(least, most) => count(node, *least, *most, what, sink),
        Shape::Bytes => match &node.value {
            Value::Text(text) => {
                if let Err(error) = parse_bytes(text) {
                    sink.error(node.at, error.to_string());
                }
            }
            Value::Plain(Kind::Whole, _) if node.whole().is_some() => {}
            other => wrong_kind(node.at, what, "a size such as `64MiB`", other, sink),
        },
        Shape::Duration => match &node.value {
            Value::Text(text) => {
                if let Err(error) = parse_duration(text) {
                    sink.error(node.at, error.to_string());
                }
            }
            Value::Plain(_, word) => {
                sink.error(node.at, format!("{what} has no unit"))
                    .hint(format!("write `{word}s` or `{word}ms`"));
            }
            other => wrong_kind(node.at, what, "a duration such as `5s`", other, sink),
        },
        Shape::TextMap(item) => text_map(node, item, what, sink),
        Shape::List(shape) => match &node.value {
            Value::List(items) => {
                let what = format!("an item of {what}");
                items.iter().for_each(|item| check(item, shape, &what, sink));
            }
            other => {
                wrong_kind(node.at, what, "a list", other, sink);
            }
        },
        Shape::Table(known) => table(node, known, what, sink),
        Shape::TableOrText(known, instead) => match &node.value {
            Value::Text(text) => {
                sink.warning(node.at, format!("{what} as a text is deprecated"))
                    .hint(format!("write `{}`", instead.replace('…', &shorten(text))));
            }
            _ => table(node, known, what, sink),
        },
        Shape::Trait(kinds) => any_trait(node, kinds, what, sink),
    }
}

fn wrong_kind(at: Position, what: &str, expect: &str, found: &Value, sink: &mut Sink) {
    let found = match found {
        Value::Text(text) => format!("text (`{}`)", shorten(text)),
        Value::Plain(_, word) => format!("{} (`{}`)", found.describe(), shorten(word)),
        other => other.describe().to_owned(),
    };
    sink.error(at, format!("{what} must be {expect}, this is {found}"));
}

/// Whether this is text; if not, it says so, and how to write what was meant.
fn text(node: &Node, what: &str, sink: &mut Sink) -> bool {
    match &node.value {
        Value::Text(_) => true,
        Value::Plain(_, word) => {
            let found = node.value.describe();
            sink.error(node.at, format!("{what} must be text, this is {found}"))
                .hint(format!("quote it: `\"{word}\"`"));
            false
        }
        Value::Null => {
            sink.error(node.at, format!("{what} must be text, this is nothing"))
                .hint("write `\"\"` for an empty text");
            false
        }
        other => {
            wrong_kind(node.at, what, "text", other, sink);
            false
        }
    }
}

fn choice(node: &Node, words: &[&str], older: &[&str], what: &str, sink: &mut Sink) {
    if !text(node, what, sink) {
        return;
    }
    let Some(word) = node.text() else { return };
    if words.contains(&word) || older.contains(&word) {
        return;
    }
    let all = words
        .iter()
        .map(|word| format!("`{word}`"))
        .collect::<Vec<_>>()
        .join(" or ");
    let message = match nearest(word, words.iter().copied()) {
        Some(meant) => format!("{what} is `{}`, did you mean `{meant}`?", shorten(word)),
        None => format!("{what} is `{}`, it must be {all}", shorten(word)),
    };
    sink.error(node.at, message);
}

fn count(node: &Node, least: u64, most: u64, what: &str, sink: &mut Sink) {
    match (&node.value, node.whole()) {
        (_, Some(number)) if (least..=most).contains(&number) => {}
        (Value::Plain(Kind::Whole, word), _) => {
            sink.error(
                node.at,
                format!("{what} is {}, it must be from {least} to {most}", shorten(word)),
            );
        }
        (Value::Text(text), _) if text.parse::<u64>().is_ok() => {
            sink.error(node.at, format!("{what} must be a whole number, this is text"))
                .hint(format!("write it without quotes: `{text}`"));
        }
        (other, _) => wrong_kind(node.at, what, "a whole number", other, sink),
    }
}

fn text_map(node: &Node, item: &str, what: &str, sink: &mut Sink) {
    let Value::Map(entries) = &node.value else {
        return wrong_kind(node.at, what, "a map of names to texts", &node.value, sink);
    };
    for Entry { key, key_at, value } in entries {
        let what = format!("{item} `{}`", shorten(key));
        match &value.value {
            // v1 takes texts only, and its message names neither key nor place; ours shows the line to write.
            Value::Plain(_, word) => {
                let found = value.value.describe();
                sink.error(value.at, format!("{what} must be text, this is {found}"))
                    .hint(format!("quote it: `{}: \"{word}\"`", shorten(key)));
            }
            Value::Null => {
                sink.error(*key_at, format!("{what} has no value"))
                    .hint("write `\"\"` for an empty text");
            }
            _ => {
                text(value, &what, sink);
            }
        }
    }
}

fn table(node: &Node, known: &Table, what: &str, sink: &mut Sink) {
    let Value::Map(entries) = &node.value else {
        return wrong_kind(node.at, what, "a map", &node.value, sink);
    };
    let mut written: Vec<(&Field, &Entry)> = Vec::with_capacity(entries.len());
    let mut misspelt: Vec<&str> = Vec::new();
    for entry in entries {
        let Some(field) = known.fields.iter().find(|field| field.is(&entry.key)) else {
            misspelt.extend(unknown_field(entry, known, sink));
            continue;
        };
        if let Some((_, first)) = written.iter().find(|(other, _)| std::ptr::eq(*other, field)) {
            sink.error(
                entry.key_at,
                format!("`{}` and `{}` mean the same", first.key, entry.key),
            )
            .related(first.key_at, "written here first");
            continue;
        }
        written.push((field, entry));
        if let Some(instead) = field.instead {
            sink.warning(entry.key_at, format!("`{}` is deprecated", field.name))
                .hint(format!("write `{instead}`"));
        }
        // A field without a value counts as not written.
        if !matches!(entry.value.value, Value::Null) {
            check(&entry.value, &field.shape, &format!("`{}`", entry.key), sink);
        }
    }
    // A map without entries has no better place than its own.
    let own = Position {
        width: node.at.width.max(1),
        ..node.at
    };
    let at = entries.first().map_or(own, |first| first.key_at);
    required_fields(at, known, &written, &misspelt, sink);
    if let Some(one_of) = &known.one_of {
        exactly_one(at, one_of, node, &misspelt, sink);
    }
}

/// A misspelt field is not missing as well.
fn required_fields(
    at: Position,
    known: &Table,
    written: &[(&Field, &Entry)],
    misspelt: &[&str],
    sink: &mut Sink,
) {
    for field in known.fields.iter().filter(|field| field.required) {
        match written.iter().find(|(other, _)| std::ptr::eq(*other, field)) {
            Some((_, entry)) if matches!(entry.value.value, Value::Null) => {
                let message = format!("field `{}` of {} has no value", field.name, known.noun);
                sink.error(entry.key_at, message);
            }
            Some(_) => {}
            None if misspelt.contains(&field.name) => {}
            None => {
                sink.error(at, format!("missing field `{}` in {}", field.name, known.noun))
                    .hint(format!("`{}`: {}", field.name, in_passing(field.doc)));
            }
        }
    }
}

fn exactly_one(at: Position, one_of: &OneOf, node: &Node, misspelt: &[&str], sink: &mut Sink) {
    let OneOf {
        fields,
        both,
        neither,
    } = one_of;
    let values = fields.iter().filter_map(|name| node.get(name));
    let present: Vec<&Node> = values.filter(|node| !matches!(node.value, Value::Null)).collect();
    match present.as_slice() {
        [] if fields.iter().any(|name| misspelt.contains(name)) => {}
        [] => {
            sink.error(at, *neither);
        }
        [first, second, ..] => {
            sink.error(first.at, *both).related(second.at, "the other");
        }
        [_] => {}
    }
}

/// Tells of a field that is unknown; returns the known one that was probably meant.
fn unknown_field(entry: &Entry, known: &Table, sink: &mut Sink) -> Option<&'static str> {
    let current = || {
        known
            .fields
            .iter()
            .filter(|field| field.instead.is_none())
            .map(|field| field.name)
    };
    let key = shorten(&entry.key);
    let meant = nearest(&entry.key, current());
    match meant {
        Some(meant) => {
            sink.error(
                entry.key_at,
                format!("unknown field `{key}`, did you mean `{meant}`?"),
            );
        }
        None => {
            let names: Vec<String> = current().map(|name| format!("`{name}`")).collect();
            sink.error(entry.key_at, format!("unknown field `{key}`"))
                .hint(format!("{} can have {}", known.noun, names.join(", ")));
        }
    }
    meant
}

/// A trait's properties are checked by its type; a type that is not ours is v1's "custom trait", which nobody
/// acts upon: allowed, and said.
fn any_trait(node: &Node, kinds: &[(&'static str, &'static Table)], what: &str, sink: &mut Sink) {
    let Value::Map(entries) = &node.value else {
        return wrong_kind(node.at, what, "a map", &node.value, sink);
    };
    let Some(kind) = node.get("type") else {
        let at = entries.first().map_or(node.at, |first| first.key_at);
        let names: Vec<String> = kinds.iter().map(|(name, _)| format!("`{name}`")).collect();
        sink.error(at, "a trait has no `type`")
            .hint(format!("known types are {}", names.join(", ")));
        return;
    };
    if !text(kind, "`type`", sink) {
        return;
    }
    let name = kind.text().unwrap_or_default();
    let Some((_, known)) = kinds.iter().find(|(known, _)| *known == name) else {
        let name = shorten(name);
        let report = match nearest(&name, kinds.iter().map(|(known, _)| *known)) {
            // A slip of the pen: ignoring it would run something other than what was meant.
            Some(meant) => sink.error(
                kind.at,
                format!("unknown trait `{name}`, did you mean `{meant}`?"),
            ),
            None => sink.warning(kind.at, format!("unknown trait `{name}` is ignored")),
        };
        let names: Vec<String> = kinds.iter().map(|(name, _)| format!("`{name}`")).collect();
        report.hint(format!("known types are {}", names.join(", ")));
        return;
    };
    for Entry { key, key_at, .. } in entries
        .iter()
        .filter(|e| !matches!(&*e.key, "type" | "properties"))
    {
        match nearest(key, ["type", "properties"]) {
            Some(meant) => sink.error(
                *key_at,
                format!("unknown field `{}`, did you mean `{meant}`?", shorten(key)),
            ),
            None => sink
                .error(*key_at, format!("unknown field `{}`", shorten(key)))
                .hint("a trait has `type` and `properties`; its settings belong below `properties`"),
        };
    }
    let empty = Node {
        value: Value::Map(Vec::new()),
        at: kind.at,
    };
    let properties = node
        .get("properties")
        .filter(|node| !matches!(node.value, Value::Null));
    if properties.is_none() && entries.iter().any(|e| nearest(&e.key, ["properties"]).is_some()) {
        return;
    }
    table(properties.unwrap_or(&empty), known, "`properties`", sink);
}

/// A sentence of documentation as part of a line.
fn in_passing(doc: &str) -> String {
    let mut chars = doc.trim_end_matches('.').chars();
    chars
        .next()
        .map(|first| first.to_lowercase().chain(chars).collect())
        .unwrap_or_default()
}

/// What a person wrote, short enough to repeat in a message.
pub(crate) fn shorten(text: &str) -> Arc<str> {
    if text.chars().count() <= QUOTED && !text.contains(char::is_control) {
        return text.into();
    }
    let shown = |c: char| if c.is_control() { ' ' } else { c };
    let start: String = text.chars().take(QUOTED).map(shown).collect();
    if text.chars().count() <= QUOTED {
        start.into()
    } else {
        format!("{start}…").into()
    }
}
