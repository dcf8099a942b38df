//! What is wrong with a manifest, and how it is told.
//!
//! [`Diagnostic`] is the structured form (a CLI makes JSON of its fields), its `Display` the form for people.
//! Nothing here knows what is checked; that is the business of the phases that fill a [`Sink`].

use std::collections::HashSet;
use std::fmt;

use crate::source::{Excerpt, Position, Source};

/// Most problems told about one manifest. Whoever has more than that fixes these first.
pub const MAX_DIAGNOSTICS: usize = 100;

/// How bad a problem is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Level {
    /// The manifest can be used, but something in it may not do what was meant.
    Warning,
    /// The manifest cannot be used.
    Error,
}

impl Level {
    /// The level in lower case, as it is printed.
    pub fn name(self) -> &'static str {
        match self {
            Self::Warning => "warning",
            Self::Error => "error",
        }
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// A second place that a problem is about, such as the first of two things that collide.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Related {
    /// Where it is.
    pub at: Position,
    /// What is there.
    pub message: String,
    excerpt: Option<Excerpt>,
}

/// One problem: what, where, and what to do about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// How bad it is.
    pub level: Level,
    /// The name of the manifest, usually its file name.
    pub file: String,
    /// Where in the manifest the problem is.
    pub at: Position,
    /// What is wrong, one line without a full stop.
    pub message: String,
    /// What to do about it, where we know.
    pub hint: Option<String>,
    /// The other places the problem is about.
    pub related: Vec<Related>,
    excerpt: Option<Excerpt>,
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let gutter = self
            .related
            .iter()
            .map(|related| related.at.line)
            .fold(self.at.line, usize::max);
        let gutter = gutter.to_string().len();
        writeln!(f, "{}: {}", self.level, self.message)?;
        writeln!(f, "{:gutter$}--> {}:{}", "", self.file, self.at)?;
        write_excerpt(f, gutter, self.at, self.excerpt.as_ref(), "")?;
        for related in &self.related {
            writeln!(f, "{:gutter$}::: {}:{}", "", self.file, related.at)?;
            write_excerpt(f, gutter, related.at, related.excerpt.as_ref(), &related.message)?;
        }
        match &self.hint {
            Some(hint) => writeln!(f, "hint: {hint}"),
            None => Ok(()),
        }
    }
}

fn write_excerpt(
    f: &mut fmt::Formatter<'_>,
    gutter: usize,
    at: Position,
    excerpt: Option<&Excerpt>,
    label: &str,
) -> fmt::Result {
    let Some(Excerpt { line, column, width }) = excerpt else {
        return Ok(());
    };
    writeln!(f, "{:gutter$} |", "")?;
    writeln!(f, "{}", format!("{:gutter$} | {line}", at.line).trim_end())?;
    let space = if label.is_empty() { "" } else { " " };
    writeln!(
        f,
        "{:gutter$} | {:column$}{}{space}{label}",
        "",
        "",
        "^".repeat(*width)
    )
}

/// All problems of a manifest that cannot be used; at least one of them is an error.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostics {
    list: Vec<Diagnostic>,
    left_out: usize,
}

impl Diagnostics {
    /// The problems, in the order in which they stand in the manifest.
    pub fn iter(&self) -> std::slice::Iter<'_, Diagnostic> {
        self.list.iter()
    }

    /// The problems that are errors.
    pub fn errors(&self) -> impl Iterator<Item = &Diagnostic> {
        self.list
            .iter()
            .filter(|diagnostic| diagnostic.level == Level::Error)
    }

    /// How many more problems there were than the [`MAX_DIAGNOSTICS`] that are told.
    pub fn left_out(&self) -> usize {
        self.left_out
    }
}

impl<'a> IntoIterator for &'a Diagnostics {
    type Item = &'a Diagnostic;
    type IntoIter = std::slice::Iter<'a, Diagnostic>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl IntoIterator for Diagnostics {
    type Item = Diagnostic;
    type IntoIter = std::vec::IntoIter<Diagnostic>;

    fn into_iter(self) -> Self::IntoIter {
        self.list.into_iter()
    }
}

impl fmt::Display for Diagnostics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, diagnostic) in self.list.iter().enumerate() {
            if index > 0 {
                writeln!(f)?;
            }
            write!(f, "{diagnostic}")?;
        }
        if self.left_out > 0 {
            writeln!(f, "\n{} more problems are not shown", self.left_out)?;
        }
        Ok(())
    }
}

impl std::error::Error for Diagnostics {}

/// Where the phases put the problems they find.
#[derive(Debug)]
pub(crate) struct Sink {
    source: Source,
    list: Vec<Diagnostic>,
    seen: HashSet<(Position, String)>,
    left_out: usize,
    failed: bool,
}

impl Sink {
    pub(crate) fn new(source: Source) -> Self {
        Self {
            source,
            list: Vec::new(),
            seen: HashSet::new(),
            left_out: 0,
            failed: false,
        }
    }

    pub(crate) fn error(&mut self, at: Position, message: impl Into<String>) -> Report<'_> {
        self.report(Level::Error, at, message.into())
    }

    pub(crate) fn warning(&mut self, at: Position, message: impl Into<String>) -> Report<'_> {
        self.report(Level::Warning, at, message.into())
    }

    /// Whether anything so far was an error.
    pub(crate) fn failed(&self) -> bool {
        self.failed
    }

    /// Whether it is still worth the time to look for what was meant: with this many problems, nobody reads on, and
    /// comparing every name with every other takes long.
    pub(crate) fn wants_hints(&self) -> bool {
        self.list.len() < MAX_DIAGNOSTICS
    }

    /// What was said about one place is said once: an alias brings the same text to several places of the tree.
    fn report(&mut self, level: Level, at: Position, message: String) -> Report<'_> {
        self.failed |= level == Level::Error;
        // More are kept than are told, so that warnings do not crowd out errors that are found later.
        if self.list.len() >= 10 * MAX_DIAGNOSTICS {
            self.left_out += 1;
            return Report(None);
        }
        if !self.seen.insert((at, message.clone())) {
            return Report(None);
        }
        let file = self.source.name().to_owned();
        let diagnostic = Diagnostic {
            level,
            file,
            at,
            message,
            hint: None,
            related: Vec::new(),
            excerpt: None,
        };
        self.list.push(diagnostic);
        Report(self.list.last_mut())
    }

    /// The warnings if nothing was an error, else all problems; in the order of the text.
    pub(crate) fn finish(self) -> Result<Vec<Diagnostic>, Diagnostics> {
        let failed = self.failed;
        let all = self.into_diagnostics();
        if failed { Err(all) } else { Ok(all.list) }
    }

    /// All problems, in the order of the text.
    pub(crate) fn into_diagnostics(mut self) -> Diagnostics {
        if self.list.len() > MAX_DIAGNOSTICS {
            self.list
                .sort_by_key(|diagnostic| (std::cmp::Reverse(diagnostic.level), diagnostic.at));
            self.left_out += self.list.len() - MAX_DIAGNOSTICS;
            self.list.truncate(MAX_DIAGNOSTICS);
        }
        self.list.sort_by_key(|diagnostic| diagnostic.at);
        for diagnostic in &mut self.list {
            diagnostic.excerpt = self.source.excerpt(diagnostic.at);
            for related in &mut diagnostic.related {
                related.excerpt = self.source.excerpt(related.at);
            }
        }
        Diagnostics {
            list: self.list,
            left_out: self.left_out,
        }
    }
}

/// A problem that was just put into a sink, to say more about it.
pub(crate) struct Report<'a>(Option<&'a mut Diagnostic>);

impl Report<'_> {
    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        if let Some(diagnostic) = &mut self.0 {
            diagnostic.hint = Some(hint.into());
        }
        self
    }

    pub(crate) fn hint_maybe(self, hint: Option<String>) -> Self {
        match hint {
            Some(hint) => self.hint(hint),
            None => self,
        }
    }

    pub(crate) fn related(mut self, at: Position, message: impl Into<String>) -> Self {
        if let Some(diagnostic) = &mut self.0 {
            diagnostic.related.push(Related {
                at,
                message: message.into(),
                excerpt: None,
            });
        }
        self
    }
}
