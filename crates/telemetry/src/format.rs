//! How a log line looks to a person: time, level, who, what, then the remaining fields. A wasm backtrace stands on
//! lines of its own below the message it belongs to.

use std::fmt::{self, Write as _};
use std::time::{SystemTime, UNIX_EPOCH};

use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::registry::LookupSpan;

/// Events with this target are a component's own words.
const COMPONENT_TARGET: &str = "wasmcloud::component";

pub(crate) struct TextFormat {
    color: bool,
}

impl TextFormat {
    pub(crate) fn new(color: bool) -> Self {
        Self { color }
    }

    fn paint(&self, out: &mut Writer<'_>, code: &str, text: &str) -> fmt::Result {
        if self.color {
            write!(out, "\x1b[{code}m{text}\x1b[0m")
        } else {
            out.write_str(text)
        }
    }
}

impl<S, N> FormatEvent<S, N> for TextFormat
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        _context: &FmtContext<'_, S, N>,
        mut out: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let mut line = Line::default();
        event.record(&mut line);
        let out = &mut out;
        self.paint(out, "2", &time_of_day())?;
        out.write_char(' ')?;
        let (code, level) = match *event.metadata().level() {
            Level::ERROR => ("31", "ERROR"),
            Level::WARN => ("33", " WARN"),
            Level::INFO => ("32", " INFO"),
            Level::DEBUG => ("34", "DEBUG"),
            Level::TRACE => ("35", "TRACE"),
        };
        self.paint(out, code, level)?;
        out.write_char(' ')?;
        if event.metadata().target() == COMPONENT_TARGET {
            let component = line.component.take().unwrap_or_default();
            self.paint(out, "36", &format!("[{component}]"))?;
            out.write_char(' ')?;
        }
        out.write_str(&line.message)?;
        if let Some(component) = line.component.take() {
            self.paint(out, "2", &format!(" component={component}"))?;
        }
        self.paint(out, "2", &line.fields)?;
        if let Some(backtrace) = &line.backtrace {
            for frame in backtrace.lines() {
                write!(out, "\n    {frame}")?;
            }
        }
        out.write_char('\n')
    }
}

/// UTC, to the millisecond; the date is in nobody's way on a terminal, and JSON has it.
fn time_of_day() -> String {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let (seconds, millis) = (since.as_secs() % 86_400, since.subsec_millis());
    format!(
        "{:02}:{:02}:{:02}.{millis:03}Z",
        seconds / 3600,
        seconds / 60 % 60,
        seconds % 60
    )
}

#[derive(Default)]
struct Line {
    message: String,
    component: Option<String>,
    backtrace: Option<String>,
    fields: String,
}

impl Line {
    fn set(&mut self, field: &Field, value: &str) {
        match field.name() {
            "message" => self.message = one_line(value),
            "component" => self.component = Some(value.to_owned()),
            "backtrace" if value.is_empty() => {}
            "backtrace" => self.backtrace = Some(value.to_owned()),
            name => {
                let _ = write!(self.fields, " {name}={}", one_line(value));
            }
        }
    }
}

/// What a guest prints must not look like lines of the host, nor move the cursor of whoever reads it.
fn one_line(text: &str) -> String {
    if !text.chars().any(|c| c.is_control() && c != '\t') {
        return text.to_owned();
    }
    text.chars()
        .map(|c| {
            if c.is_control() && c != '\t' {
                '\u{fffd}'
            } else {
                c
            }
        })
        .collect()
}

impl Visit for Line {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.set(field, value);
    }

    fn record_error(&mut self, field: &Field, value: &(dyn std::error::Error + 'static)) {
        let mut text = value.to_string();
        let mut source = value.source();
        while let Some(cause) = source {
            let _ = write!(text, ": {cause}");
            source = cause.source();
        }
        self.set(field, &text);
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.set(field, &format!("{value:?}"));
    }
}

#[cfg(test)]
mod tests {
    use super::one_line;

    #[test]
    fn a_guest_cannot_write_lines_of_its_own_or_move_the_cursor() {
        assert_eq!(one_line("a\tb"), "a\tb");
        assert_eq!(
            one_line("a\n12:00 ERROR forged\x1b[2J"),
            "a\u{fffd}12:00 ERROR forged\u{fffd}[2J"
        );
    }
}
