//! `wash config put|get|del`.

use std::collections::BTreeMap;

use anyhow::anyhow;
use serde_json::json;
use wasmcloud_core::ConfigName;
use wasmcloud_wire::control::Request;
use wasmcloud_wire::state::Config;

use super::args::ConfigCommand;
use super::connect::connect;
use super::report::failed;
use super::table::Table;
use crate::exit::{FAILURE, Failure, INVALID};
use crate::output::Output;

pub(super) async fn run(command: ConfigCommand, output: &Output) -> Result<(), Failure> {
    match command {
        ConfigCommand::Put(args) => {
            let name = no_secret(args.name)?;
            let config = Config(values(args.values)?);
            let client = connect(&args.lattice).await?;
            let put = Request::PutConfig(name.clone(), config);
            client.send(&put).await.map_err(failed)?;
            done(&format!("Configuration '{name}' put successfully."), output);
        }
        ConfigCommand::Get(args) => {
            let name = no_secret(args.name)?;
            let client = connect(&args.lattice).await?;
            let Some(Config(values)) = client.config(&name).await.map_err(failed)? else {
                let error = anyhow!("there is no config `{name}` in lattice `{}`", client.lattice());
                return Err(Failure::new(FAILURE, "no-such-config", error));
            };
            let mut table = Table::new(&["KEY", "VALUE"]);
            for (key, value) in &values {
                table.row([key.clone(), value.clone()]);
            }
            // The values themselves, without anything beside them, as in v1: they are data of the user.
            output.data(&table.text(output), &json!(values));
        }
        ConfigCommand::Del(args) => {
            let name = no_secret(args.name)?;
            let client = connect(&args.lattice).await?;
            client
                .send(&Request::DeleteConfig(name.clone()))
                .await
                .map_err(failed)?;
            done(&format!("Configuration '{name}' deleted successfully."), output);
        }
    }
    Ok(())
}

/// The last word of what put or deleted something.
pub(super) fn done(message: &str, output: &Output) {
    output.data(message, &json!({ "message": message, "success": true }));
}

/// References to secrets are configs of a reserved name.
fn no_secret(name: ConfigName) -> Result<ConfigName, Failure> {
    match name.as_str().starts_with("SECRET") {
        false => Ok(name),
        true => {
            let error = anyhow!(
                "Configuration names cannot start with 'SECRET'. Did you mean to use the 'secrets' command?"
            );
            Err(Failure::new(INVALID, "invalid-name", error))
        }
    }
}

/// Each key once: what is written twice was meant once or differently.
fn values(pairs: Vec<(String, String)>) -> Result<BTreeMap<String, String>, Failure> {
    let mut values = BTreeMap::new();
    for (key, value) in pairs {
        if values.insert(key.clone(), value).is_some() {
            let error = anyhow!("`{key}` is given twice");
            return Err(Failure::new(INVALID, "invalid-config", error));
        }
    }
    Ok(values)
}
