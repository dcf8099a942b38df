//! `wash claims sign|token`.

use std::path::Path;
use std::time::SystemTime;

use anyhow::{Context as _, Result, anyhow};
use nkeys::KeyPair;
use serde_json::json;
use wasmcloud_artifacts::SizeLimits;
use wasmcloud_artifacts::claims::{
    AccountMetadata, ComponentMetadata, Metadata, OperatorMetadata, ProviderMetadata, Token, UnixTime,
    Validity, sign_component,
};

use super::args::{
    AdditionalKeys, ClaimsSignArgs, ComponentArgs, KeyKind, Signers, TokenArgs, TokenCommand,
    TokenOperatorArgs,
};
use super::files;
use super::keydir::{KeyDir, Wanted, given_key};
use crate::output::Output;

pub(super) fn sign(args: ClaimsSignArgs, output: &Output) -> Result<()> {
    let source = &args.source;
    let wasm = files::read(source, SizeLimits::default().component)?;
    let stem = files::stem(source)?;
    let name = args.name.unwrap_or_else(|| stem.clone());
    let keys = Pair::find(
        &args.common,
        &args.signers,
        &stem,
        [KeyKind::Account, KeyKind::Module],
        output,
    )?;
    let signed = sign_component(
        &wasm,
        component(name, args.about),
        &keys.subject,
        &keys.issuer,
        validity(&args.common),
    )
    .with_context(|| format!("sign {}", source.display()))?;
    let destination = args
        .destination
        .unwrap_or_else(|| source.with_file_name(format!("{stem}_s.wasm")));
    files::write(&destination, &signed)?;
    let text = format!("Successfully signed {}", destination.display());
    output.data(&text, &json!({ "destination": destination, "success": true }));
    Ok(())
}

pub(super) fn token(command: TokenCommand, output: &Output) -> Result<()> {
    match command {
        TokenCommand::Component(args) => {
            let metadata = component(args.name.clone(), args.about);
            let kinds = [KeyKind::Account, KeyKind::Module];
            issue(metadata, &args.name, kinds, &args.common, &args.signers, output)
        }
        TokenCommand::Provider(args) => {
            let metadata = ProviderMetadata {
                name: Some(args.name.clone()),
                vendor: args.vendor,
                revision: args.revision,
                version: args.version,
                ..ProviderMetadata::default()
            };
            let kinds = [KeyKind::Account, KeyKind::Service];
            issue(metadata, &args.name, kinds, &args.common, &args.signers, output)
        }
        TokenCommand::Account(args) => {
            let metadata = AccountMetadata {
                name: Some(args.name.clone()),
                valid_signers: Some(signers(&args.more, KeyKind::Account)?),
            };
            let kinds = [KeyKind::Operator, KeyKind::Account];
            issue(metadata, &args.name, kinds, &args.common, &args.signers, output)
        }
        TokenCommand::Operator(args) => operator(args, output),
    }
}

/// An operator signs for itself.
fn operator(args: TokenOperatorArgs, output: &Output) -> Result<()> {
    let wanted = Wanted {
        given: args.issuer.as_deref(),
        kind: KeyKind::Operator,
        stem: &files::stem(Path::new(&args.name))?,
        make: !args.disable_keygen,
    };
    let issuer = KeyDir::find(args.common.directory.as_deref()).key(&wanted, output)?;
    let metadata = OperatorMetadata {
        name: Some(args.name),
        valid_signers: Some(signers(&args.more, KeyKind::Operator)?),
    };
    let token = Token::sign(metadata, &issuer.public_key(), &issuer, validity(&args.common))?;
    print(&token, output);
    Ok(())
}

fn issue<M: Metadata>(
    metadata: M,
    name: &str,
    kinds: [KeyKind; 2],
    common: &TokenArgs,
    signers: &Signers,
    output: &Output,
) -> Result<()> {
    let stem = files::stem(Path::new(name))?;
    let keys = Pair::find(common, signers, &stem, kinds, output)?;
    let token = Token::sign(metadata, &keys.subject, &keys.issuer, validity(common))?;
    print(&token, output);
    Ok(())
}

fn print<M: Metadata>(token: &Token<M>, output: &Output) {
    output.data(token.jwt(), &json!({ "token": token.jwt(), "success": true }));
}

/// Who signs, and the public key of what is signed for.
struct Pair {
    issuer: KeyPair,
    subject: String,
}

impl Pair {
    fn find(
        common: &TokenArgs,
        signers: &Signers,
        stem: &str,
        [issuer, subject]: [KeyKind; 2],
        output: &Output,
    ) -> Result<Self> {
        let keys = KeyDir::find(common.directory.as_deref());
        let find = |kind, given: &Option<String>| {
            let wanted = Wanted {
                given: given.as_deref(),
                kind,
                stem,
                make: !signers.disable_keygen,
            };
            keys.key(&wanted, output)
        };
        Ok(Self {
            issuer: find(issuer, &signers.issuer)?,
            subject: find(subject, &signers.subject)?.public_key(),
        })
    }
}

fn component(name: String, about: ComponentArgs) -> ComponentMetadata {
    ComponentMetadata {
        name: Some(name),
        tags: Some(about.tags),
        revision: about.revision,
        version: about.version,
        call_alias: about.call_alias,
        ..ComponentMetadata::default()
    }
}

fn validity(args: &TokenArgs) -> Validity {
    let now = UnixTime::from(SystemTime::now());
    Validity {
        issued_at: now,
        expires: args.expires.map(|days| now.plus_days(days)),
        not_before: args.nbf.map(|days| now.plus_days(days)),
    }
}

/// The public keys of others who may sign.
fn signers(more: &AdditionalKeys, kind: KeyKind) -> Result<Vec<String>> {
    let public = |given: &String| {
        let key = match KeyPair::from_public_key(given) {
            Ok(key) => key,
            Err(_) => given_key(given)?,
        };
        if key.key_pair_type() != kind.of_nkeys() {
            return Err(anyhow!(
                "`{}` is not the key of an {}, so it cannot be one more signer",
                key.public_key(),
                kind.name()
            ));
        }
        Ok(key.public_key())
    };
    more.keys.iter().map(public).collect()
}
