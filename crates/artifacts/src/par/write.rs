//! Makes an archive. The same input gives the same bytes: entries are in order, and without times and owners.

use std::collections::BTreeMap;
use std::io::{self, Write as _};

use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use nkeys::KeyPair;

use super::error::ParError;
use super::read::ProviderArchive;
use super::target::Target;
use super::{CLAIMS, PROGRAM, WORLD};
use crate::claims::{ProviderMetadata, Token, Validity, hash};

/// What goes into an archive.
#[derive(Clone, Debug)]
pub struct ProviderArchiveBuilder {
    metadata: ProviderMetadata,
    targets: BTreeMap<Target, Bytes>,
    world: Option<Bytes>,
    compressed: bool,
}

impl ProviderArchiveBuilder {
    /// An archive without programs. The hashes in the metadata are replaced by those of the content.
    #[must_use]
    pub fn new(metadata: ProviderMetadata) -> Self {
        Self {
            metadata,
            targets: BTreeMap::new(),
            world: None,
            compressed: false,
        }
    }

    /// An archive like this one, which was read with the programs for all targets. It is signed anew.
    pub fn from_archive(archive: &ProviderArchive) -> Result<Self, ParError> {
        let mut builder = Self::new(archive.claims().metadata.clone()).compressed(archive.is_compressed());
        builder.world = archive.world().cloned();
        for target in archive.targets() {
            builder = builder.program(target.clone(), archive.binary(target)?.clone());
        }
        Ok(builder)
    }

    /// Adds the program for a target, or replaces it.
    #[must_use]
    pub fn program(mut self, target: Target, content: Bytes) -> Self {
        self.targets.insert(target, content);
        self
    }

    /// Adds the WIT of the provider, encoded as WebAssembly.
    #[must_use]
    pub fn world(mut self, content: Bytes) -> Self {
        self.world = Some(content);
        self
    }

    /// Whether the archive is compressed with gzip.
    #[must_use]
    pub fn compressed(mut self, compressed: bool) -> Self {
        self.compressed = compressed;
        self
    }

    /// Signs and writes the archive. `subject` is the public key of the provider, `issuer` the key of an account.
    pub fn build(mut self, subject: &str, issuer: &KeyPair, validity: Validity) -> Result<Vec<u8>, ParError> {
        if self.targets.is_empty() {
            return Err(ParError::Empty);
        }
        let programs = self
            .targets
            .iter()
            .map(|(target, content)| (target.to_string(), hash(content)));
        let world = self.world.iter().map(|content| (WORLD.to_owned(), hash(content)));
        self.metadata.target_hashes = programs.chain(world).collect();
        let token = Token::sign(self.metadata, subject, issuer, validity).map_err(ParError::Claims)?;

        let mut tar = tar::Builder::new(Vec::new());
        add(&mut tar, CLAIMS, 0o644, token.jwt().as_bytes())?;
        if let Some(world) = &self.world {
            add(&mut tar, WORLD, 0o644, world)?;
        }
        for (target, content) in &self.targets {
            add(&mut tar, &format!("{target}{PROGRAM}"), 0o755, content)?;
        }
        let tar = tar.into_inner().map_err(ParError::Write)?;
        if self.compressed {
            gzip(&tar).map_err(ParError::Write)
        } else {
            Ok(tar)
        }
    }
}

fn add(tar: &mut tar::Builder<Vec<u8>>, name: &str, mode: u32, content: &[u8]) -> Result<(), ParError> {
    let mut header = tar::Header::new_gnu();
    header.set_entry_type(tar::EntryType::Regular);
    header.set_size(content.len() as u64);
    header.set_mode(mode);
    header.set_mtime(0);
    header.set_uid(0);
    header.set_gid(0);
    // Writes the name and the checksum.
    tar.append_data(&mut header, name, content)
        .map_err(ParError::Write)
}

/// Without a time or a name in the header.
fn gzip(bytes: &[u8]) -> io::Result<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes)?;
    encoder.finish()
}
