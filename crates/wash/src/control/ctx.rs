//! `wash ctx list|new|default|edit|del`.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context as _, Result, anyhow, bail};
use serde_json::json;

use super::args::{CtxCommand, CtxEditArgs, CtxFolder, CtxNewArgs};
use super::context::{self, ContextFile, Contexts};
use crate::exit::{Failure, INVALID};
use crate::output::Output;

pub(super) fn run(command: CtxCommand, output: &Output) -> Result<(), Failure> {
    let done = match command {
        CtxCommand::List(args) => list(&folder(&args), output),
        CtxCommand::New(args) => new(*args, output),
        CtxCommand::Default(args) => default(&folder(&args.folder), args.name.as_deref(), output),
        CtxCommand::Edit(args) => edit(&args, output),
        CtxCommand::Del(args) => del(&folder(&args.folder), &args.name, output),
    };
    done.map_err(|error| Failure::new(INVALID, "context", error))
}

fn folder(args: &CtxFolder) -> Contexts {
    Contexts::find(args.directory.as_deref())
}

fn list(contexts: &Contexts, output: &Output) -> Result<()> {
    let (names, default) = (contexts.names()?, contexts.default_name()?);
    let mut lines = vec![output.paint_data("1", "  CONTEXT")];
    for name in &names {
        let mark = if Some(name) == default.as_ref() { "*" } else { " " };
        lines.push(format!("{mark} {name}"));
    }
    if names.is_empty() && !output.is_json() {
        output.note("there are no contexts; `wash ctx new NAME` makes one of the lattice options beside it");
        return Ok(());
    }
    output.data(
        &lines.join("\n"),
        &json!({ "contexts": names, "default": default, "success": true }),
    );
    Ok(())
}

fn new(args: CtxNewArgs, output: &Output) -> Result<()> {
    let contexts = folder(&args.folder);
    let name = args.name.clone();
    let context = of_options(args)?;
    let file = contexts.create(&context)?;
    let text = format!("Created context `{name}` in {}", file.display());
    output.data(&text, &json!({ "name": name, "file": file, "success": true }));
    if !output.is_json() && contexts.default_name()?.is_none() {
        output.note(&format!(
            "`wash ctx default {name}` makes it the one that is used"
        ));
    }
    Ok(())
}

/// A context of what was given; paths as they are found from anywhere.
fn of_options(args: CtxNewArgs) -> Result<ContextFile> {
    let lattice = args.lattice;
    if lattice.nats_url.is_some()
        || lattice.nats_user.is_some()
        || lattice.nats_token.is_some()
        || lattice.nats_nkey_seed_file.is_some()
    {
        bail!(
            "a context holds --ctl-host, --ctl-port and a login by JWT, seed or credentials file, as in v1; hint: \
             give those, or set WASMCLOUD_NATS_URL in place of a context"
        );
    }
    if let Some(name) = &lattice.lattice {
        name.parse::<wasmcloud_core::LatticeName>()?;
    }
    let absolute = |path: Option<PathBuf>| match path {
        Some(path) => std::path::absolute(&path)
            .with_context(|| format!("find {}", path.display()))
            .map(Some),
        None => Ok(None),
    };
    Ok(ContextFile {
        name: args.name,
        ctl_host: Some(lattice.ctl_host.unwrap_or_else(|| "127.0.0.1".to_owned())),
        ctl_port: Some(lattice.ctl_port.unwrap_or(4222)),
        ctl_jwt: lattice.ctl_jwt,
        ctl_seed: lattice.ctl_seed,
        ctl_credsfile: absolute(lattice.ctl_credsfile)?,
        ctl_timeout: Some(lattice.timeout_ms.unwrap_or(2_000)),
        ctl_tls_ca_file: absolute(lattice.ctl_tls_ca_file)?,
        ctl_tls_first: lattice.ctl_tls_first.then_some(true),
        lattice: Some(lattice.lattice.unwrap_or_else(|| "default".to_owned())),
        js_domain: lattice.js_domain,
        unknown: serde_json::Map::new(),
    })
}

fn default(contexts: &Contexts, name: Option<&str>, output: &Output) -> Result<()> {
    let text = match name {
        Some(name) => {
            contexts.set_default(name)?;
            format!("Context `{name}` is the default now")
        }
        None => match contexts.default_name()? {
            Some(name) => name,
            None => bail!("no context is the default; hint: `wash ctx default NAME` makes one so"),
        },
    };
    let value = json!({ "default": contexts.default_name()?, "success": true });
    output.data(&text, &value);
    Ok(())
}

fn edit(args: &CtxEditArgs, output: &Output) -> Result<()> {
    let contexts = folder(&args.folder);
    let name = match &args.name {
        Some(name) => name.clone(),
        None => contexts.default_name()?.ok_or_else(|| {
            anyhow!("no context is named and none is the default; hint: `wash ctx list` shows them")
        })?,
    };
    contexts.load(&name)?;
    let file = contexts.file(&name);
    // An editor may be given with options, as `code --wait`.
    let mut words = args.editor.split_whitespace();
    let program = words.next().context("the name of the editor is empty")?;
    let ended = Command::new(program).args(words).arg(&file).status();
    let ended =
        ended.with_context(|| format!("start the editor `{program}`; hint: set EDITOR, or pass --editor"))?;
    if !ended.success() {
        bail!("the editor `{program}` ended with {ended}");
    }
    context::load(&file).context("the context cannot be used as it is now; hint: edit it again")?;
    output.data(
        &format!("Saved context `{name}`"),
        &json!({ "name": name, "file": file, "success": true }),
    );
    Ok(())
}

fn del(contexts: &Contexts, name: &str, output: &Output) -> Result<()> {
    contexts.delete(name)?;
    output.data(
        &format!("Removed context `{name}`"),
        &json!({ "name": name, "success": true }),
    );
    Ok(())
}
