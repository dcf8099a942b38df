//! What commands print. Data goes to stdout, talk to stderr; colour says nothing that the words do not say.

use std::fmt::Write as _;
use std::io::{self, IsTerminal, Write};

use serde_json::{Value, json};
use wasmcloud_manifest::Diagnostic;

use crate::cli::OutputFormat;
use crate::exit::{Failure, Message};

/// Where a command prints to.
pub(crate) struct Output {
    format: OutputFormat,
    /// Whether there is colour on stderr.
    color: bool,
    /// Whether there is colour on stdout.
    data_color: bool,
}

impl Output {
    pub(crate) fn new(format: OutputFormat) -> Self {
        let no_color = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        Self {
            format,
            color: io::stderr().is_terminal() && !no_color,
            data_color: io::stdout().is_terminal() && !no_color,
        }
    }

    pub(crate) fn is_json(&self) -> bool {
        self.format == OutputFormat::Json
    }

    /// Data: a line of text, or the value it stands for.
    pub(crate) fn data(&self, text: &str, value: &Value) {
        match self.format {
            OutputFormat::Text => print(&mut io::stdout(), text),
            OutputFormat::Json => print(&mut io::stdout(), &value.to_string()),
        }
    }

    /// Something that happened. Scripts get it on stdout as an object, people on stderr.
    pub(crate) fn event(&self, text: &str, value: &Value) {
        match self.format {
            OutputFormat::Text => print(&mut io::stderr(), text),
            OutputFormat::Json => print(&mut io::stdout(), &value.to_string()),
        }
    }

    /// A remark that scripts do not need.
    pub(crate) fn note(&self, text: &str) {
        print(&mut io::stderr(), text);
    }

    /// A warning about a manifest.
    pub(crate) fn warning(&self, diagnostic: &Diagnostic) {
        self.event(diagnostic.to_string().trim_end(), &diagnostic_json(diagnostic));
    }

    /// The last word of a command that failed.
    pub(crate) fn failure(&self, failure: &Failure) {
        if matches!(failure.message, Message::Told) {
            return;
        }
        if self.is_json() {
            print(&mut io::stdout(), &failure_json(failure).to_string());
            return;
        }
        match &failure.message {
            Message::Told => {}
            Message::Manifest(diagnostics) => {
                let text = diagnostics.to_string();
                print(&mut io::stderr(), text.trim_end());
            }
            Message::Error { error, place, hint } => {
                let (error, from_error) = split_hint(error);
                let mut text = self.paint("1;31", "error:");
                let mut lines = error.into_iter();
                let _ = write!(text, " {}", lines.next().unwrap_or_default());
                for cause in lines {
                    let _ = write!(text, "\n  caused by: {cause}");
                }
                if let Some(place) = place {
                    let _ = write!(text, "\n  --> {place}");
                }
                if let Some(hint) = hint.as_ref().or(from_error.as_ref()) {
                    let _ = write!(text, "\n{} {hint}", self.paint("1;36", "hint:"));
                }
                print(&mut io::stderr(), &text);
            }
        }
    }

    /// Text for stdout in colour, where there is colour.
    pub(crate) fn paint_data(&self, code: &str, text: &str) -> String {
        if self.data_color {
            format!("\x1b[{code}m{text}\x1b[0m")
        } else {
            text.to_owned()
        }
    }

    /// Text for stderr in colour, where there is colour.
    pub(crate) fn paint(&self, code: &str, text: &str) -> String {
        if self.color {
            format!("\x1b[{code}m{text}\x1b[0m")
        } else {
            text.to_owned()
        }
    }
}

/// A reader that went away (`| head`) is no failure of the command.
fn print(to: &mut dyn Write, text: &str) {
    let _ = writeln!(to, "{text}");
    let _ = to.flush();
}

/// The causes, each on its own, and the hint that a message may carry after `; hint: `.
fn split_hint(error: &anyhow::Error) -> (Vec<String>, Option<String>) {
    let mut hint = None;
    let mut lines: Vec<String> = Vec::new();
    for cause in error.chain() {
        let text = cause.to_string();
        let text = match text.split_once("; hint: ") {
            Some((text, said)) => {
                hint = Some(said.to_owned());
                text.to_owned()
            }
            None => text,
        };
        // Some libraries repeat their cause in their own text.
        if lines.last() != Some(&text) {
            lines.push(text);
        }
    }
    (lines, hint)
}

fn failure_json(failure: &Failure) -> Value {
    match &failure.message {
        Message::Told => Value::Null,
        Message::Manifest(diagnostics) => json!({
            "event": "error",
            "kind": failure.kind,
            "problems": diagnostics.iter().map(diagnostic_json).collect::<Vec<_>>(),
        }),
        Message::Error { error, place, hint } => {
            let (lines, from_error) = split_hint(error);
            json!({
                "event": "error",
                "kind": failure.kind,
                "message": lines.first(),
                "causes": lines.get(1..).unwrap_or_default(),
                "at": place,
                "hint": hint.as_ref().or(from_error.as_ref()),
                // What v1 calls the same (wire reference §7.1).
                "success": false,
                "error": lines.first(),
                "error_chain": lines.get(1..).unwrap_or_default(),
            })
        }
    }
}

/// A problem of a manifest as JSON.
pub(crate) fn diagnostic_json(diagnostic: &Diagnostic) -> Value {
    json!({
        "event": "diagnostic",
        "level": diagnostic.level.name(),
        "file": diagnostic.file,
        "line": diagnostic.at.line,
        "column": diagnostic.at.column,
        "message": diagnostic.message,
        "hint": diagnostic.hint,
    })
}
