//! Results that are all there is of a call: a callee of ours that has not said anything of a call yet sends them to
//! `{caller's inbox}.returned.{callee's inbox}.at.{host}`, without headers, to a caller of ours whose call has no
//! streams.
//!
//! That it was accepted, by whom, and how it ended is in the subject. Each header would be written once and read twice,
//! by the server as well, which takes longer than the subject does. There is no number of a call behind the callee's
//! inbox, since nothing more is sent to it.

/// What the part of the subject behind the caller's inbox begins with.
const RETURNED: &str = "returned.";

/// What stands between the callee's inbox and its host.
const AT: &str = ".at.";

/// Who returned the results.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Returned<'a> {
    /// The inbox of the client, to which further calls can be sent.
    pub inbox: &'a str,
    /// Its host, where it has said so.
    pub host: Option<&'a str>,
}

impl<'a> Returned<'a> {
    /// What stands behind the caller's inbox, `returned` included and the dot before it left out. Nothing if this is
    /// something else.
    pub fn read(behind: &'a str) -> Option<Self> {
        let who = behind.strip_prefix(RETURNED)?;
        let (inbox, host) = match who.rsplit_once(AT) {
            Some((inbox, host)) => (inbox, Some(host)),
            None => (who, None),
        };
        let said = !inbox.is_empty() && host != Some("");
        said.then_some(Self { inbox, host })
    }

    /// The same for the callee. What cannot be in a subject is left out of the name of its host.
    pub fn behind(inbox: &str, host: &str) -> String {
        let fits = |c: &char| c.is_ascii_graphic() && !matches!(c, '.' | '*' | '>');
        let host: String = host.chars().filter(fits).collect();
        match host.as_str() {
            "" => format!("{RETURNED}{inbox}"),
            host => format!("{RETURNED}{inbox}{AT}{host}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_returned_results_is_read() {
        for (inbox, host, read) in [
            ("_INBOX.abc", "NABC", Some("NABC")),
            ("a.at.b", "N.A B*>\r\n", Some("NAB")),
            ("_INBOX.abc", "", None),
            ("_INBOX.abc", ".", None),
        ] {
            let behind = Returned::behind(inbox, host);
            let expected = Returned { inbox, host: read };
            assert_eq!(Returned::read(&behind), Some(expected), "{behind}");
        }
    }

    #[test]
    fn other_subjects_are_others() {
        for other in [
            "",
            "returned",
            "returned.",
            "results",
            "returned..at.N",
            "returned.a.at.",
        ] {
            assert_eq!(Returned::read(other), None, "{other:?}");
        }
    }
}
