//! Two ways to write a moment: RFC 3339 for OCI, the date of HTTP for `Retry-After`.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

const DAY: u64 = 86_400;

const MONTHS: [&str; 12] = [
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
];

/// `2026-11-22T18:00:00Z`. Moments before 1970 are shown as 1970.
pub(crate) fn rfc3339(at: SystemTime) -> String {
    let seconds = at.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    let (year, month, day) = civil(seconds / DAY);
    let time = seconds % DAY;
    format!(
        "{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}Z",
        time / 3600,
        time / 60 % 60,
        time % 60
    )
}

/// `Sun, 06 Nov 1994 08:49:37 GMT`, the form that RFC 9110 §5.6.7 asks senders for.
pub(crate) fn parse_http(text: &str) -> Option<SystemTime> {
    let rest = text.split_once(", ")?.1.strip_suffix(" GMT")?;
    let mut words = rest.split(' ');
    let day: u64 = words.next()?.parse().ok()?;
    let month = words.next()?;
    let month = MONTHS.iter().position(|name| *name == month)? as u64 + 1;
    let year: u64 = words.next()?.parse().ok()?;
    let mut clock = words.next()?.split(':');
    let mut part = |limit: u64| clock.next()?.parse().ok().filter(|value: &u64| *value < limit);
    let (hour, minute, second) = (part(24)?, part(60)?, part(61)?);
    if words.next().is_some() || !(1..=31).contains(&day) || !(1970..=9999).contains(&year) {
        return None;
    }
    let seconds = days(year, month, day) * DAY + hour * 3600 + minute * 60 + second;
    UNIX_EPOCH.checked_add(Duration::from_secs(seconds))
}

/// Days since 1970-01-01 of a date of the Gregorian calendar. The year is counted from March, so that the leap day
/// comes last; 719,468 days lie between 0000-03-01 and 1970-01-01.
fn days(year: u64, month: u64, day: u64) -> u64 {
    let (year, month) = if month > 2 {
        (year, month - 3)
    } else {
        (year - 1, month + 9)
    };
    365 * year + year / 4 - year / 100 + year / 400 + (153 * month + 2) / 5 + day - 1 - 719_468
}

/// The date of a day since 1970-01-01: the last year, month and day that [`days`] puts no later.
fn civil(day: u64) -> (u64, u64, u64) {
    // 400 years have 146,097 days; the estimate is never too low, and too high by two at most.
    let mut year = 1971 + day * 400 / 146_097;
    while days(year, 1, 1) > day {
        year -= 1;
    }
    let month = (1..=12)
        .rev()
        .find(|month| days(year, *month, 1) <= day)
        .unwrap_or(1);
    (year, month, day - days(year, month, 1) + 1)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn known_moments() {
        let at = |seconds| UNIX_EPOCH + Duration::from_secs(seconds);
        for (seconds, text) in [
            (0, "1970-01-01T00:00:00Z"),
            (951_782_400, "2000-02-29T00:00:00Z"),
            (784_111_777, "1994-11-06T08:49:37Z"),
            (4_102_444_799, "2099-12-31T23:59:59Z"),
        ] {
            assert_eq!(rfc3339(at(seconds)), text);
        }
        assert_eq!(parse_http("Sun, 06 Nov 1994 08:49:37 GMT"), Some(at(784_111_777)));
        assert_eq!(parse_http("Sun, 06 Nov 1994 08:49:37"), None);
    }

    proptest! {
        #[test]
        fn days_and_dates_agree(day in 0u64..2_900_000) {
            let (year, month, of_month) = civil(day);
            prop_assert!((1..=12).contains(&month) && (1..=31).contains(&of_month));
            prop_assert_eq!(days(year, month, of_month), day);
        }

        #[test]
        fn any_date_is_read_or_not(text in "\\PC{0,40}") {
            let _ = parse_http(&text);
        }
    }
}
