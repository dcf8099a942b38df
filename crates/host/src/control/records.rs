//! The shared state as this host writes and reads it: records of components with their links, and configs.
//!
//! Several hosts and several clients change one record at the same time, so every change is compare-and-set (v1: the
//! last writer won, wire reference §3.2). What this leaves to others: telling anybody, and acting on it.

use std::collections::BTreeSet;
use std::time::Duration;

use bytes::Bytes;
use wasmcloud_core::{ComponentId, ConfigName, LinkKey};
use wasmcloud_lattice::{Bucket, Contended, Entry, Lattice, Retry, State, StateError};
use wasmcloud_wire::state::{Claims, ComponentSpec, Config, LatticeKey};
use wasmcloud_wire::{DecodeError, Link, Message as _};

/// How long a change of one record is tried again while others change it too.
const LIMIT: Duration = Duration::from_secs(4);

/// Reads of configs that are under way for one request.
const AT_ONCE: usize = 32;

/// The prefix of records with links.
const COMPONENTS: &str = "COMPONENT_";
/// The prefix of records with claims.
const CLAIMS: &str = "CLAIMS_";

/// The buckets of a lattice.
#[derive(Debug)]
pub(crate) struct Records {
    pub(crate) lattice: Box<dyn State>,
    pub(crate) configs: Box<dyn State>,
}

/// A change of the state that was not made.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    /// The state did not answer, or refused.
    #[error(transparent)]
    State(#[from] StateError),
    /// A bucket cannot have the name of this lattice.
    #[error("open the state of lattice `{lattice}`")]
    Name {
        /// The lattice.
        lattice: String,
        /// Why not.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// A record is not one.
    #[error("read `{key}` from the state of the lattice")]
    Record {
        /// Its key.
        key: String,
        /// What is wrong with it.
        #[source]
        source: DecodeError,
    },
    /// Others changed the record each time.
    #[error(transparent)]
    Contended(#[from] Contended),
    /// Another link with the same key and interface goes elsewhere. The text is that of v1 (wire reference §3.1).
    #[error("{}", wasmcloud_wire::message::LINK_CONFLICT)]
    LinkConflict(Box<Link>),
    /// A link names a config that nobody has put.
    #[error("config `{config}` does not exist, and the link {link} uses it; hint: put the config first")]
    NoConfig {
        /// The config.
        config: String,
        /// The link.
        link: Box<LinkKey>,
    },
}

/// A link to be written.
pub(crate) struct LinkPut {
    pub(crate) link: Link,
    pub(crate) key: LinkKey,
    /// A target that a link with this key goes to now and shall not go to any more.
    pub(crate) instead_of: Option<ComponentId>,
}

/// What a deletion of links found.
#[derive(Debug, Default)]
pub(crate) struct Deleted {
    /// The links that are gone now.
    pub(crate) links: Vec<Link>,
    /// Whether the source has a record at all.
    pub(crate) record: bool,
}

impl Records {
    /// Opens both buckets, and makes them if they are not there.
    pub(crate) async fn open(lattice: &Lattice) -> Result<Self, RecordError> {
        let name = |source| RecordError::Name {
            lattice: lattice.name.to_string(),
            source: Box::new(source),
        };
        let records = Bucket::lattice_data(&lattice.name).map_err(name)?;
        let configs = Bucket::config_data(&lattice.name).map_err(name)?;
        let (lattice, configs) = tokio::try_join!(lattice.open_state(records), lattice.open_state(configs))?;
        Ok(Self { lattice, configs })
    }

    /// Adds a link to the record of its source, in the place of one with the same key and target.
    pub(crate) async fn put_link(&self, source: &ComponentId, put: &LinkPut) -> Result<(), RecordError> {
        let LinkPut {
            link,
            key,
            instead_of,
        } = put;
        let configs: BTreeSet<&str> = link
            .source_config
            .iter()
            .chain(&link.target_config)
            .map(String::as_str)
            .collect();
        let configs: Vec<&str> = configs.into_iter().collect();
        for some in configs.chunks(AT_ONCE) {
            let looks = some.iter().map(|config| self.refuse_missing_config(config, key));
            futures::future::try_join_all(looks).await?;
        }
        self.change(source, true, |spec| {
            if let Some(former) = instead_of {
                spec.links
                    .retain(|known| !(has_key(known, key) && known.target == former.as_str()));
            }
            let conflict = spec.links.iter().find(|known| {
                has_key(known, key)
                    && known.target != link.target
                    && known.interfaces.iter().any(|name| link.interfaces.contains(name))
            });
            if let Some(conflict) = conflict {
                return Err(RecordError::LinkConflict(Box::new(conflict.clone())));
            }
            let same = |known: &&mut Link| has_key(known, key) && known.target == link.target;
            match spec.links.iter_mut().find(same) {
                Some(known) => *known = link.clone(),
                None => spec.links.push(link.clone()),
            }
            Ok(())
        })
        .await
    }

    async fn refuse_missing_config(&self, config: &str, key: &LinkKey) -> Result<(), RecordError> {
        match self.configs.get(config).await? {
            Some(_) => Ok(()),
            None => Err(RecordError::NoConfig {
                config: config.to_owned(),
                link: Box::new(key.clone()),
            }),
        }
    }

    /// Removes all links with a key, or only the one to `target`.
    pub(crate) async fn delete_links(
        &self,
        key: &LinkKey,
        target: Option<&ComponentId>,
    ) -> Result<Deleted, RecordError> {
        let mut record = false;
        let deleted = self
            .change(&key.source, false, |spec| {
                record = true;
                let goes = |link: &Link| {
                    has_key(link, key) && target.is_none_or(|target| link.target == target.as_str())
                };
                let links = spec.links.extract_if(.., |link| goes(link)).collect();
                Ok(Deleted { links, record: false })
            })
            .await?;
        Ok(Deleted { record, ..deleted })
    }

    /// Notes where a component or provider comes from, and keeps its links.
    pub(crate) async fn put_url(&self, id: &ComponentId, url: &str) -> Result<(), RecordError> {
        self.change(id, true, |spec| {
            if spec.url != url {
                url.clone_into(&mut spec.url);
            }
            Ok(())
        })
        .await
    }

    /// Puts back what a store has lost: links that are not there, and the url where there is none. What is there
    /// stays, and links that contradict it are left out.
    pub(crate) async fn restore(
        &self,
        id: &ComponentId,
        links: &[Link],
        url: Option<&str>,
    ) -> Result<(), RecordError> {
        self.change(id, true, |spec| {
            for link in links {
                let stands = spec.links.iter().any(|known| {
                    (&known.name, &known.wit_namespace, &known.wit_package)
                        == (&link.name, &link.wit_namespace, &link.wit_package)
                        && (known.target == link.target
                            || known.interfaces.iter().any(|name| link.interfaces.contains(name)))
                });
                if !stands {
                    spec.links.push(link.clone());
                }
            }
            if spec.url.is_empty() {
                spec.url = url.unwrap_or_default().to_owned();
            }
            Ok(())
        })
        .await
    }

    /// The record of a component or provider and since which write, if there is one.
    pub(crate) async fn spec(&self, id: &ComponentId) -> Result<Option<(ComponentSpec, u64)>, RecordError> {
        let key = LatticeKey::Component(id.clone()).to_string();
        let Some(entry) = self.lattice.get(&key).await? else {
            return Ok(None);
        };
        let spec =
            ComponentSpec::decode(&entry.value).map_err(|source| RecordError::Record { key, source })?;
        Ok(Some((spec, entry.revision)))
    }

    /// All links of the lattice. Records that are none are left out: one bad record must not hide all others.
    pub(crate) async fn links(&self) -> Result<Vec<Link>, RecordError> {
        let entries = self.lattice.list(COMPONENTS).await?;
        let specs = entries
            .iter()
            .filter_map(|entry| ComponentSpec::decode(&entry.value).ok());
        Ok(specs.flat_map(|spec| spec.links).collect())
    }

    /// The revisions of the newest records of components and of the newest configs that there are.
    pub(crate) async fn newest(&self) -> Result<(u64, u64), RecordError> {
        let (links, configs) = tokio::try_join!(self.lattice.list(COMPONENTS), self.configs.list(""))?;
        let newest = |entries: &[Entry]| entries.iter().map(|entry| entry.revision).max();
        Ok((
            newest(&links).unwrap_or_default(),
            newest(&configs).unwrap_or_default(),
        ))
    }

    /// All claims of the lattice.
    pub(crate) async fn claims(&self) -> Result<Vec<Claims>, RecordError> {
        let entries = self.lattice.list(CLAIMS).await?;
        let claims = entries
            .iter()
            .filter_map(|entry| Claims::decode(&entry.value).ok());
        Ok(claims.collect())
    }

    /// Writes the claims of something that was started, unless they are there already. One key has one subject, and what
    /// was signed last counts.
    pub(crate) async fn put_claims(&self, claims: &Claims) -> Result<(), RecordError> {
        let key = format!("{CLAIMS}{}", claims.common().subject);
        let written = Bytes::from(claims.encode());
        let known = self.lattice.get(&key).await?;
        if known.is_none_or(|known| known.value != written) {
            self.lattice.put(&key, written).await?;
        }
        Ok(())
    }

    /// A config, with since which write.
    pub(crate) async fn config(&self, name: &ConfigName) -> Result<Option<(Config, u64)>, RecordError> {
        let Some(entry) = self.configs.get(name.as_str()).await? else {
            return Ok(None);
        };
        let config = Config::decode(&entry.value).map_err(|source| RecordError::Record {
            key: name.to_string(),
            source,
        })?;
        Ok(Some((config, entry.revision)))
    }

    /// Writes a config.
    pub(crate) async fn put_config(&self, name: &ConfigName, config: &Config) -> Result<(), RecordError> {
        self.configs.put(name.as_str(), config.encode().into()).await?;
        Ok(())
    }

    /// Removes a config; that there is none is no error.
    pub(crate) async fn delete_config(&self, name: &ConfigName) -> Result<(), RecordError> {
        Ok(self.configs.delete(name.as_str(), None).await?)
    }

    /// Reads a record, changes it, and writes it if nobody else did in between; else again. Where the change leaves
    /// everything as it was, nothing is written. `make` says whether there is a change to be made of no record.
    async fn change<T: Default>(
        &self,
        id: &ComponentId,
        make: bool,
        mut change: impl FnMut(&mut ComponentSpec) -> Result<T, RecordError>,
    ) -> Result<T, RecordError> {
        let key = LatticeKey::Component(id.clone()).to_string();
        let mut retry = Retry::new(&key, LIMIT);
        loop {
            let entry = self.lattice.get(&key).await?;
            let (before, revision) = match &entry {
                Some(entry) => {
                    let spec = ComponentSpec::decode(&entry.value).map_err(|source| RecordError::Record {
                        key: key.clone(),
                        source,
                    })?;
                    (spec, entry.revision)
                }
                None if make => (ComponentSpec::default(), 0),
                None => return Ok(T::default()),
            };
            let mut after = before.clone();
            let value = change(&mut after)?;
            if after == before && entry.is_some() {
                return Ok(value);
            }
            let written = self
                .lattice
                .set(&key, Bytes::from(after.encode()), revision, None)
                .await;
            match written {
                Ok(_) => return Ok(value),
                Err(StateError::Conflict { .. }) => {}
                Err(error) => return Err(error.into()),
            }
            retry.again().await?;
        }
    }
}

fn has_key(link: &Link, key: &LinkKey) -> bool {
    link.name == key.name.as_str() && link.wit_namespace == key.namespace && link.wit_package == key.package
}
