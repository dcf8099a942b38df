//! When a trigger fires: a cron schedule in a time zone.
//!
//! The only place that knows which libraries read schedules and zones: for everybody else a schedule is a function from
//! one moment to the next, both in whole seconds since 1970. The zones are those that came with the program, so that
//! every host of one version knows the same ones.

use std::fmt;

use croner::Cron;
use croner::parser::{CronParser, Seconds, Year};
use jiff::Timestamp;
use jiff::tz::{TimeZone, TimeZoneDatabase};
use wasmcloud_core::nearest;

/// Longest text of a schedule, in bytes.
const MAX_LEN: usize = 256;

/// The zone of a schedule that names none.
const UTC: &str = "UTC";

/// The fields, and what may stand in each.
const FIELDS: [(&str, &str); 6] = [
    ("a second", "0-59"),
    ("a minute", "0-59"),
    ("an hour", "0-23"),
    ("a day of the month", "1-31, or `L` for the last"),
    ("a month", "1-12 or JAN-DEC"),
    ("a day of the week", "0-7 or SUN-SAT, Sunday being 0 and 7"),
];

/// A cron schedule in a time zone.
///
/// Five fields (minute, hour, day of the month, month, day of the week), or six with seconds before them; each is `*`, a
/// number, a range `1-5`, a step `*/5`, or a list of those. A day of the month and a day of the week that are both
/// given mean either. Where clocks go forward, a fixed time that they leave out comes as soon as they went; where they go
/// back, a fixed time that they repeat comes once, and what repeats with the hour or minute goes on in both.
#[derive(Clone, PartialEq, Eq)]
pub struct Schedule {
    text: String,
    cron: Cron,
    zone: TimeZone,
    zone_name: String,
}

/// Why a text is no schedule.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidSchedule {
    /// It has too few or too many fields.
    #[error("a schedule has 5 fields, or 6 with seconds before them; this one has {0}")]
    Fields(usize),
    /// It is one of the short names that some have for schedules.
    #[error("`{0}` is not a schedule")]
    Nickname(String),
    /// One field cannot be read.
    #[error("`{written}` cannot be {name}")]
    Field {
        /// What was written.
        written: String,
        /// Which field it is, with its article.
        name: &'static str,
        /// What may stand there.
        allowed: &'static str,
    },
    /// The fields cannot be read together.
    #[error("`{0}` is not a schedule")]
    Unreadable(String),
    /// It is too long.
    #[error("a schedule has at most {MAX_LEN} bytes, this one has {0}")]
    TooLong(usize),
    /// There is no such moment.
    #[error("`{0}` never comes")]
    Never(String),
}

impl InvalidSchedule {
    /// What to write instead, where that is known.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Fields(_) => Some(
                "the fields are minute, hour, day of the month, month, day of the week: `0 3 * * *` is 3 o'clock \
                 each day"
                    .to_owned(),
            ),
            Self::Nickname(name) => {
                let meant = match name.to_ascii_lowercase().as_str() {
                    "@hourly" => "0 * * * *",
                    "@daily" | "@midnight" => "0 0 * * *",
                    "@weekly" => "0 0 * * 0",
                    "@monthly" => "0 0 1 * *",
                    "@yearly" | "@annually" => "0 0 1 1 *",
                    _ => return None,
                };
                Some(format!("write `{meant}`"))
            }
            Self::Field { allowed, .. } => {
                Some(format!("allowed are {allowed}, `*`, ranges `a-b`, steps `*/n`, and lists of those"))
            }
            Self::Unreadable(_) | Self::TooLong(_) | Self::Never(_) => None,
        }
    }
}

/// A name that no time zone has.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("there is no time zone `{name}`{}", .meant.as_ref().map(|meant| format!(", did you mean `{meant}`?")).unwrap_or_default())]
pub struct UnknownZone {
    /// What was written.
    pub name: String,
    /// The nearest name there is.
    pub meant: Option<String>,
}

impl Schedule {
    /// Reads a schedule in UTC.
    pub fn parse(text: &str) -> Result<Self, InvalidSchedule> {
        if text.len() > MAX_LEN {
            return Err(InvalidSchedule::TooLong(text.len()));
        }
        let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
        if text.starts_with('@') {
            return Err(InvalidSchedule::Nickname(text));
        }
        let fields: Vec<&str> = text.split(' ').filter(|field| !field.is_empty()).collect();
        if !(5..=6).contains(&fields.len()) {
            return Err(InvalidSchedule::Fields(fields.len()));
        }
        let first = FIELDS.len() - fields.len();
        for (at, field) in fields.iter().enumerate() {
            let Some((name, allowed)) = FIELDS.get(first + at) else {
                continue;
            };
            // Alone among stars, so that it is this field that is wrong.
            let mut alone = ["*"; 6];
            if let Some(place) = alone.get_mut(first + at) {
                *place = *field;
            }
            if read(&alone.join(" ")).is_none() {
                return Err(InvalidSchedule::Field {
                    written: (*field).to_owned(),
                    name,
                    allowed,
                });
            }
        }
        let cron = read(&text).ok_or_else(|| InvalidSchedule::Unreadable(text.clone()))?;
        let schedule = Self {
            text,
            cron,
            zone: TimeZone::UTC,
            zone_name: UTC.to_owned(),
        };
        // Days that only some years have are found from any year.
        match schedule.after(0) {
            Some(_) => Ok(schedule),
            None => Err(InvalidSchedule::Never(schedule.text)),
        }
    }

    /// The same in another time zone, by its name in the IANA database.
    pub fn in_zone(self, name: &str) -> Result<Self, UnknownZone> {
        let zones = TimeZoneDatabase::bundled();
        let Ok(zone) = zones.get(name) else {
            let known: Vec<String> = zones.available().map(|known| known.to_string()).collect();
            let meant = nearest(name, known.iter().map(String::as_str)).map(str::to_owned);
            return Err(UnknownZone {
                name: name.to_owned(),
                meant,
            });
        };
        let zone_name = zone.iana_name().unwrap_or(name).to_owned();
        Ok(Self {
            zone,
            zone_name,
            ..self
        })
    }

    /// The fields, with one space between them.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The name of its time zone.
    pub fn zone(&self) -> &str {
        &self.zone_name
    }

    /// The first tick after a moment, both in seconds since 1970. `None` if there is none in all the years that can be
    /// written down.
    pub fn after(&self, moment: u64) -> Option<u64> {
        let from = self.at(moment)?;
        let next = self.cron.find_next_occurrence(&from, false).ok()?;
        // Whatever the library makes of a change of clocks, time goes on.
        seconds(&next).filter(|next| *next > moment)
    }

    /// A moment in seconds since 1970 as people read it, in the schedule's time zone.
    pub fn shown(&self, moment: u64) -> String {
        match self.at(moment) {
            Some(moment) => moment.strftime("%Y-%m-%d %H:%M:%S %Z").to_string(),
            None => moment.to_string(),
        }
    }

    fn at(&self, moment: u64) -> Option<jiff::Zoned> {
        let moment = Timestamp::from_second(i64::try_from(moment).ok()?).ok()?;
        Some(moment.to_zoned(self.zone.clone()))
    }
}

fn read(text: &str) -> Option<Cron> {
    CronParser::builder()
        .seconds(Seconds::Optional)
        .year(Year::Disallowed)
        .build()
        .parse(text)
        .ok()
}

fn seconds(moment: &jiff::Zoned) -> Option<u64> {
    u64::try_from(moment.timestamp().as_second()).ok()
}

impl fmt::Display for Schedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)?;
        match self.zone_name.as_str() {
            UTC => Ok(()),
            zone => write!(f, " {zone}"),
        }
    }
}

impl fmt::Debug for Schedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Schedule({self})")
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn moment(text: &str) -> u64 {
        let moment: Timestamp = text.parse().unwrap();
        u64::try_from(moment.as_second()).unwrap()
    }

    fn text(moment: u64) -> String {
        Timestamp::from_second(i64::try_from(moment).unwrap())
            .unwrap()
            .to_string()
    }

    /// The next ticks after a moment.
    fn ticks(schedule: &str, zone: &str, after: &str, count: usize) -> Vec<String> {
        let schedule = Schedule::parse(schedule).unwrap().in_zone(zone).unwrap();
        let next = |last: &u64| schedule.after(*last);
        let found = std::iter::successors(Some(moment(after)), next);
        found.skip(1).take(count).map(text).collect()
    }

    #[test]
    fn ticks_come_in_turn() {
        assert_eq!(
            ticks("*/20 9-10 * * MON-FRI", "UTC", "2026-11-27T10:19:59Z", 3),
            [
                "2026-11-27T10:20:00Z",
                "2026-11-27T10:40:00Z",
                "2026-11-30T09:00:00Z"
            ]
        );
        assert_eq!(
            ticks("*/30 * * * * *", "UTC", "2026-11-27T23:59:30Z", 2),
            ["2026-11-28T00:00:00Z", "2026-11-28T00:00:30Z"]
        );
        assert_eq!(
            ticks("0 0 29 2 *", "UTC", "2026-01-01T00:00:00Z", 2),
            ["2028-02-29T00:00:00Z", "2032-02-29T00:00:00Z"]
        );
        // Either day will do.
        assert_eq!(
            ticks("0 0 13 * 5", "UTC", "2026-11-12T00:00:00Z", 3),
            [
                "2026-11-13T00:00:00Z",
                "2026-11-20T00:00:00Z",
                "2026-11-27T00:00:00Z"
            ]
        );
    }

    /// In Berlin clocks went from 2 to 3 at 2026-03-29T01:00Z and from 3 to 2 at 2026-10-25T01:00Z.
    #[test]
    fn clocks_that_change_neither_lose_nor_double_a_fixed_time() {
        assert_eq!(
            ticks("30 2 * * *", "Europe/Berlin", "2026-03-28T00:00:00Z", 3),
            [
                "2026-03-28T01:30:00Z",
                "2026-03-29T01:00:00Z",
                "2026-03-30T00:30:00Z"
            ]
        );
        assert_eq!(
            ticks("30 2 * * *", "Europe/Berlin", "2026-10-24T12:00:00Z", 2),
            ["2026-10-25T00:30:00Z", "2026-10-26T01:30:00Z"]
        );
        // What repeats each half hour does so in the hour that comes twice, and has no hour that is left out.
        assert_eq!(
            ticks("*/30 * * * *", "Europe/Berlin", "2026-10-24T23:59:59Z", 5),
            [
                "2026-10-25T00:00:00Z",
                "2026-10-25T00:30:00Z",
                "2026-10-25T01:00:00Z",
                "2026-10-25T01:30:00Z",
                "2026-10-25T02:00:00Z"
            ]
        );
        assert_eq!(
            ticks("0 * * * *", "Europe/Berlin", "2026-03-29T00:00:00Z", 2),
            ["2026-03-29T01:00:00Z", "2026-03-29T02:00:00Z"]
        );
    }

    #[test]
    fn zones_are_known_by_name() {
        let schedule = || Schedule::parse("0 0 * * *").unwrap();
        assert_eq!(schedule().to_string(), "0 0 * * *");
        assert_eq!(
            schedule().in_zone("europe/berlin").unwrap().to_string(),
            "0 0 * * * Europe/Berlin"
        );
        let berlin = schedule().in_zone("Europe/Berlin").unwrap();
        assert_eq!(
            berlin.shown(moment("2026-11-29T05:00:00Z")),
            "2026-11-29 06:00:00 CET"
        );
        let unknown = schedule().in_zone("Europe/Berlni").unwrap_err();
        assert_eq!(
            unknown.to_string(),
            "there is no time zone `Europe/Berlni`, did you mean `Europe/Berlin`?"
        );
        assert_eq!(schedule().in_zone("Mars").unwrap_err().meant, None);
    }

    #[test]
    fn the_field_that_is_wrong_is_named() {
        let error = |text: &str| Schedule::parse(text).unwrap_err();
        assert_eq!(error("61 * * * *").to_string(), "`61` cannot be a minute");
        assert_eq!(error("61 * * * * *").to_string(), "`61` cannot be a second");
        assert_eq!(error("* 24 * * *").to_string(), "`24` cannot be an hour");
        assert_eq!(error("* * * FOO *").to_string(), "`FOO` cannot be a month");
        assert_eq!(
            error("* * * * 5-").to_string(),
            "`5-` cannot be a day of the week"
        );
        assert_eq!(error("* * *"), InvalidSchedule::Fields(3));
        assert_eq!(error("* * * * * * 2026"), InvalidSchedule::Fields(7));
        assert_eq!(error(""), InvalidSchedule::Fields(0));
        assert_eq!(error("@daily").hint().as_deref(), Some("write `0 0 * * *`"));
        assert_eq!(error("0 0 30 2 *").to_string(), "`0 0 30 2 *` never comes");
        assert_eq!(error(&"* ".repeat(1_000)), InvalidSchedule::TooLong(2_000));
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in ".{0,60}") {
            let _ = Schedule::parse(&text);
        }

        #[test]
        fn any_fields_are_read_or_refused(fields in proptest::collection::vec("[0-9*/,#LWa-z?@+-]{1,6}", 5..=6)) {
            let _ = Schedule::parse(&fields.join(" "));
        }

        /// Between two ticks there is none.
        #[test]
        fn the_next_tick_does_not_depend_on_when_it_is_asked(
            minute in 0..60u64,
            hour in 0..24u64,
            form in 0..4,
            zone in prop_oneof![Just("UTC"), Just("Europe/Berlin"), Just("America/St_Johns")],
            // Three years from 2026.
            start in 1_767_225_600..1_861_920_000u64,
        ) {
            let text = match form {
                0 => format!("{minute} {hour} * * *"),
                1 => format!("{minute} * * * *"),
                2 => format!("*/{} * * * *", minute.max(1)),
                _ => format!("{minute} {hour} * * 1"),
            };
            let schedule = Schedule::parse(&text).unwrap().in_zone(zone).unwrap();
            let next = schedule.after(start).unwrap();
            prop_assert!(next > start);
            prop_assert_eq!(schedule.after(next - 1), Some(next));
            // Wherever between the two it is asked, it is the same one.
            prop_assert_eq!(schedule.after(start.midpoint(next - 1)), Some(next));
        }
    }
}
