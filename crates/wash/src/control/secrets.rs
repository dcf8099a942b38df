//! `wash secrets put|get|del`: references to secrets, which are configs named `SECRET_…` (wire reference §2.8). The
//! value of a secret is never seen here.

use std::collections::BTreeMap;

use anyhow::{Context as _, anyhow};
use serde_json::{Value, json};
use wasmcloud_core::ConfigName;
use wasmcloud_wire::control::Request;
use wasmcloud_wire::state::{Config, SecretReference};

use super::args::{SecretPutArgs, SecretsCommand};
use super::config::done;
use super::connect::connect;
use super::report::failed;
use super::table::Table;
use crate::exit::{FAILURE, Failure, INVALID};
use crate::output::Output;

pub(super) async fn run(command: SecretsCommand, output: &Output) -> Result<(), Failure> {
    match command {
        SecretsCommand::Put(args) => {
            let config = reference(&args).map_err(|error| Failure::new(INVALID, "invalid-secret", error))?;
            let put = Request::PutConfig(stored(&args.name)?, config);
            let client = connect(&args.lattice).await?;
            client.send(&put).await.map_err(failed)?;
            done(&format!("Secret '{}' put successfully.", args.name), output);
        }
        SecretsCommand::Get(args) => {
            let name = stored(&args.name)?;
            let client = connect(&args.lattice).await?;
            let Some(Config(fields)) = client.config(&name).await.map_err(failed)? else {
                let error = anyhow!(
                    "there is no reference to a secret `{}` in lattice `{}`",
                    args.name,
                    client.lattice()
                );
                return Err(Failure::new(FAILURE, "no-such-secret", error));
            };
            let mut table = Table::new(&["FIELD", "VALUE"]);
            for (key, value) in &fields {
                table.row([key.clone(), value.clone()]);
            }
            output.data(&table.text(output), &json!(fields));
        }
        SecretsCommand::Del(args) => {
            let name = stored(&args.name)?;
            let client = connect(&args.lattice).await?;
            client.send(&Request::DeleteConfig(name)).await.map_err(failed)?;
            done(&format!("Secret '{}' deleted successfully.", args.name), output);
        }
    }
    Ok(())
}

/// The name under which a reference is kept. One that is written with it means the same.
fn stored(name: &ConfigName) -> Result<ConfigName, Failure> {
    let name = match name.as_str().starts_with("SECRET_") {
        true => name.as_str().to_owned(),
        false => format!("SECRET_{name}"),
    };
    name.parse()
        .map_err(|error: wasmcloud_core::InvalidName| Failure::new(INVALID, "invalid-name", error))
}

/// The record, as a config that holds only text.
fn reference(args: &SecretPutArgs) -> anyhow::Result<Config> {
    let properties = args
        .property
        .iter()
        .map(|(key, value)| (key.clone(), Value::from(value.as_str())));
    let name = args.name.as_str();
    let name = name.strip_prefix("SECRET_").unwrap_or(name);
    let mut reference = SecretReference::new(name, &args.backend, &args.key, properties.collect());
    reference.field.clone_from(&args.field);
    reference.version.clone_from(&args.secret_version);
    let fields = serde_json::to_value(&reference).context("write the reference as JSON")?;
    let fields: BTreeMap<String, String> =
        serde_json::from_value(fields).context("write the reference as text")?;
    Ok(Config(fields))
}
