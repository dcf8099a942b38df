//! The text of a manifest and places in it.
//!
//! Knows lines and columns, nothing of YAML: it turns a place into the excerpt a person reads below an error.

use std::fmt;
use std::sync::Arc;

/// Characters of a source line shown in an error. JSON manifests are often one line of many thousands.
const EXCERPT_WIDTH: usize = 110;
/// Characters shown before the place where a long line is cut.
const EXCERPT_LEAD: usize = 40;

/// A place in a manifest's text: where something was written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Position {
    /// The line, from 1.
    pub line: usize,
    /// The column in characters, from 1.
    pub column: usize,
    /// How many characters were written there, on this line; 0 where that is not known.
    pub width: usize,
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.line, self.column)
    }
}

/// A value together with the place where it was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Spanned<T> {
    /// What was written.
    pub(crate) value: T,
    /// Where it was written.
    pub(crate) at: Position,
}

impl<T> Spanned<T> {
    pub(crate) fn new(value: T, at: Position) -> Self {
        Self { value, at }
    }
}

impl<T: AsRef<str>> Spanned<T> {
    /// The value as text.
    pub(crate) fn as_str(&self) -> &str {
        self.value.as_ref()
    }
}

/// A manifest's text and the name it goes by in messages, usually a file name. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Source {
    name: Arc<str>,
    text: Arc<str>,
}

impl Source {
    pub(crate) fn new(name: &str, text: &str) -> Self {
        Self {
            name: name.into(),
            text: text.into(),
        }
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// A line by its number, from 1. YAML ends lines at `\n`, `\r\n` and a lone `\r`.
    fn line(&self, number: usize) -> Option<&str> {
        let mut rest = &*self.text;
        for _ in 1..number.max(1) {
            let (_, after) = rest.split_at(rest.find(['\n', '\r'])?);
            rest = after
                .strip_prefix("\r\n")
                .or_else(|| after.strip_prefix(['\n', '\r']))
                .unwrap_or_default();
        }
        let end = rest.find(['\n', '\r']).unwrap_or(rest.len());
        rest.get(..end).filter(|_| number > 0)
    }

    /// The line at `at`, cut to a readable width, and the place in it, counted from 0.
    pub(crate) fn excerpt(&self, at: Position) -> Option<Excerpt> {
        let line = self.line(at.line)?;
        let column = at.column.saturating_sub(1);
        // A control character (a tab, a carriage return) would move the caret away from what it points at.
        let shown = |c: char| if c.is_control() { ' ' } else { c };
        let length = line.chars().count();
        if length <= EXCERPT_WIDTH {
            let line = line.chars().map(shown).collect::<String>().trim_end().to_owned();
            let width = at.width.min(line.chars().count().saturating_sub(column)).max(1);
            return Some(Excerpt { line, column, width });
        }
        let start = column.saturating_sub(EXCERPT_LEAD);
        let before = if start > 0 { "…" } else { "" };
        let after = if start + EXCERPT_WIDTH < length { "…" } else { "" };
        let middle: String = line.chars().skip(start).take(EXCERPT_WIDTH).map(shown).collect();
        let column = column - start + before.chars().count();
        let width = at.width.clamp(1, EXCERPT_WIDTH - EXCERPT_LEAD);
        Some(Excerpt {
            line: format!("{before}{middle}{after}"),
            column,
            width,
        })
    }
}

/// A line of the source, ready to print, with what is to be underlined in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Excerpt {
    pub(crate) line: String,
    pub(crate) column: usize,
    pub(crate) width: usize,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn excerpt(text: &str, line: usize, column: usize, width: usize) -> Option<(String, String)> {
        let excerpt = Source::new("t", text).excerpt(Position { line, column, width })?;
        Some((
            excerpt.line,
            format!("{}{}", " ".repeat(excerpt.column), "^".repeat(excerpt.width)),
        ))
    }

    #[test]
    fn underlines_what_is_meant() {
        let expect = |line: &str, caret: &str| Some((line.to_owned(), caret.to_owned()));
        assert_eq!(excerpt("a: b\nc: dd\n", 2, 4, 2), expect("c: dd", "   ^^"));
        assert_eq!(excerpt("\ta: b\r\n", 1, 2, 0), expect(" a: b", " ^"));
        assert_eq!(excerpt("a: b", 1, 4, 99), expect("a: b", "   ^"));
        assert_eq!(excerpt("a: b\n", 2, 1, 1), expect("", "^"));
        assert_eq!(excerpt("a\rb\r\nc\n\rd", 5, 1, 1), expect("d", "^"));
        assert_eq!(excerpt("a\rb\r\nc\n\rd", 2, 1, 1), expect("b", "^"));
        assert_eq!(excerpt("a: b", 7, 1, 1), None);
        assert_eq!(excerpt("a: b", 0, 0, 1), None);
    }

    #[test]
    fn long_lines_are_cut_around_the_place() {
        let text = format!("{}HERE{}", "a".repeat(500), "b".repeat(500));
        let (line, caret) = excerpt(&text, 1, 501, 4).unwrap();
        assert!(line.starts_with('…') && line.ends_with('…') && line.chars().count() <= EXCERPT_WIDTH + 2);
        let at = caret.find('^').unwrap();
        assert_eq!(line.chars().skip(at).take(4).collect::<String>(), "HERE");
    }
}
