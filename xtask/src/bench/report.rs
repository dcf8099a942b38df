//! Numbers as people read them: aligned, without colour.

use serde_json::{Value, json};

/// A number to reach.
pub(super) struct Goal {
    pub(super) what: String,
    /// None if something that it takes is not there.
    pub(super) value: Option<f64>,
    pub(super) bound: Bound,
    /// Behind both numbers; empty for a ratio.
    pub(super) unit: &'static str,
}

#[derive(Clone, Copy)]
pub(super) enum Bound {
    AtLeast(f64),
    AtMost(f64),
}

impl Bound {
    fn holds(self, value: f64) -> bool {
        match self {
            Self::AtLeast(bound) => value >= bound,
            Self::AtMost(bound) => value <= bound,
        }
    }
}

impl Goal {
    fn verdict(&self) -> &'static str {
        match self.value {
            Some(value) if self.bound.holds(value) => "ok",
            Some(_) => "MISSED",
            None => "not measured",
        }
    }

    pub(super) fn to_json(&self) -> Value {
        let (relation, bound) = match self.bound {
            Bound::AtLeast(bound) => (">=", bound),
            Bound::AtMost(bound) => ("<=", bound),
        };
        json!({
            "what": self.what, "value": self.value, "relation": relation, "bound": bound, "unit": self.unit,
            "verdict": self.verdict(),
        })
    }
}

/// One line for each goal.
pub(super) fn goals(goals: &[Goal]) -> String {
    let rows = goals.iter().map(|goal| {
        let with_unit = |number: f64| format!("{} {}", figure(number), goal.unit).trim_end().to_owned();
        vec![
            goal.what.clone(),
            goal.value.map_or_else(|| "-".to_owned(), with_unit),
            match goal.bound {
                Bound::AtLeast(bound) => format!(">= {}", with_unit(bound)),
                Bound::AtMost(bound) => format!("<= {}", with_unit(bound)),
            },
            goal.verdict().to_owned(),
        ]
    });
    table(
        &["goal", "measured", "wanted", "verdict"],
        &rows.collect::<Vec<_>>(),
    )
}

/// Columns that line up: the first to the left, the others to the right.
pub(super) fn table(header: &[&str], rows: &[Vec<String>]) -> String {
    let header: Vec<String> = header.iter().map(|&cell| cell.to_owned()).collect();
    let lines = || std::iter::once(&header).chain(rows);
    let width = |column: usize| {
        lines()
            .filter_map(|line| line.get(column))
            .map(|cell| cell.chars().count())
            .max()
    };
    let widths: Vec<usize> = (0..header.len()).filter_map(width).collect();
    let mut text = String::new();
    for line in lines() {
        let cells = line.iter().zip(&widths).enumerate();
        let cells = cells.map(|(column, (cell, &width))| match column {
            0 => format!("{cell:<width$}"),
            _ => format!("{cell:>width$}"),
        });
        text.push_str(cells.collect::<Vec<_>>().join("  ").trim_end());
        text.push('\n');
    }
    text
}

/// Three significant digits, more where the number has them before the point.
pub(super) fn figure(number: f64) -> String {
    let size = number.abs();
    if size >= 1000.0 {
        thousands(number)
    } else if size >= 100.0 {
        format!("{number:.0}")
    } else if size >= 10.0 {
        format!("{number:.1}")
    } else if size >= 1.0 {
        format!("{number:.2}")
    } else {
        format!("{number:.3}")
    }
}

fn thousands(number: f64) -> String {
    let digits = format!("{:.0}", number.abs());
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    if number < 0.0 { format!("-{text}") } else { text }
}

/// The value in the middle; none of none.
pub(super) fn median(values: impl IntoIterator<Item = f64>) -> Option<f64> {
    quantile(values, 0.5)
}

/// The value that this share of the values is below; between two values where it falls between them.
pub(super) fn quantile(values: impl IntoIterator<Item = f64>, share: f64) -> Option<f64> {
    let mut values: Vec<f64> = values.into_iter().collect();
    values.sort_by(f64::total_cmp);
    let place = values.len().checked_sub(1)? as f64 * share;
    let at = |place: f64| values.get(place as usize).copied();
    let (below, above) = (at(place.floor())?, at(place.ceil())?);
    Some(below + (above - below) * place.fract())
}

/// The median of the ratios of what belongs together.
pub(super) fn median_ratio(above: &[f64], below: &[f64]) -> Option<f64> {
    median(above.iter().zip(below).map(|(above, below)| above / below))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up() {
        let rows = [
            vec!["fresh".to_owned(), "31,000".to_owned(), "1.80".to_owned()],
            vec!["bare hyper".to_owned(), "9".to_owned(), "12.5".to_owned()],
        ];
        let expected = "\
server       req/s    ms
fresh       31,000  1.80
bare hyper       9  12.5
";
        assert_eq!(table(&["server", "req/s", "ms"], &rows), expected);
    }

    #[test]
    fn figures_have_three_digits() {
        for (number, text) in [
            (0.2464, "0.246"),
            (4.5, "4.50"),
            (12.34, "12.3"),
            (123.4, "123"),
            (1234.5, "1,234"),
            (-1_234_567.0, "-1,234,567"),
        ] {
            assert_eq!(figure(number), text);
        }
    }

    #[test]
    fn a_goal_has_a_verdict() {
        let verdict = |value, bound| {
            let (what, unit) = (String::new(), "");
            Goal {
                what,
                value,
                bound,
                unit,
            }
            .verdict()
        };
        assert_eq!(verdict(Some(4.5), Bound::AtLeast(4.5)), "ok");
        assert_eq!(verdict(Some(4.4), Bound::AtLeast(4.5)), "MISSED");
        assert_eq!(verdict(Some(4.4), Bound::AtMost(4.5)), "ok");
        assert_eq!(verdict(Some(f64::NAN), Bound::AtMost(4.5)), "MISSED");
        assert_eq!(verdict(None, Bound::AtMost(4.5)), "not measured");
    }

    #[test]
    fn the_median_is_the_middle() {
        assert_eq!(median([3.0, 1.0, 2.0]), Some(2.0));
        assert_eq!(median([4.0, 1.0]), Some(2.5));
        assert_eq!(median([]), None);
        assert_eq!(quantile([1.0, 2.0, 3.0], 1.0), Some(3.0));
        assert_eq!(median_ratio(&[2.0, 9.0, 4.0], &[1.0, 1.0, 1.0]), Some(4.0));
    }
}
