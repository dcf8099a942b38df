//! What a scripted host is and does.

use std::collections::BTreeMap;
use std::time::Duration;

use wasmcloud_core::{ConfigName, HostId};
use wasmcloud_wire::Labels;
use wasmcloud_wire::control::{
    CandidateDescription, ClaimsEntry, ComponentDescription, Link, ProviderDescription,
};
use wasmcloud_wire::state::Config;

/// A host as it should be.
#[derive(Clone, Debug)]
pub struct Script {
    /// Its id: one that looks like those of v1.
    pub id: HostId,
    /// Its name.
    pub friendly_name: String,
    /// Its labels.
    pub labels: Labels,
    /// What runs on it at first.
    pub components: Vec<ComponentDescription>,
    /// What runs on it at first.
    pub providers: Vec<ProviderDescription>,
    /// Requests, as `host.get`, that it gets and does not answer.
    pub silent: Vec<&'static str>,
    /// Requests that it answers with these bytes.
    pub nonsense: BTreeMap<&'static str, Vec<u8>>,
    /// Requests that it refuses, with these words.
    pub refuses: BTreeMap<&'static str, String>,
    /// How late its answers are.
    pub delay: Duration,
    /// What comes of what it has accepted.
    pub outcome: Outcome,
}

/// What comes of a request that takes long, after the host has accepted it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It is done, and told once, or twice as v1 does for a start.
    Done {
        /// How often the event is told.
        told: u8,
    },
    /// It fails with this text.
    Fails(String),
    /// It is done and not told: the event got lost.
    Untold,
    /// Nothing.
    Nothing,
    /// The host is gone without a word.
    Dies,
    /// The host says that it stops, and is gone.
    Stops,
}

/// What the hosts of a lattice share.
#[derive(Clone, Debug, Default)]
pub struct Shared {
    /// The links.
    pub links: Vec<Link>,
    /// The configs and references to secrets.
    pub configs: BTreeMap<ConfigName, Config>,
    /// The claims.
    pub claims: Vec<ClaimsEntry>,
}

impl Script {
    /// A well-behaved host. `number` makes its id.
    pub fn new(friendly_name: &str, number: u32) -> Self {
        // Base 32 of the number, at the front, where a person would tell ids apart.
        let digit = |place: u32| char::from_digit((number >> (5 * place)) & 31, 32).unwrap_or('0');
        let digits: String = (0..7).rev().map(digit).map(letter).collect();
        let id = format!("N{digits}{}", "X".repeat(48));
        let labels = [
            ("hostcore.arch", "x86_64"),
            ("hostcore.os", "linux"),
            ("hostcore.osfamily", "unix"),
        ];
        Self {
            id: id.parse().expect("letters and digits make an id"),
            friendly_name: friendly_name.to_owned(),
            labels: labels
                .map(|(key, value)| (key.to_owned(), value.to_owned()))
                .into(),
            components: Vec::new(),
            providers: Vec::new(),
            silent: Vec::new(),
            nonsense: BTreeMap::new(),
            refuses: BTreeMap::new(),
            delay: Duration::ZERO,
            outcome: Outcome::Done { told: 1 },
        }
    }

    /// With a label.
    #[must_use]
    pub fn label(mut self, key: &str, value: &str) -> Self {
        self.labels.insert(key.to_owned(), value.to_owned());
        self
    }

    /// With a component that runs from the start.
    #[must_use]
    pub fn component(mut self, id: &str, image: &str, max_instances: u32) -> Self {
        self.components.push(ComponentDescription {
            id: id.to_owned(),
            image_ref: image.to_owned(),
            max_instances,
            ..ComponentDescription::default()
        });
        self
    }

    /// With a candidate beside the component that was named last, which has links of its own.
    #[must_use]
    pub fn candidate(mut self, image: &str, max_instances: u32, weight: u8) -> Self {
        if let Some(component) = self.components.last_mut() {
            component.candidate = Some(CandidateDescription {
                image_ref: image.to_owned(),
                max_instances,
                weight,
                link_suffix: Some("1a2b3c4d".to_owned()),
                ..CandidateDescription::default()
            });
        }
        self
    }

    /// With a provider that runs from the start.
    #[must_use]
    pub fn provider(mut self, id: &str, image: &str) -> Self {
        self.providers.push(ProviderDescription {
            id: id.to_owned(),
            image_ref: Some(image.to_owned()),
            ..ProviderDescription::default()
        });
        self
    }

    /// Does not answer these requests.
    #[must_use]
    pub fn silent(mut self, requests: &[&'static str]) -> Self {
        self.silent.extend(requests);
        self
    }

    /// Refuses a request.
    #[must_use]
    pub fn refuses(mut self, request: &'static str, words: &str) -> Self {
        self.refuses.insert(request, words.to_owned());
        self
    }

    /// Answers a request with bytes that mean nothing.
    #[must_use]
    pub fn nonsense(mut self, request: &'static str, bytes: &[u8]) -> Self {
        self.nonsense.insert(request, bytes.to_vec());
        self
    }

    /// What comes of what takes long.
    #[must_use]
    pub fn outcome(mut self, outcome: Outcome) -> Self {
        self.outcome = outcome;
        self
    }
}

/// A digit of `0-9a-v` as it is in the alphabet of keys, `A-Z2-7`.
fn letter(digit: char) -> char {
    match digit {
        '0'..='9' => (b'A' + digit as u8 - b'0') as char,
        'a'..='p' => (b'K' + digit as u8 - b'a') as char,
        _ => (b'2' + (digit as u8).saturating_sub(b'q')) as char,
    }
}
