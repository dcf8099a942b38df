//! What is printed: two lines for a call, one when it is made and one when it is answered. What is in them was written by
//! others, so no control characters of it get to a terminal.

use serde_json::{Map, Value, json};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use wasmcloud_wire::rpc::RpcErrorBody;

use super::calls::Open;
use super::values::Shown;
use crate::control::events::time_of_day;
use crate::control::table::one_line;
use crate::output::Output;

/// Longest text of the values of one call on a line for people, in characters. JSON has all of it.
const SHOWN: usize = 500;

/// Widest names of callers and callees that others are aligned to.
const WIDEST: usize = 32;

/// The number of a call and the names beside it, as wide as the widest so far.
pub(super) struct Lines<'a> {
    output: &'a Output,
    from: usize,
    to: usize,
}

impl<'a> Lines<'a> {
    pub(super) fn new(output: &'a Output) -> Self {
        Self {
            output,
            from: 0,
            to: 0,
        }
    }

    /// A call that is made.
    pub(super) fn call(&mut self, open: &Open, link: &str, len: usize, params: &Shown) {
        let operation = operation(open);
        let text = match params {
            Shown::Values(values) => format!("{operation}({})", values.join(", ")),
            Shown::Http(request) => format!("{operation} {request}"),
            Shown::Bytes { len, why } => format!("{operation}({len} bytes: {why})"),
        };
        let more = json!({ "link": link, "bytes": len, "params": json_of(params) });
        self.print("call", open, "->", &cut(&text), "0", more);
    }

    /// Its results.
    pub(super) fn results(&mut self, open: &Open, results: &Shown) {
        let text = match results {
            Shown::Values(values) if values.is_empty() => "done".to_owned(),
            Shown::Values(values) => values.join(", "),
            Shown::Http(answer) => answer.clone(),
            Shown::Bytes { why, .. } => format!("{} bytes: {why}", open.len),
        };
        let more = json!({ "ok": true, "bytes": open.len, "results": json_of(results) });
        self.end(open, &text, "32", more);
    }

    /// Why it has none.
    pub(super) fn failed(&mut self, open: &Open, error: &RpcErrorBody) {
        let text = format!("{}: {}", error.code, error.message);
        let more = json!({
            "ok": false,
            "error": { "code": error.code.as_str(), "message": error.message },
        });
        self.end(open, &text, "31", more);
    }

    fn end(&mut self, open: &Open, text: &str, color: &str, mut more: Value) {
        let took = open.began.elapsed();
        if let Value::Object(more) = &mut more {
            more.insert("took_ms".to_owned(), json!(took.as_secs_f64() * 1e3));
            more.insert("host".to_owned(), json!(open.host));
        }
        let text = format!("{}  ({took:.1?})", cut(text));
        self.print("result", open, "<-", &text, color, more);
    }

    fn print(&mut self, event: &str, open: &Open, arrow: &str, text: &str, color: &str, more: Value) {
        let now = OffsetDateTime::now_utc().format(&Rfc3339).unwrap_or_default();
        let to = open.called.component.as_str();
        let mut value = json!({
            "event": event,
            "call": open.number,
            "time": now,
            "from": open.from,
            "to": to,
            "operation": operation(open),
        });
        if let (Value::Object(value), Value::Object(more)) = (&mut value, more) {
            value.extend(more);
        }
        let from = one_line(&open.from);
        self.from = self.from.max(from.chars().count()).min(WIDEST);
        self.to = self.to.max(to.chars().count()).min(WIDEST);
        let line = format!(
            "{}  {:>4}  {} {arrow} {}  {}",
            self.output.paint_data("2", &time_of_day(&now)),
            open.number,
            self.output
                .paint_data("1", &format!("{from:<width$}", width = self.from)),
            self.output
                .paint_data("1", &format!("{to:<width$}", width = self.to)),
            self.output.paint_data(color, text),
        );
        self.output.data(&line, &value);
    }
}

fn operation(open: &Open) -> String {
    let called = &open.called;
    match &called.instance {
        Some(instance) => format!("{instance}.{}", called.function),
        None => called.function.to_string(),
    }
}

fn json_of(shown: &Shown) -> Value {
    match shown {
        Shown::Values(values) => json!(values),
        Shown::Http(text) => json!({ "http": text }),
        Shown::Bytes { len, why } => {
            let mut unknown = Map::new();
            unknown.insert("bytes".to_owned(), json!(len));
            unknown.insert("why".to_owned(), json!(why));
            Value::Object(unknown)
        }
    }
}

/// One line, and not a long one.
fn cut(text: &str) -> String {
    let mut chars = text.chars();
    let mut shown: String = chars.by_ref().take(SHOWN).collect();
    if chars.next().is_some() {
        shown.push('…');
    }
    one_line(&shown)
}

#[cfg(test)]
mod tests {
    use super::cut;

    #[test]
    fn long_and_hostile_texts_are_one_short_line() {
        assert_eq!(cut("a\nb\u{1b}[2J"), "a b\u{fffd}[2J");
        let long = cut(&"é".repeat(10_000));
        assert_eq!(long.chars().count(), 501);
        assert!(long.ends_with('…'));
    }
}
