//! Which host a person means.

use wasmcloud_core::{HostId, nearest};
use wasmcloud_wire::control::Host;

use crate::asked::printable;
use crate::client::Client;
use crate::error::{ClientError, LookupError};

/// How long the id of a host is: a public key of 32 bytes with its type and checksum in base 32 (wire reference §1).
const ID_LEN: usize = 56;

/// Candidates that an error lists.
const SHOWN: usize = 10;

/// A host that was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FoundHost {
    /// Its id.
    pub id: HostId,
    /// Its friendly name; empty where the whole id was given, for then nobody was asked.
    pub friendly_name: String,
}

impl Client {
    /// The host that is meant by a whole id, the beginning of an id, or a friendly name. A whole id is taken as it is.
    pub async fn find_host(&self, text: &str) -> Result<FoundHost, LookupError> {
        if let Some(id) = whole_id(text) {
            return Ok(FoundHost {
                id,
                friendly_name: String::new(),
            });
        }
        let mut hosts = self.hosts().await?;
        if hosts.answers.is_empty() {
            return Err(LookupError::Ask(match hosts.problems.pop() {
                Some(problem) => problem,
                None => ClientError::NoHost {
                    asked: format!("find host `{}`", printable(text)),
                    lattice: self.lattice.clone(),
                },
            }));
        }
        find(&hosts.answers, text)
    }
}

/// The same among hosts that are known. Hosts whose id could not be asked for anything are left out.
pub fn find(hosts: &[Host], text: &str) -> Result<FoundHost, LookupError> {
    // Where a table had to cut an id off it ends so.
    let text = text.trim().trim_end_matches('…');
    let usable = |host: &&Host| host.id.parse::<HostId>().is_ok();
    let matching = |matches: &dyn Fn(&Host) -> bool| -> Vec<&Host> {
        hosts.iter().filter(usable).filter(|host| matches(host)).collect()
    };
    let mut found = matching(&|host| host.id == text);
    if found.is_empty() && !text.is_empty() {
        found = matching(&|host| host.friendly_name == text);
    }
    if found.is_empty() && !text.is_empty() {
        found = matching(&|host| host.id.starts_with(text));
    }
    match found.as_slice() {
        [] => Err(unknown(hosts, text)),
        // The same host may have answered twice.
        [first, rest @ ..] if rest.iter().all(|host| host.id == first.id) => match first.id.parse() {
            Ok(id) => Ok(FoundHost {
                id,
                friendly_name: first.friendly_name.clone(),
            }),
            Err(_) => Err(unknown(hosts, text)),
        },
        several => Err(LookupError::Ambiguous {
            text: printable(text).into_owned(),
            candidates: candidates(several),
        }),
    }
}

fn unknown(hosts: &[Host], text: &str) -> LookupError {
    let names = hosts.iter().map(|host| host.friendly_name.as_str());
    LookupError::Unknown {
        text: printable(text).into_owned(),
        known: hosts.len(),
        nearest: nearest(text, names).map(|name| printable(name).into_owned()),
    }
}

fn candidates(hosts: &[&Host]) -> Vec<String> {
    let named = hosts.iter().take(SHOWN);
    let mut named: Vec<String> = named
        .map(|host| printable(&format!("{} ({})", host.friendly_name, host.id)).into_owned())
        .collect();
    if let Some(more) = hosts.len().checked_sub(SHOWN).filter(|more| *more > 0) {
        named.push(format!("and {more} more"));
    }
    named
}

fn whole_id(text: &str) -> Option<HostId> {
    let base32 = |byte: u8| byte.is_ascii_uppercase() || (b'2'..=b'7').contains(&byte);
    match text.len() == ID_LEN && text.starts_with('N') && text.bytes().all(base32) {
        true => text.parse().ok(),
        false => None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn host(name: &str, id: &str) -> Host {
        Host {
            friendly_name: name.to_owned(),
            id: id.to_owned(),
            ..Host::default()
        }
    }

    fn hosts() -> Vec<Host> {
        vec![
            host("blue-heron-1", "NAAB"),
            host("red-fox-2", "NAAC"),
            host("red-fox-2", "NB"),
            host("NAAB", "NC"),
            host("odd", "not a token"),
        ]
    }

    #[test]
    fn ids_names_and_beginnings() {
        let check =
            |text: &str, id: &str| assert_eq!(find(&hosts(), text).unwrap().id.as_str(), id, "{text}");
        check("blue-heron-1", "NAAB");
        // An id is an id, whatever somebody calls his host.
        check("NAAB", "NAAB");
        check("NB", "NB");
        check("NAAC…", "NAAC");
        check(" NC ", "NC");
        let refused = |text: &str| find(&hosts(), text).unwrap_err().to_string();
        assert_eq!(
            refused("NAA"),
            "`NAA` could be any of these hosts: blue-heron-1 (NAAB), red-fox-2 (NAAC); hint: write more of the id"
        );
        assert!(refused("red-fox-2").contains("red-fox-2 (NAAC), red-fox-2 (NB)"));
        assert_eq!(
            refused("blue-heron1"),
            "no host is called `blue-heron1`, 5 hosts answered; hint: did you mean `blue-heron-1`?"
        );
        assert!(refused("").starts_with("no host is called ``"));
        assert!(refused("odd").starts_with("no host is called `odd`"));
    }

    #[test]
    fn a_host_that_answers_twice_is_one() {
        let twice = [host("a", "NA"), host("a", "NA")];
        assert_eq!(find(&twice, "a").unwrap().id.as_str(), "NA");
    }

    #[test]
    fn only_whole_ids_are_taken_as_they_are() {
        let id = "NCSMZMQIUNKQLFQ4RKS5JD2VFWRMRTRO6X7FUXY4HORNP3TM5RDMIDSS";
        assert!(whole_id(id).is_some());
        for text in [
            &id[..55],
            "",
            &id.to_lowercase(),
            &id.replace('N', "A"),
            &id.replace('4', "1"),
        ] {
            assert!(whole_id(text).is_none(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn nothing_panics_and_what_is_found_matches(text in ".{0,60}", ids in proptest::collection::vec("[NAB]{1,3}", 0..6)) {
            let hosts: Vec<Host> = ids.iter().map(|id| host(&id.to_lowercase(), id)).collect();
            if let Ok(found) = find(&hosts, &text) {
                let text = text.trim().trim_end_matches('…');
                prop_assert!(found.id.as_str().starts_with(text) || found.friendly_name == text);
            }
        }
    }
}
