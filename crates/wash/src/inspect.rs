//! `wash inspect`: what a component imports and exports, what a provider archive holds, and what was signed about
//! either. `wash claims inspect` and `wash par inspect` show the latter alone.

use std::fmt::Write as _;
use std::time::SystemTime;

use anyhow::{Context as _, anyhow};
use serde_json::{Value, json};
use wasmcloud_artifacts::claims::component_claims;
use wasmcloud_artifacts::par::{self, ParLimits, ProviderArchive};
use wasmcloud_artifacts::{Artifact, Digest, Kind, Origin, SizeLimits};
use wasmcloud_client::printable;
use wasmcloud_engine::{CompileSource, DescribedItem, Engine, EngineConfig};

use crate::cli::InspectArgs;
use crate::exit::{FAILURE, Failure, INVALID};
use crate::output::Output;
use crate::sign::describe;
use crate::{progress, registry};

pub(crate) fn run(args: &InspectArgs, output: &Output) -> Result<(), Failure> {
    super::block_on(inspect(args, false, output))
}

/// The claims alone; what is not signed is an error.
pub(crate) fn claims(args: &InspectArgs, output: &Output) -> Result<(), Failure> {
    super::block_on(inspect(args, true, output))
}

async fn inspect(args: &InspectArgs, claims_only: bool, output: &Output) -> Result<(), Failure> {
    let artifact = fetch(args).await?;
    let is_archive = par::is_archive(&artifact.bytes);
    if args.wit {
        return wit(&artifact, is_archive, output);
    }
    if is_archive {
        archive(args, &artifact, output)
    } else if claims_only || args.jwt_only {
        signed_component(args, &artifact, output)
    } else {
        component(args, artifact, output).await
    }
}

async fn fetch(args: &InspectArgs) -> Result<Artifact, Failure> {
    let image = registry::image(&args.target)?;
    let artifacts = args.registry.artifacts(Some(&image), args.cache_dir.clone())?;
    let fetched = progress::shown(&args.target, |progress| {
        let (artifacts, image) = (&artifacts, &image);
        async move {
            let limits = SizeLimits::default();
            artifacts
                .fetch(image, Kind::Either, limits, Some(&progress))
                .await
        }
    })
    .await;
    let artifact = fetched.map_err(|error| Failure::new(INVALID, "unreadable-component", error))?;
    if let Some(wanted) = &args.digest {
        check_digest(&artifact, wanted)?;
    }
    Ok(artifact)
}

/// The digest of an image may be that of its manifest or of its content; a file has the latter alone.
fn check_digest(artifact: &Artifact, wanted: &str) -> Result<(), Failure> {
    let content = Digest::of(&artifact.bytes).to_string();
    let manifest = match &artifact.origin {
        Origin::Registry(pulled) => Some(pulled.digest.to_string()),
        Origin::File => None,
    };
    if wanted == content || manifest.as_deref() == Some(wanted) {
        return Ok(());
    }
    let found = manifest.unwrap_or(content);
    let error = anyhow!("{} has the digest {found}, not {wanted}", artifact.name);
    Err(Failure::new(FAILURE, "digest", error))
}

fn resolved(artifact: &Artifact) -> Option<String> {
    match &artifact.origin {
        Origin::Registry(pulled) => Some(pulled.resolved()),
        Origin::File => None,
    }
}

/// What all of them begin with.
fn heading(args: &InspectArgs, artifact: &Artifact, output: &Output) -> String {
    let mut text = String::new();
    let _ = writeln!(text, "{}", output.paint_data("1", &args.target));
    if let Some(image) = resolved(artifact) {
        let _ = writeln!(text, "  image   {image}");
    }
    let _ = writeln!(text, "  size    {} bytes", artifact.bytes.len());
    let _ = writeln!(text, "  digest  {}", Digest::of(&artifact.bytes));
    text
}

fn heading_json(args: &InspectArgs, artifact: &Artifact) -> Value {
    json!({
        "success": true,
        "file": args.target,
        "image": resolved(artifact),
        "size": artifact.bytes.len(),
        "digest": Digest::of(&artifact.bytes).to_string(),
    })
}

fn token(jwt: &str, output: &Output) {
    output.data(jwt, &json!({ "token": jwt, "success": true }));
}

fn read_archive(artifact: &Artifact) -> Result<ProviderArchive, Failure> {
    ProviderArchive::read(&artifact.bytes, ParLimits::default())
        .with_context(|| format!("read the archive {}", artifact.name))
        .map_err(|error| Failure::new(INVALID, "invalid-archive", error))
}

fn archive(args: &InspectArgs, artifact: &Artifact, output: &Output) -> Result<(), Failure> {
    let archive = read_archive(artifact)?;
    if args.jwt_only {
        token(archive.token().jwt(), output);
        return Ok(());
    }
    let described = describe::provider(&archive, SystemTime::now())
        .map_err(|error| Failure::new(INVALID, "invalid-archive", error))?;
    let text = heading(args, artifact, output) + &described.text("provider");
    let mut value = heading_json(args, artifact);
    if let Value::Object(fields) = &mut value {
        fields.extend(described.json);
    }
    output.data(text.trim_end(), &value);
    Ok(())
}

fn signed_component(args: &InspectArgs, artifact: &Artifact, output: &Output) -> Result<(), Failure> {
    let invalid = |error: anyhow::Error| Failure::new(INVALID, "invalid-claims", error);
    let found =
        component_claims(&artifact.bytes).with_context(|| format!("read the claims of {}", artifact.name));
    let Some(found) = found.map_err(invalid)? else {
        return Err(invalid(anyhow!(
            "{} is not signed; hint: `wash claims sign` does that",
            artifact.name
        )));
    };
    if args.jwt_only {
        token(found.jwt(), output);
        return Ok(());
    }
    let described = describe::component(found.claims(), SystemTime::now());
    let text = heading(args, artifact, output) + &described.text("claims");
    let mut value = heading_json(args, artifact);
    if let Value::Object(fields) = &mut value {
        fields.extend(described.json);
    }
    output.data(text.trim_end(), &value);
    Ok(())
}

async fn component(args: &InspectArgs, artifact: Artifact, output: &Output) -> Result<(), Failure> {
    let config = EngineConfig {
        max_instances: 1,
        ..EngineConfig::default()
    };
    let engine = Engine::new(config).map_err(|error| Failure::new(FAILURE, "engine", error))?;
    let source = CompileSource {
        name: artifact.name.clone(),
        bytes: artifact.bytes.clone(),
    };
    let compiled = engine
        .compile(source)
        .await
        .map_err(|error| Failure::new(INVALID, "invalid-component", error))?;
    let described = compiled.described();

    let mut text = heading(args, &artifact, output);
    let mut value = heading_json(args, &artifact);
    list(&mut text, "imports", &described.imports);
    list(&mut text, "exports", &described.exports);
    if let Value::Object(fields) = &mut value {
        fields.insert("imports".to_owned(), items(&described.imports));
        fields.insert("exports".to_owned(), items(&described.exports));
        // Claims that are not believed do not make what it imports less true.
        match component_claims(&artifact.bytes) {
            Ok(None) => {}
            Ok(Some(token)) => {
                let claims = describe::component(token.claims(), SystemTime::now());
                text.push_str(&claims.text("claims"));
                fields.extend(claims.json);
            }
            Err(error) => {
                let _ = writeln!(
                    text,
                    "  claims are not to be believed: {}",
                    printable(&error.to_string())
                );
                fields.insert("problem".to_owned(), json!(error.to_string()));
            }
        }
    }
    output.data(text.trim_end(), &value);
    Ok(())
}

/// The WIT of a component or provider, as text.
fn wit(artifact: &Artifact, is_archive: bool, output: &Output) -> Result<(), Failure> {
    let invalid = |error: anyhow::Error| Failure::new(INVALID, "invalid-wit", error);
    let world = if is_archive {
        let world = read_archive(artifact)?.world().cloned();
        world.ok_or_else(|| invalid(anyhow!("{} has no WIT in it", artifact.name)))?
    } else {
        artifact.bytes.clone()
    };
    let text = print_wit(&world)
        .with_context(|| format!("read the WIT of {}", artifact.name))
        .map_err(invalid)?;
    output.data(
        printable(text.trim_end()).as_ref(),
        &json!({ "wit": text, "success": true }),
    );
    Ok(())
}

fn print_wit(wasm: &[u8]) -> anyhow::Result<String> {
    let decoded = wit_component::decode(wasm)?;
    let mut printer = wit_component::WitPrinter::default();
    printer.print(decoded.resolve(), decoded.package(), &[])?;
    Ok(printer.output.to_string())
}

fn list(text: &mut String, title: &str, items: &[DescribedItem]) {
    let _ = writeln!(text, "  {title}{}", if items.is_empty() { "  none" } else { "" });
    for item in items {
        let _ = writeln!(text, "    {}", item.name);
    }
}

fn items(items: &[DescribedItem]) -> Value {
    items
        .iter()
        .map(|item| json!({ "name": item.name, "functions": item.functions }))
        .collect()
}
