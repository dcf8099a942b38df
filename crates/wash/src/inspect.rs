//! `wash inspect`: what a component imports and exports.

use std::fmt::Write as _;

use serde_json::{Value, json};
use wasmcloud_artifacts::{Kind, Origin, SizeLimits};
use wasmcloud_engine::{CompileSource, DescribedItem, Engine, EngineConfig};

use crate::cli::InspectArgs;
use crate::exit::{FAILURE, Failure, INVALID};
use crate::output::Output;
use crate::{progress, registry};

pub(crate) fn run(args: &InspectArgs, output: &Output) -> Result<(), Failure> {
    super::block_on(inspect(args, output))
}

async fn inspect(args: &InspectArgs, output: &Output) -> Result<(), Failure> {
    let config = EngineConfig {
        max_instances: 1,
        ..EngineConfig::default()
    };
    let image = registry::image(&args.component)?;
    let artifacts = args.registry.artifacts(Some(&image), args.cache_dir.clone())?;
    let limits = SizeLimits {
        component: config.max_component_size,
        ..SizeLimits::default()
    };
    let fetched = progress::shown(&args.component, |progress| {
        let (artifacts, image) = (&artifacts, &image);
        async move {
            artifacts
                .fetch(image, Kind::Component, limits, Some(&progress))
                .await
        }
    })
    .await;
    let artifact = fetched.map_err(|error| Failure::new(INVALID, "unreadable-component", error))?;
    let pulled = match &artifact.origin {
        Origin::Registry(pulled) => Some(pulled.resolved()),
        Origin::File => None,
    };
    let engine = Engine::new(config).map_err(|error| Failure::new(FAILURE, "engine", error))?;
    let source = CompileSource {
        name: artifact.name,
        bytes: artifact.bytes,
    };
    let compiled = engine
        .compile(source)
        .await
        .map_err(|error| Failure::new(INVALID, "invalid-component", error))?;
    let described = compiled.described();

    let mut text = String::new();
    let _ = writeln!(text, "{}", output.paint_data("1", &args.component));
    if let Some(pulled) = &pulled {
        let _ = writeln!(text, "  image   {pulled}");
    }
    let _ = writeln!(text, "  size    {} bytes", compiled.size());
    let _ = writeln!(text, "  digest  sha256:{}", compiled.digest());
    list(&mut text, "imports", &described.imports);
    list(&mut text, "exports", &described.exports);
    let value = json!({
        "file": args.component,
        "image": pulled,
        "size": compiled.size(),
        "digest": format!("sha256:{}", compiled.digest()),
        "imports": items(&described.imports),
        "exports": items(&described.exports),
    });
    output.data(text.trim_end(), &value);
    Ok(())
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
