//! Numbers, characters and texts.

use std::fmt::Display;
use std::str::FromStr;

use super::{InvalidText, Parser, is_of_word};
use crate::message::cut;
use crate::value::Type;

impl<'a> Parser<'a> {
    /// A number as JSON has them.
    fn number(&mut self) -> &'a str {
        let rest = self.skip();
        let mut len = usize::from(rest.starts_with('-'));
        let digits = |from: usize| {
            let rest = rest.get(from..).unwrap_or_default();
            rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_digit()).len()
        };
        len += digits(len);
        if rest.get(len..).is_some_and(|rest| rest.starts_with('.')) && digits(len + 1) > 0 {
            len += 1 + digits(len + 1);
        }
        if rest.get(len..).is_some_and(|rest| rest.starts_with(['e', 'E'])) {
            let sign = usize::from(
                rest.get(len + 1..)
                    .is_some_and(|rest| rest.starts_with(['+', '-'])),
            );
            if digits(len + 1 + sign) > 0 {
                len += 1 + sign + digits(len + 1 + sign);
            }
        }
        // What goes on like a word is none.
        match rest.get(len..) {
            Some(more) if more.starts_with(is_of_word) => "",
            _ => rest.get(..len).unwrap_or_default(),
        }
    }

    pub(super) fn integer<T: FromStr + Display>(
        &mut self,
        ty: &Type,
        least: T,
        most: T,
    ) -> Result<T, InvalidText> {
        let number = self.number();
        let digits = number.strip_prefix('-').unwrap_or(number);
        let is_plain = digits == "0" || !digits.starts_with('0');
        match number.parse() {
            Ok(value) if is_plain => {
                self.at += number.len();
                Ok(value)
            }
            _ if digits.is_empty() => Err(self.error(format_args!("{ty} from {least} to {most}"))),
            _ => {
                let found = format!("`{}`", cut(number, 64));
                Err(self.error_at(self.at, format_args!("{ty} from {least} to {most}"), found))
            }
        }
    }

    pub(super) fn float<T: FromStr>(&mut self, ty: &Type) -> Result<T, InvalidText> {
        let text = match self.skip() {
            rest if rest.starts_with("-inf") => "-inf",
            _ => match self.word() {
                word @ ("nan" | "inf") => word,
                _ => self.number(),
            },
        };
        match text.parse() {
            Ok(value) => {
                self.at += text.len();
                Ok(value)
            }
            Err(_) => Err(self.error(format_args!("{ty}, as `1.5`, `nan` or `inf`"))),
        }
    }

    pub(super) fn char(&mut self) -> Result<char, InvalidText> {
        let start = self.start();
        if !self.eat("'") {
            return Err(self.error("a character, as `'x'`"));
        }
        let character = match self.rest().chars().next() {
            Some('\\') => self.escape()?,
            Some(c) if c != '\'' && c != '\n' => {
                self.at += c.len_utf8();
                c
            }
            _ => return Err(self.error_at(start, "a character, as `'x'`", "none")),
        };
        if !self.rest().starts_with('\'') {
            return Err(self.error_at(self.at, "`'`, for a character is one character", "more"));
        }
        self.at += 1;
        Ok(character)
    }

    pub(super) fn string(&mut self) -> Result<String, InvalidText> {
        let start = self.start();
        if self.eat("\"\"\"") {
            return self.lines(start);
        }
        if !self.eat("\"") {
            return Err(self.error("a text, as `\"abc\"`"));
        }
        let mut text = String::new();
        loop {
            match self.rest().chars().next() {
                Some('"') => {
                    self.at += 1;
                    return Ok(text);
                }
                Some('\\') => text.push(self.escape()?),
                None | Some('\n') => {
                    let expected = format!("`\"`, which ends the text from {}", self.place(start));
                    let found = if self.rest().is_empty() {
                        "the end"
                    } else {
                        "the end of the line"
                    };
                    return Err(self.error_at(self.at, expected, found));
                }
                Some(c) => {
                    self.at += c.len_utf8();
                    text.push(c);
                }
            }
        }
    }

    /// A text of several lines, behind its `"""`. It starts on the next line, and the last line, with the `"""` that
    /// ends it, says how many spaces each line has in front that are not part of it.
    fn lines(&mut self, start: usize) -> Result<String, InvalidText> {
        let begin = ["\r\n", "\n"]
            .into_iter()
            .find(|line| self.rest().starts_with(line));
        let Some(begin) = begin else {
            return Err(self.error_at(self.at, "a new line behind `\"\"\"`", "something else"));
        };
        self.at += begin.len();
        let first = self.at;
        let Some(len) = self.rest().find("\"\"\"") else {
            let expected = format!("`\"\"\"`, which ends the text from {}", self.place(start));
            return Err(self.error_at(self.text.len(), expected, "the end"));
        };
        let body = self.rest().get(..len).unwrap_or_default();
        let (body, indent) = body.rsplit_once('\n').unwrap_or(("", body));
        if !indent.bytes().all(|byte| byte == b' ') {
            return Err(self.error_at(first + len, "`\"\"\"` on a line of its own", "it behind text"));
        }
        let is_empty = first + len == first + indent.len();
        let mut text = String::new();
        for (number, line) in body.split('\n').enumerate() {
            if is_empty {
                break;
            }
            if number > 0 {
                text.push('\n');
            }
            let line_start = self.at;
            let Some(inner) = line.strip_prefix(indent) else {
                let expected = format!("{} spaces, as the last line has", indent.len());
                return Err(self.error_at(line_start, expected, "fewer"));
            };
            let inner = inner.strip_suffix('\r').unwrap_or(inner);
            self.at += indent.len();
            let end = self.at + inner.len();
            while self.at < end {
                match self.rest().chars().next() {
                    Some('\\') => text.push(self.escape()?),
                    Some(c) => {
                        self.at += c.len_utf8();
                        text.push(c);
                    }
                    None => break,
                }
            }
            self.at = line_start + line.len() + 1;
        }
        self.at = first + len + 3;
        Ok(text)
    }

    /// The character that an escape stands for.
    fn escape(&mut self) -> Result<char, InvalidText> {
        let start = self.at;
        let mut chars = self.rest().chars();
        chars.next();
        let kind = chars.next();
        let (character, len) = match kind {
            Some(c @ ('\'' | '"' | '\\')) => (Some(c), 2),
            Some('t') => (Some('\t'), 2),
            Some('n') => (Some('\n'), 2),
            Some('r') => (Some('\r'), 2),
            Some('u') => {
                let digits = self
                    .rest()
                    .get(2..)
                    .and_then(|rest| rest.strip_prefix('{'))
                    .and_then(|rest| rest.split_once('}'))
                    .map(|(digits, _)| digits)
                    .filter(|digits| digits.bytes().all(|byte| byte.is_ascii_hexdigit()));
                let character = digits
                    .and_then(|digits| u32::from_str_radix(digits, 16).ok())
                    .and_then(char::from_u32);
                (character, 4 + digits.map_or(0, str::len))
            }
            _ => (None, 0),
        };
        match character {
            Some(character) => {
                self.at += len;
                Ok(character)
            }
            None => {
                let found: String = self.rest().chars().take(2).collect();
                Err(self.error_at(
                    start,
                    r#"one of `\"`, `\'`, `\\`, `\t`, `\n`, `\r`, `\u{e9}`"#,
                    format!("`{found}`"),
                ))
            }
        }
    }
}
