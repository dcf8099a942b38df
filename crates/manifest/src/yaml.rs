//! Reads YAML, and JSON, which is YAML, into a tree of positioned values.
//!
//! Knows the syntax and the limits that keep hostile text from costing more than it is long; what the values
//! mean is left to the phases above.

use std::collections::HashMap;
use std::sync::Arc;

use granit_parser::{ErrorKind, Event, Options, Parser, ScalarStyle, ScanError, Span, StrInput, Tag};

use crate::diagnostic::Sink;
use crate::source::{Position, Source};
use crate::tree::{Entry, Kind, Node, Value};

/// Longest accepted text in bytes: 1 MiB, which is also what one NATS message carries (v1 wire reference §1).
pub const MAX_BYTES: usize = 1 << 20;
/// Deepest accepted nesting of lists and maps. A complete manifest has about a dozen levels.
pub const MAX_DEPTH: usize = 64;
/// Most values in one manifest, those that aliases repeat counted each time.
pub const MAX_NODES: usize = 250_000;
/// Most bytes of scalars in one manifest, those that aliases repeat counted each time.
const MAX_SCALAR_BYTES: usize = 4 * MAX_BYTES;

/// Reads `source`. Problems go to `sink`; the tree is there if there was one to read.
pub(crate) fn read(source: &Source, sink: &mut Sink) -> Option<Node> {
    let text = source.text();
    if text.len() > MAX_BYTES {
        let message = format!("the manifest has {} bytes, the limit is {MAX_BYTES}", text.len());
        sink.error(
            Position {
                line: 1,
                column: 1,
                width: 0,
            },
            message,
        );
        return None;
    }
    let mut options = Options::default();
    options.set_emit_comments(false);
    let parser = Parser::new_from_str_with_options(text, options);
    let mut reader = Reader {
        parser,
        sink,
        anchors: HashMap::new(),
        nodes: 0,
        bytes: 0,
        kept: 0,
    };
    reader.stream().unwrap_or_default()
}

/// Reading cannot go on; the reason is in the sink.
struct Stop;

struct Reader<'a> {
    parser: Parser<'a, StrInput<'a>>,
    sink: &'a mut Sink,
    /// Finished nodes by anchor with their weight; `None` while the node is being read.
    anchors: HashMap<usize, Option<(Node, Weight)>>,
    nodes: usize,
    bytes: usize,
    kept: usize,
}

/// What a subtree counts towards the limits.
#[derive(Clone, Copy)]
struct Weight {
    nodes: usize,
    bytes: usize,
}

impl<'a> Reader<'a> {
    fn stream(&mut self) -> Result<Option<Node>, Stop> {
        let mut document = None;
        loop {
            match self.event()? {
                (Event::DocumentStart(..), span) if document.is_some() => {
                    self.sink
                        .error(
                            place(&span),
                            "a second document starts here; a file holds one application",
                        )
                        .hint("put each application into its own file");
                    return Err(Stop);
                }
                (Event::DocumentStart(..), _) => {
                    let event = self.event()?;
                    document = Some(self.node(event, 0)?);
                }
                (Event::StreamEnd, span) => {
                    if document.is_none() {
                        self.sink.error(place(&span), "the manifest is empty");
                    }
                    return Ok(document);
                }
                _ => {}
            }
        }
    }

    fn event(&mut self) -> Result<(Event<'a>, Span), Stop> {
        match self.parser.next() {
            Some(Ok(event)) => Ok(event),
            Some(Err(error)) => Err(self.syntax(&error)),
            // The stream's end is an event of its own, so this is not reached after a well-formed one.
            None => Ok((Event::StreamEnd, Span::default())),
        }
    }

    fn syntax(&mut self, error: &ScanError) -> Stop {
        let mark = error.marker();
        let at = Position {
            line: mark.line(),
            column: mark.col() + 1,
            width: 1,
        };
        // The parser looks ahead and meets its own, higher limit first.
        if *error.kind() == ErrorKind::RecursionLimitExceeded {
            return self.too_deep(at);
        }
        let hint = match error.kind() {
            ErrorKind::TabNotAllowed | ErrorKind::TabInBlockIndentation | ErrorKind::TabInIndentation => {
                Some("indent with spaces")
            }
            ErrorKind::UnknownAnchor => {
                Some("quote text that starts with `*`, or define the anchor with `&` first")
            }
            _ => None,
        };
        let message = format!("this is not well-formed YAML: {}", error.info());
        self.sink.error(at, message).hint_maybe(hint.map(str::to_owned));
        Stop
    }

    fn too_deep(&mut self, at: Position) -> Stop {
        self.sink.error(
            at,
            format!("lists and maps are nested deeper than {MAX_DEPTH} levels"),
        );
        Stop
    }

    /// Counts what was read against the limits, before anything is kept of it.
    fn count(&mut self, weight: Weight, at: Position) -> Result<(), Stop> {
        self.nodes = self.nodes.saturating_add(weight.nodes);
        self.bytes = self.bytes.saturating_add(weight.bytes);
        let message = if self.nodes > MAX_NODES {
            format!("the manifest has more than {MAX_NODES} values, those repeated by aliases included")
        } else if self.bytes > MAX_SCALAR_BYTES {
            format!(
                "the manifest has more than {MAX_SCALAR_BYTES} bytes of text, that repeated by aliases included"
            )
        } else {
            return Ok(());
        };
        self.sink.error(at, message);
        Err(Stop)
    }

    fn node(&mut self, (event, span): (Event<'a>, Span), depth: usize) -> Result<Node, Stop> {
        let at = place(&span);
        if depth > MAX_DEPTH {
            return Err(self.too_deep(at));
        }
        let before = Weight {
            nodes: self.nodes,
            bytes: self.bytes,
        };
        let (value, anchor) = match event {
            Event::Scalar(text, style, anchor, tag) => {
                self.count(
                    Weight {
                        nodes: 1,
                        bytes: text.len(),
                    },
                    at,
                )?;
                (self.scalar(&text, style, tag.as_deref(), at), anchor)
            }
            Event::SequenceStart(_, anchor, tag) => {
                self.count(Weight { nodes: 1, bytes: 0 }, at)?;
                self.collection_tag(tag.as_deref(), "seq", at);
                self.open(anchor);
                (self.list(depth)?, anchor)
            }
            Event::MappingStart(_, anchor, tag) => {
                self.count(Weight { nodes: 1, bytes: 0 }, at)?;
                self.collection_tag(tag.as_deref(), "map", at);
                self.open(anchor);
                (self.map(depth)?, anchor)
            }
            Event::Alias(anchor) => return self.alias(anchor, depth, at),
            _ => (Value::Null, 0),
        };
        let node = Node { value, at };
        if anchor != 0 {
            let weight = Weight {
                nodes: self.nodes - before.nodes,
                bytes: self.bytes - before.bytes,
            };
            // Anchored values are kept a second time for their aliases, and anchors can be nested.
            self.kept = self.kept.saturating_add(weight.nodes);
            if self.kept > MAX_NODES {
                self.sink
                    .error(at, format!("anchors name more than {MAX_NODES} values"));
                return Err(Stop);
            }
            self.anchors.insert(anchor, Some((node.clone(), weight)));
        }
        Ok(node)
    }

    fn open(&mut self, anchor: usize) {
        if anchor != 0 {
            self.anchors.insert(anchor, None);
        }
    }

    fn list(&mut self, depth: usize) -> Result<Value, Stop> {
        let mut items = Vec::new();
        loop {
            match self.event()? {
                (Event::SequenceEnd | Event::StreamEnd, _) => return Ok(Value::List(items)),
                event => items.push(self.node(event, depth + 1)?),
            }
        }
    }

    fn map(&mut self, depth: usize) -> Result<Value, Stop> {
        let mut entries = Vec::new();
        let mut seen: HashMap<Arc<str>, Position> = HashMap::new();
        loop {
            let key = match self.event()? {
                (Event::MappingEnd | Event::StreamEnd, _) => return Ok(Value::Map(entries)),
                event => self.node(event, depth + 1)?,
            };
            let event = self.event()?;
            let value = self.node(event, depth + 1)?;
            let Some(name) = self.key(&key) else { continue };
            if let Some(first) = seen.get(&name) {
                self.sink
                    .error(key.at, format!("duplicate key `{name}`"))
                    .related(*first, "written here first");
                continue;
            }
            seen.insert(name.clone(), key.at);
            entries.push(Entry {
                key: name,
                key_at: key.at,
                value,
            });
        }
    }

    fn key(&mut self, key: &Node) -> Option<Arc<str>> {
        match &key.value {
            Value::Text(text) if &**text == "<<" => {
                self.sink
                    .error(key.at, "merge keys (`<<`) are not supported")
                    .hint("write the fields out, or repeat a whole value with an alias");
                None
            }
            Value::Text(text) => Some(text.clone()),
            Value::Plain(_, word) => {
                self.sink
                    .error(
                        key.at,
                        format!("a key must be text, this is {}", key.value.describe()),
                    )
                    .hint(format!("quote it: `\"{word}\":`"));
                None
            }
            other => {
                self.sink.error(
                    key.at,
                    format!("a key must be text, this is {}", other.describe()),
                );
                None
            }
        }
    }

    fn alias(&mut self, anchor: usize, depth: usize, at: Position) -> Result<Node, Stop> {
        match self.anchors.get(&anchor) {
            Some(Some((node, weight))) => {
                let (node, weight) = (node.clone(), *weight);
                self.count(weight, at)?;
                // An alias of a deep value in a deep place: the depth is that of the tree which is walked later.
                if depth + height(&node) > MAX_DEPTH {
                    return Err(self.too_deep(at));
                }
                Ok(node)
            }
            _ => {
                self.sink.error(at, "this alias repeats the value it stands in");
                Err(Stop)
            }
        }
    }

    fn scalar(&mut self, text: &str, style: ScalarStyle, tag: Option<&Tag>, at: Position) -> Value {
        let value = match style {
            ScalarStyle::Plain => Value::of_plain(text),
            _ => Value::Text(text.into()),
        };
        let Some(tag) = tag else { return value };
        let fits = match tag.core_suffix() {
            Some("str") => return Value::Text(text.into()),
            Some("null") => matches!(value, Value::Null),
            Some("bool") => matches!(value, Value::Plain(Kind::Bool, _)),
            Some("int") => matches!(value, Value::Plain(Kind::Whole, _)),
            Some("float") => matches!(value, Value::Plain(Kind::Fraction | Kind::Whole, _)),
            // The non-specific tag `!` says "as it stands", without guessing at numbers.
            None if tag.original() == "!" => return Value::Text(text.into()),
            _ => false,
        };
        if !fits {
            self.unknown_tag(tag, at);
        }
        value
    }

    fn collection_tag(&mut self, tag: Option<&Tag>, expect: &str, at: Position) {
        if let Some(tag) = tag
            && tag.core_suffix() != Some(expect)
            && tag.original() != "!"
        {
            self.unknown_tag(tag, at);
        }
    }

    fn unknown_tag(&mut self, tag: &Tag, at: Position) {
        self.sink
            .error(at, format!("the tag `{}` has no meaning here", tag.original()))
            .hint("leave the tag out; quote text that starts with `!`");
    }
}

fn height(node: &Node) -> usize {
    let items = node.items().iter().map(height).max();
    let entries = node.entries().iter().map(|entry| height(&entry.value)).max();
    items.max(entries).map_or(0, |below| below + 1)
}

fn place(span: &Span) -> Position {
    let width = if span.start.line() == span.end.line() {
        span.end.col().saturating_sub(span.start.col())
    } else {
        0
    };
    Position {
        line: span.start.line(),
        column: span.start.col() + 1,
        width,
    }
}
