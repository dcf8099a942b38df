//! `wash par create|insert`: provider archives.

use std::path::{Path, PathBuf};
use std::time::SystemTime;

use anyhow::{Context as _, Result};
use serde_json::json;
use wasmcloud_artifacts::SizeLimits;
use wasmcloud_artifacts::claims::{ProviderMetadata, UnixTime, Validity};
use wasmcloud_artifacts::par::{ParLimits, ProviderArchive, ProviderArchiveBuilder};

use super::args::{KeyKind, ParCreateArgs, ParInsertArgs};
use super::files;
use super::keydir::{KeyDir, Wanted, given_key};
use crate::output::Output;

/// Largest schema in bytes; it has to fit into a token.
const MAX_SCHEMA: u64 = 512 << 10;

pub(super) fn create(args: ParCreateArgs, output: &Output) -> Result<()> {
    let binary = &args.program.binary;
    let program = files::read(binary, ParLimits::default().entry_bytes)?;
    let config_schema = args.schema.as_deref().map(|file| {
        let text = files::read(file, MAX_SCHEMA)?;
        serde_json::from_slice(&text).with_context(|| format!("{} is not JSON", file.display()))
    });
    let config_schema = config_schema.transpose()?;
    let stem = files::stem(binary)?;

    let keys = KeyDir::find(args.folder.directory.as_deref());
    let make = !args.signers.disable_keygen;
    let wanted = |kind, given| Wanted {
        given,
        kind,
        stem: &stem,
        make,
    };
    let issuer = keys.key(&wanted(KeyKind::Account, args.signers.issuer.as_deref()), output)?;
    let subject = keys.key(&wanted(KeyKind::Service, args.signers.subject.as_deref()), output)?;

    let metadata = ProviderMetadata {
        name: Some(args.name),
        vendor: args.vendor,
        revision: args.revision,
        version: args.version,
        config_schema,
        ..ProviderMetadata::default()
    };
    let mut builder = ProviderArchiveBuilder::new(metadata)
        .program(args.program.arch, program.into())
        .compressed(args.compress);
    if let Some(folder) = &args.wit_directory {
        builder = builder.world(world(folder)?.into());
    }
    let bytes = builder.build(&subject.public_key(), &issuer, Validity::from(SystemTime::now()))?;
    let mut file = args
        .destination
        .unwrap_or_else(|| PathBuf::from(format!("{stem}.par")));
    if args.compress && file.extension().is_none_or(|extension| extension != "gz") {
        file = files::with_suffix(&file, ".gz");
    }
    files::write(&file, &bytes)?;
    let text = format!("Successfully created archive {}", file.display());
    output.data(&text, &json!({ "file": file, "success": true }));
    Ok(())
}

/// The WIT package in a folder, encoded as WebAssembly.
fn world(folder: &Path) -> Result<Vec<u8>> {
    let mut resolve = wit_parser::Resolve::default();
    let (package, _) = resolve
        .push_path(folder)
        .with_context(|| format!("read the WIT in {}", folder.display()))?;
    wit_component::encode(&resolve, package)
        .with_context(|| format!("encode the WIT in {}", folder.display()))
}

pub(super) fn insert(args: &ParInsertArgs, output: &Output) -> Result<()> {
    let (file, binary) = (&args.archive, &args.program.binary);
    let bytes = files::read(file, SizeLimits::default().provider)?;
    let archive = ProviderArchive::read(&bytes, ParLimits::default())
        .with_context(|| format!("read the archive {}", file.display()))?;
    drop(bytes);
    let program = files::read(binary, ParLimits::default().entry_bytes)?;
    let claims = archive.claims();

    let keys = KeyDir::find(args.folder.directory.as_deref());
    let stem = files::stem(binary)?;
    let wanted = Wanted {
        given: args.signers.issuer.as_deref(),
        kind: KeyKind::Account,
        stem: &stem,
        make: !args.signers.disable_keygen,
    };
    let issuer = keys.key(&wanted, output)?;
    // v1 takes the key that is called after the program, and makes one if there is none; the archive would become that
    // of another provider. Nothing is signed with the subject's key, so it need not be at hand.
    let subject = match args.signers.subject.as_deref() {
        Some(given) => given_key(given)?.public_key(),
        None => claims.subject.clone(),
    };
    if issuer.public_key() != claims.issuer {
        let issuer = issuer.public_key();
        output.note(&format!(
            "the archive was signed by {}, and now is by {issuer}",
            claims.issuer
        ));
    }
    let validity = Validity {
        issued_at: UnixTime::from(SystemTime::now()),
        ..claims.validity
    };
    let bytes = ProviderArchiveBuilder::from_archive(&archive)?
        .program(args.program.arch.clone(), program.into())
        .build(&subject, &issuer, validity)?;
    files::write(file, &bytes)?;
    let text = format!(
        "Successfully inserted {} into archive {}",
        binary.display(),
        file.display()
    );
    output.data(&text, &json!({ "file": file, "success": true }));
    Ok(())
}
