//! Tables: columns with two spaces between them, a heading, no lines. On a terminal that is too narrow the widest
//! columns are cut; in a pipe everything is there.

use std::io::{self, IsTerminal as _};

use wasmcloud_client::printable;

use crate::output::Output;

/// What a column is never made narrower than.
const NARROWEST: usize = 8;

/// Between two columns.
const GAP: &str = "  ";

pub(crate) struct Table {
    indent: &'static str,
    heading: Vec<&'static str>,
    rows: Vec<Vec<String>>,
}

impl Table {
    pub(crate) fn new(heading: &[&'static str]) -> Self {
        Self {
            indent: "",
            heading: heading.to_vec(),
            rows: Vec::new(),
        }
    }

    /// The same below something else.
    pub(crate) fn indented(heading: &[&'static str]) -> Self {
        Self {
            indent: "    ",
            ..Self::new(heading)
        }
    }

    /// Adds a row. What others wrote is made fit for a terminal here.
    pub(crate) fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        let cells = cells.into_iter().map(|cell| one_line(&cell));
        self.rows.push(cells.collect());
    }

    /// The table as it is shown where this program runs.
    pub(crate) fn text(&self, output: &Output) -> String {
        self.render(terminal_width(), &|heading| output.paint_data("1", heading))
    }

    fn render(&self, limit: Option<usize>, heading_style: &dyn Fn(&str) -> String) -> String {
        let mut widths: Vec<usize> = self.heading.iter().map(|cell| width(cell)).collect();
        for row in &self.rows {
            for (widest, cell) in widths.iter_mut().zip(row) {
                *widest = (*widest).max(width(cell));
            }
        }
        if let Some(limit) = limit {
            let around = self.indent.len() + GAP.len() * widths.len().saturating_sub(1);
            fit(&mut widths, limit.saturating_sub(around));
        }
        let headings: Vec<String> = self.heading.iter().map(|cell| (*cell).to_owned()).collect();
        let mut lines = vec![self.line(&headings, &widths, heading_style)];
        lines.extend(
            self.rows
                .iter()
                .map(|row| self.line(row, &widths, &str::to_owned)),
        );
        lines.join("\n")
    }

    fn line(&self, cells: &[String], widths: &[usize], style: &dyn Fn(&str) -> String) -> String {
        let last = cells.len().saturating_sub(1);
        let mut line = self.indent.to_owned();
        for (index, (cell, wide)) in cells.iter().zip(widths).enumerate() {
            let cell = cut(cell, *wide);
            // The style is not counted, and nothing but spaces would follow the last cell.
            let padding = if index == last {
                0
            } else {
                wide - width(&cell) + GAP.len()
            };
            line.push_str(&style(&cell));
            line.push_str(&" ".repeat(padding));
        }
        line.trim_end().to_owned()
    }
}

/// Takes from the widest columns until all fit, or none may be narrower.
fn fit(widths: &mut [usize], limit: usize) {
    while widths.iter().sum::<usize>() > limit {
        match widths.iter_mut().max() {
            Some(widest) if *widest > NARROWEST => *widest -= 1,
            _ => return,
        }
    }
}

fn width(text: &str) -> usize {
    text.chars().count()
}

/// An id is told by its beginning, and so is found again; a path or an image by its end.
fn cut(text: &str, wide: usize) -> String {
    let (all, kept) = (width(text), wide.saturating_sub(1));
    if all <= wide {
        text.to_owned()
    } else if text.contains('/') {
        ['…'].into_iter().chain(text.chars().skip(all - kept)).collect()
    } else {
        text.chars().take(kept).chain(['…']).collect()
    }
}

/// Text of somebody else on one line, without what a terminal would obey.
pub(crate) fn one_line(text: &str) -> String {
    printable(text).replace(['\n', '\t'], " ")
}

/// How much of an id stands for a host whose name is not known. Enough to find it by.
const SHOWN_ID: usize = 10;

/// The beginning of an id, in one piece if it is short.
pub(crate) fn short_id(id: &str) -> String {
    match width(id) <= SHOWN_ID {
        true => one_line(id),
        false => one_line(&id.chars().take(SHOWN_ID).chain(['…']).collect::<String>()),
    }
}

/// How many columns there are; `None` where nobody looks at them.
fn terminal_width() -> Option<usize> {
    if !io::stdout().is_terminal() {
        return None;
    }
    let (terminal_size::Width(columns), _) = terminal_size::terminal_size()?;
    Some(usize::from(columns))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> Table {
        let mut table = Table::new(&["NAME", "ID", "N"]);
        table.row([
            "a".to_owned(),
            "NCSMZMQIUNKQLFQ4RKS5JD2V".to_owned(),
            "5".to_owned(),
        ]);
        table.row(["blue\x1b[1m".to_owned(), "NB".to_owned(), String::new()]);
        table
    }

    #[test]
    fn columns_are_aligned_and_lines_end_with_text() {
        let text = table().render(None, &str::to_owned);
        assert_eq!(
            text,
            "NAME      ID                        N\n\
             a         NCSMZMQIUNKQLFQ4RKS5JD2V  5\n\
             blue\u{fffd}[1m  NB"
        );
    }

    #[test]
    fn what_is_too_wide_is_cut() {
        let text = table().render(Some(25), &|heading| format!("<{heading}>"));
        assert_eq!(
            text,
            "<NAME>      <ID>            <N>\n\
             a         NCSMZMQIUNK…  5\n\
             blue\u{fffd}[1m  NB"
        );
        assert!(text.lines().skip(1).all(|line| line.chars().count() <= 25));
        assert_eq!(cut("file:///a/hello.wasm", 11), "…hello.wasm");
    }
}
