//! Takes an archive apart, in one pass over a stream, so that a gzip bomb costs no more than the limits.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::io::{self, Read};

use bytes::Bytes;
use flate2::read::GzDecoder;

use super::error::ParError;
use super::limits::{Capped, ParLimits};
use super::target::Target;
use super::{CLAIMS, GZIP_MAGIC, PROGRAM, WORLD};
use crate::artifact::Artifact;
use crate::claims::{Claims, MAX_JWT_BYTES, ProviderMetadata, Token, check_hash, quote};

/// An archive whose claims are signed, and whose content is what they say.
#[derive(Clone, Debug)]
pub struct ProviderArchive {
    token: Token<ProviderMetadata>,
    /// The programs; `None` for those that were not asked for.
    targets: BTreeMap<Target, Option<Bytes>>,
    world: Option<Bytes>,
    compressed: bool,
}

/// What the entries of a tar file are, by their names.
#[derive(Debug, PartialEq, Eq)]
enum Name {
    Claims,
    World,
    Program(Target),
}

/// What was found, before anything was checked.
#[derive(Default)]
struct Found {
    claims: Option<Bytes>,
    world: Option<Bytes>,
    targets: BTreeMap<Target, Option<Bytes>>,
}

impl ProviderArchive {
    /// Reads an archive with the programs for all targets. Takes as much memory as they have bytes.
    pub fn read(bytes: &[u8], limits: ParLimits) -> Result<Self, ParError> {
        Self::read_some(bytes, limits, None)
    }

    /// Reads an archive and keeps the program for one target; others are passed over, neither held in memory nor
    /// checked. It is no error if there is none for this target: that is for [`binary`](Self::binary) to say.
    pub fn read_for(bytes: &[u8], limits: ParLimits, target: &Target) -> Result<Self, ParError> {
        Self::read_some(bytes, limits, Some(target))
    }

    fn read_some(bytes: &[u8], limits: ParLimits, only: Option<&Target>) -> Result<Self, ParError> {
        let compressed = bytes.starts_with(GZIP_MAGIC);
        let found = match bytes {
            [] => return Err(ParError::NotAnArchive("an empty file")),
            [0, b'a', b's', b'm', ..] => return Err(ParError::NotAnArchive("WebAssembly")),
            _ if compressed => Found::read(GzDecoder::new(bytes), limits, only)?,
            _ => Found::read(bytes, limits, only)?,
        };
        let claims = found.claims.ok_or(ParError::Unsigned)?;
        let jwt = std::str::from_utf8(&claims).map_err(|_| {
            let reason = "claims.jwt is not text";
            ParError::Claims(crate::claims::ClaimsError::Form(reason))
        })?;
        let token = Token::<ProviderMetadata>::verify(jwt).map_err(ParError::Claims)?;
        if found.targets.is_empty() {
            return Err(ParError::Empty);
        }
        let archive = Self {
            token,
            targets: found.targets,
            world: found.world,
            compressed,
        };
        archive.check_hashes()?;
        Ok(archive)
    }

    /// Everything that was kept is what was signed.
    fn check_hashes(&self) -> Result<(), ParError> {
        let programs = self
            .targets
            .iter()
            .filter_map(|(target, content)| Some((target.as_str(), content.as_ref()?)));
        let world = self.world.as_ref().map(|content| (WORLD, content));
        let hashes = &self.token.claims().metadata.target_hashes;
        for (name, content) in programs.chain(world) {
            let claimed = hashes.get(name).ok_or_else(|| ParError::Unlisted {
                name: name.to_owned(),
            })?;
            check_hash(claimed, content).map_err(|source| ParError::Changed {
                name: name.to_owned(),
                source,
            })?;
        }
        Ok(())
    }

    /// What the issuer says about the provider. Whether that holds today is for
    /// [`check_time`](Claims::check_time).
    #[must_use]
    pub fn claims(&self) -> &Claims<ProviderMetadata> {
        self.token.claims()
    }

    /// The token with the claims.
    #[must_use]
    pub fn token(&self) -> &Token<ProviderMetadata> {
        &self.token
    }

    /// What there are programs for.
    pub fn targets(&self) -> impl Iterator<Item = &Target> {
        self.targets.keys()
    }

    /// The program for a target, as it was signed.
    pub fn binary(&self, target: &Target) -> Result<&Bytes, ParError> {
        match self.targets.get(target) {
            Some(Some(content)) => Ok(content),
            Some(None) => Err(ParError::NotRead(target.clone())),
            None => Err(self.no_target(target.to_string())),
        }
    }

    /// The same by the names of [`std::env::consts::ARCH`] and [`std::env::consts::OS`].
    pub fn binary_for(&self, arch: &str, os: &str) -> Result<&Bytes, ParError> {
        match format!("{arch}-{os}").parse() {
            Ok(target) => self.binary(&target),
            Err(_) => Err(self.no_target(quote(&format!("{arch}-{os}")))),
        }
    }

    fn no_target(&self, wanted: String) -> ParError {
        ParError::NoTarget {
            wanted,
            found: self.targets.keys().cloned().collect(),
        }
    }

    /// The WIT of the provider, encoded as WebAssembly, if it is there.
    #[must_use]
    pub fn world(&self) -> Option<&Bytes> {
        self.world.as_ref()
    }

    /// Whether the archive was compressed.
    #[must_use]
    pub fn is_compressed(&self) -> bool {
        self.compressed
    }
}

impl Artifact {
    /// The artifact as a provider archive with the program for one target, read on a thread for such work.
    pub async fn provider_archive(
        &self,
        limits: ParLimits,
        target: Target,
    ) -> Result<ProviderArchive, ParError> {
        let bytes = self.bytes.clone();
        tokio::task::spawn_blocking(move || ProviderArchive::read_for(&bytes, limits, &target))
            .await
            .map_err(|_| ParError::Aborted)?
    }
}

impl Found {
    fn read(unpacked: impl Read, limits: ParLimits, only: Option<&Target>) -> Result<Self, ParError> {
        let exceeded = Cell::new(false);
        let capped = Capped {
            inner: unpacked,
            left: limits.total_bytes,
            exceeded: &exceeded,
        };
        let failed = |error: io::Error| match exceeded.get() {
            true => ParError::TooLarge {
                limit: limits.total_bytes,
            },
            false => ParError::Malformed(error),
        };
        let mut archive = tar::Archive::new(capped);
        let mut found = Self::default();
        // Raw, so that nothing is read as a long name, an extension or a file with holes: no archive has those.
        let entries = archive.entries().map_err(failed)?.raw(true);
        for (index, entry) in entries.enumerate() {
            if index >= limits.entries {
                return Err(ParError::TooManyEntries {
                    limit: limits.entries,
                });
            }
            let mut entry = entry.map_err(failed)?;
            let shown = quote(&String::from_utf8_lossy(&entry.path_bytes()));
            let name = match Name::of(&entry.path_bytes()) {
                Some(name) if entry.header().entry_type().is_file() => name,
                _ => return Err(ParError::Entry { name: shown }),
            };
            let size = entry.size();
            let limit = name.limit(limits);
            if size > limit {
                return Err(ParError::EntryTooLarge {
                    name: shown,
                    size,
                    limit,
                });
            }
            if found.has(&name) {
                return Err(ParError::Duplicate { name: shown });
            }
            if let Name::Program(target) = &name
                && only.is_some_and(|only| only != target)
            {
                found.targets.insert(target.clone(), None);
                continue;
            }
            // The size is what the header says, so memory is taken for what is really there.
            let mut content = Vec::new();
            entry.read_to_end(&mut content).map_err(failed)?;
            if content.len() as u64 != size {
                return Err(ParError::Truncated { name: shown });
            }
            let content = Bytes::from(content);
            match name {
                Name::Claims => found.claims = Some(content),
                Name::World => found.world = Some(content),
                Name::Program(target) => drop(found.targets.insert(target, Some(content))),
            }
        }
        Ok(found)
    }

    fn has(&self, name: &Name) -> bool {
        match name {
            Name::Claims => self.claims.is_some(),
            Name::World => self.world.is_some(),
            Name::Program(target) => self.targets.contains_key(target),
        }
    }
}

impl Name {
    /// `tar` run by hand writes `./` in front.
    fn of(path: &[u8]) -> Option<Self> {
        let path = std::str::from_utf8(path).ok()?;
        let path = path.strip_prefix("./").unwrap_or(path);
        match path {
            CLAIMS => Some(Self::Claims),
            WORLD => Some(Self::World),
            _ => path.strip_suffix(PROGRAM)?.parse().ok().map(Self::Program),
        }
    }

    fn limit(&self, limits: ParLimits) -> u64 {
        match self {
            Self::Claims => limits.entry_bytes.min(MAX_JWT_BYTES as u64),
            Self::World | Self::Program(_) => limits.entry_bytes,
        }
    }
}
