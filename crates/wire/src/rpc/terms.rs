//! What peers of ours say to each other of a call beyond what v1 says, in one header ([`header::TERMS`]).
//!
//! `1; window=1048576; deadline-ms=30000; depth=2; type=00c0ffee00c0ffee`: the version that its sender speaks, then what
//! there is to say, in any order. Words that are not known are left out, so later versions can say more. One header and
//! not one for each, because clients and servers of NATS take their time for each.
//!
//! A request that has nothing else to say needs no headers at all: the terms stand behind the caller's inbox in the
//! subject to reply to, as one name without spaces that begins with `~`, and who calls over which link is one of them:
//! `{inbox}.~1;deadline-ms=30000;source=web`. A callee that does not know this answers there just as well, since a
//! caller hears all that is below its inbox; but it does not learn who calls.
//!
//! [`header::TERMS`]: super::header::TERMS

use std::fmt;
use std::time::Duration;

use super::header::InvalidHeader;

/// The version of our additions that is described here. Versions are counted up, and each understands those before it.
const VERSION_SPOKEN: u32 = 1;

/// What the terms begin with in a subject. No name in the inbox of a client of v1 does.
const BESIDE: &str = ".~";

/// Longest id of a component and name of a link, in bytes, as everywhere (`wasmcloud_core`).
const MAX_NAME: usize = 256;

/// Most calls that may lead to one, as read from a header: adding to it is safe.
const MAX_DEPTH: u32 = 1_000;

/// Longest name of a host, in bytes. A public key has 56.
const MAX_HOST: usize = 128;

/// What is said of a call.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Terms {
    /// How many bytes of one stream the sender takes before it has said that it wants more. Both sides say it.
    pub window: Option<u32>,
    /// How long the caller still waits when it sends the request, to the millisecond; 49 days at most. Not a point in
    /// time: the clocks of hosts differ.
    pub deadline: Option<Duration>,
    /// How many calls led to this one, so that components that call each other in a circle end. 0 for the first.
    pub depth: u32,
    /// A fingerprint of the type that the caller takes the function for, so that two sides that mean different types
    /// find out before one of them reads the bytes of the other.
    pub signature: Option<u64>,
    /// Whoever has no free slot refuses the call at once as full, because its caller has a place in another line.
    pub now: bool,
    /// The public key of the host that accepts a call, for the messages of its caller.
    pub host: Option<Box<str>>,
    /// Who calls, if there is no header that says it.
    pub source: Option<Box<str>>,
    /// The name of the link over which it calls, if there is no header that says it.
    pub link: Option<Box<str>>,
}

impl Terms {
    /// Divides a subject to reply to into the inbox and the terms behind it, if there are any.
    pub fn beside(reply: &str) -> (&str, Option<&str>) {
        match reply.rsplit_once('.') {
            Some((inbox, last)) => match last.strip_prefix('~') {
                Some(terms) => (inbox, Some(terms)),
                None => (reply, None),
            },
            None => (reply, None),
        }
    }

    /// What to add to an inbox so that a request with this subject to reply to needs no headers. Nothing if there is
    /// something to say that cannot be in a subject.
    pub fn behind(&self) -> Option<String> {
        let fits = |byte: u8| byte.is_ascii_graphic() && !matches!(byte, b'.' | b'*' | b'>' | b';');
        let fits = |text: &str| text.len() <= MAX_NAME && text.bytes().all(fits);
        let mut texts = [&self.host, &self.source, &self.link].into_iter().flatten();
        texts.all(|text| fits(text)).then(|| self.write(BESIDE, ";"))
    }

    /// Reads the header, or the same in a subject.
    pub fn read(text: &str) -> Result<Self, InvalidHeader> {
        let bad = |expected| InvalidHeader::new(super::header::TERMS, text, expected);
        let mut words = words(text);
        let version = words.next().and_then(number);
        if version.is_none_or(|version| version < 1) {
            return Err(bad("a version from 1 on, then words like `depth=1`"));
        }
        let mut terms = Self::default();
        for word in words {
            let (name, value) = named(word);
            match name {
                "window" => {
                    let window = number(value).ok_or_else(|| bad("a window of bytes below 2³²"))?;
                    terms.window = Some(window);
                }
                "deadline-ms" => {
                    let millis = number(value).ok_or_else(|| bad("a deadline of milliseconds below 2³²"))?;
                    terms.deadline = Some(Duration::from_millis(millis.into()));
                }
                "depth" => {
                    let depth = number(value).filter(|depth| *depth <= MAX_DEPTH);
                    terms.depth = depth.ok_or_else(|| bad("a depth up to 1000"))?;
                }
                "type" => {
                    let hexadecimal = value.len() == 16 && value.bytes().all(|byte| byte.is_ascii_hexdigit());
                    let signature = u64::from_str_radix(value, 16).ok().filter(|_| hexadecimal);
                    terms.signature = Some(signature.ok_or_else(|| bad("a type of 16 hexadecimal digits"))?);
                }
                "now" => terms.now = true,
                "host" => {
                    let named = (1..=MAX_HOST).contains(&value.len()) && !value.contains(unfit);
                    if !named {
                        return Err(bad("a host of 1 to 128 bytes"));
                    }
                    terms.host = Some(value.into());
                }
                "source" | "link" => {
                    let named = (1..=MAX_NAME).contains(&value.len()) && !value.contains(unfit);
                    let value = named.then(|| value.into());
                    let value = Some(value.ok_or_else(|| bad("names of 1 to 256 bytes"))?);
                    match name {
                        "source" => terms.source = value,
                        _ => terms.link = value,
                    }
                }
                _ => {}
            }
        }
        Ok(terms)
    }
}

impl Terms {
    /// The text of the header, which can always be read: what is more than it can say becomes the most that it can.
    ///
    /// Each call has one, so this is written without the machinery of `fmt`.
    pub fn to_text(&self) -> String {
        self.write("", "; ")
    }

    fn write(&self, before: &str, between: &str) -> String {
        let Self {
            window,
            deadline,
            depth,
            signature,
            now,
            host,
            source,
            link,
        } = self;
        let mut text = String::with_capacity(128);
        text.push_str(before);
        push_number(&mut text, VERSION_SPOKEN);
        let word = |text: &mut String, name: &str| {
            text.push_str(between);
            text.push_str(name);
        };
        if let Some(window) = window {
            word(&mut text, "window=");
            push_number(&mut text, *window);
        }
        if let Some(deadline) = deadline {
            word(&mut text, "deadline-ms=");
            push_number(&mut text, u32::try_from(deadline.as_millis()).unwrap_or(u32::MAX));
        }
        if *depth > 0 {
            word(&mut text, "depth=");
            push_number(&mut text, MAX_DEPTH.min(*depth));
        }
        if let Some(signature) = signature {
            word(&mut text, "type=");
            let digits = (0..16).rev().map(|digit| (signature >> (digit * 4)) as u32 & 0xf);
            text.extend(digits.filter_map(|digit| char::from_digit(digit, 16)));
        }
        if *now {
            word(&mut text, "now");
        }
        for (name, value, longest) in [
            ("host=", host, MAX_HOST),
            ("source=", source, MAX_NAME),
            ("link=", link, MAX_NAME),
        ] {
            let Some(value) = value else { continue };
            let mut room = longest;
            // What would end the word cannot be in it.
            let value = value.chars().filter(|c| !unfit(*c));
            let mut value = value.take_while(|c| {
                let fits = room.checked_sub(c.len_utf8());
                room = fits.unwrap_or_default();
                fits.is_some()
            });
            if let Some(first) = value.next() {
                word(&mut text, name);
                text.push(first);
                text.extend(value);
            }
        }
        text
    }
}

/// The text of the header.
impl fmt::Display for Terms {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.to_text())
    }
}

/// What stands between semicolons. Bytes are looked at one by one: words are too short for a search to be worth its
/// beginning.
fn words(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = Some(text);
    std::iter::from_fn(move || {
        let all = rest?;
        let end = all.bytes().position(|byte| byte == b';');
        let (word, behind) = match end.and_then(|end| all.split_at_checked(end)) {
            Some((word, behind)) => (word, behind.get(1..)),
            None => (all, None),
        };
        rest = behind;
        Some(word.trim())
    })
}

/// A word with its value, `depth=1`, or alone, `now`.
fn named(word: &str) -> (&str, &str) {
    let end = word.bytes().position(|byte| byte == b'=');
    match end.and_then(|end| word.split_at_checked(end)) {
        Some((name, value)) => (name, value.get(1..).unwrap_or_default()),
        None => (word, ""),
    }
}

/// Writes a number in decimal digits.
fn push_number(text: &mut String, number: u32) {
    if number >= 10 {
        push_number(text, number / 10);
    }
    text.extend(char::from_digit(number % 10, 10));
}

/// Whether a character cannot be in the name of a host here.
fn unfit(c: char) -> bool {
    c.is_control() || c.is_whitespace() || c == ';'
}

/// A number without sign, spaces or anything else.
fn number(value: &str) -> Option<u32> {
    let digits = !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit());
    if digits { value.parse().ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_is_read() {
        let terms = Terms {
            window: Some(1 << 20),
            deadline: Some(Duration::from_millis(1_500)),
            depth: 3,
            signature: Some(0xc0ffee),
            now: true,
            host: Some("NABC".into()),
            source: Some("web".into()),
            link: Some("cold".into()),
        };
        let text = terms.to_string();
        assert_eq!(
            text,
            "1; window=1048576; deadline-ms=1500; depth=3; type=0000000000c0ffee; now; host=NABC; source=web; link=cold"
        );
        assert_eq!(Terms::read(&text), Ok(terms));
        assert_eq!(Terms::read("1"), Ok(Terms::default()));
        assert_eq!(Terms::default().to_string(), "1");
    }

    #[test]
    fn what_is_said_in_a_subject_is_read() {
        let terms = Terms {
            deadline: Some(Duration::from_secs(30)),
            signature: Some(1),
            source: Some("web-1_x".into()),
            ..Terms::default()
        };
        let behind = terms.behind().unwrap();
        assert_eq!(
            behind,
            ".~1;deadline-ms=30000;type=0000000000000001;source=web-1_x"
        );
        let reply = format!("_INBOX.a.1f{behind}");
        let (inbox, said) = Terms::beside(&reply);
        assert_eq!(inbox, "_INBOX.a.1f");
        assert_eq!(Terms::read(said.unwrap()), Ok(terms));
        for other in ["_INBOX.a.1f", "a", "", "~1", "_INBOX.a~1.b"] {
            assert_eq!(Terms::beside(other), (other, None));
        }
        // What a subject cannot say is said in headers.
        let long = "a".repeat(MAX_NAME + 1);
        for unfit in ["a.b", "a b", "*", "é", "a;b", &long] {
            let terms = Terms {
                source: Some(unfit.into()),
                ..Terms::default()
            };
            assert_eq!(terms.behind(), None, "{unfit:?}");
        }
    }

    #[test]
    fn later_versions_may_say_more() {
        let read = Terms::read("2;colour=red; depth=1 ;;fast").unwrap();
        assert_eq!(read.depth, 1);
    }

    #[test]
    fn what_is_written_can_be_read() {
        let long = "é".repeat(100);
        for (host, kept) in [
            ("a; depth=7\r\nb", Some("adepth=7b")),
            ("", None),
            (" ;", None),
            (long.as_str(), long.get(..MAX_HOST)),
        ] {
            let odd = Terms {
                deadline: Some(Duration::MAX),
                depth: u32::MAX,
                host: Some(host.into()),
                ..Terms::default()
            };
            let read = Terms::read(&odd.to_string()).unwrap();
            assert_eq!(read.deadline.unwrap().as_millis(), 4_294_967_295);
            assert_eq!((read.depth, read.host.as_deref()), (MAX_DEPTH, kept));
        }
    }

    #[test]
    fn what_means_nothing_is_refused() {
        for bad in [
            "",
            "0",
            "-1",
            "+1",
            "x",
            "1.5",
            "4294967296",
            "; depth=1",
            "wasmcloud",
        ] {
            assert!(Terms::read(bad).is_err(), "{bad:?}");
        }
        for name in ["window", "deadline-ms", "depth", "type", "host", "source", "link"] {
            for bad in ["", "-1", "+1", "1.5", "18446744073709551616", "\u{7}"] {
                let text = format!("1; {name}={bad}");
                // A host may be called anything that can be shown, and others say who may not.
                let fine = matches!(name, "host" | "source" | "link") && !bad.is_empty() && bad != "\u{7}";
                assert_eq!(Terms::read(&text).is_ok(), fine, "{text:?}");
            }
        }
        assert_eq!(
            Terms::read("1; depth=1001").unwrap_err().to_string(),
            "header wasmcloud-rpc is `1; depth=1001`, a depth up to 1000 is expected"
        );
        assert!(Terms::read("1; depth=1000").is_ok());
        assert!(Terms::read(&format!("1; host={}", "x".repeat(129))).is_err());
    }
}
