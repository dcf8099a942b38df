//! Any function, by its type.

use anyhow::{Context as _, anyhow};
use serde_json::json;
use wasmcloud_client::Client;
use wasmcloud_core::ImageRef;
use wasmcloud_wire::message::chain;
use wasmcloud_wire::value::{Decoder, Type, Value, View, encode_params};

use super::json::json as as_json;
use super::{Calling, arguments};
use crate::control::args::CallArgs;
use crate::control::functions::{Function, Functions, Runs, known, limits, of_image, who_runs};
use crate::control::report;
use crate::control::table::one_line;
use crate::exit::{FAILURE, Failure, INVALID, USAGE};
use crate::output::Output;
use crate::registry;

pub(super) async fn run(client: &Client, args: &CallArgs, output: &Output) -> Result<(), Failure> {
    let (written, whole) = arguments::whole_call(&args.function);
    if whole.is_some() && !args.arguments.is_empty() {
        let error =
            anyhow!("the arguments are given twice, in the parentheses and behind them; hint: leave one out");
        return Err(Failure::new(USAGE, "invalid-argument", error));
    }
    let (function, runs) = function(client, args, written, output).await?;
    let unfit = |error| Failure::new(FAILURE, "not-callable", anyhow::Error::new(error));
    let (params, result) = function.signature().map_err(unfit)?;
    let name = function.to_string();
    let values = match whole {
        Some(whole) => arguments::of_whole_call(&name, params, whole),
        None => arguments::one_by_one(&name, params, &args.arguments),
    };
    let values = values.map_err(|error| Failure::new(USAGE, "invalid-argument", error))?;
    let mut bytes = Vec::new();
    encode_params::<Value>(&arguments::types(params), &values, &mut bytes)
        .map_err(|error| Failure::new(USAGE, "invalid-argument", error))?;

    let calling = Calling {
        client,
        target: &args.component_id,
        runs,
    };
    let instance = function.instance.as_deref().unwrap_or_default();
    let call = calling.call(instance, &function.name, bytes).await?;
    let results = match result.is_some() {
        true => call.some_results().await,
        false => call.results().await,
    };
    let results = match results {
        Ok(results) => results,
        Err(error) => return Err(calling.failed(error, Some(&call)).await),
    };
    let value = decode(result, &results).map_err(|error| {
        let error = error.context(format!("read what `{name}` of `{}` returned", args.component_id));
        Failure::new(FAILURE, "bad-answer", error)
    })?;
    print(value.as_ref(), output);
    Ok(())
}

/// The function that is meant, and who runs it where that was asked for it.
async fn function(
    client: &Client,
    args: &CallArgs,
    written: &str,
    output: &Output,
) -> Result<(Function, Option<Runs>), Failure> {
    let of = format!("`{}`", args.component_id);
    let find = |functions: &Functions, of: &str| {
        let found = functions.find(written, of).cloned();
        found.map_err(|error| Failure::new(FAILURE, "no-such-function", error))
    };
    if let Some(written) = &args.image.component {
        let image = registry::image(written)?;
        let functions = of_image(&image, &args.image).await;
        let functions = functions.map_err(|error| {
            let error = error.context(format!("read the functions of {}", one_line(written)));
            Failure::new(INVALID, "unreadable-component", error)
        })?;
        return Ok((find(&functions, &one_line(written))?, None));
    }
    // Of these everybody knows the types.
    if let Some((instance, name)) = written.rsplit_once('.')
        && let Some(function) = known(Some(instance), name)
    {
        return Ok((function.clone(), None));
    }
    let runs = who_runs(client, args.component_id.as_str()).await;
    let runs = runs.map_err(report::failed)?;
    if !runs.anybody() {
        let error = anyhow!(
            "nobody in lattice `{}` answers calls to {of}: it {}; hint: `wash get inventory` shows what runs where",
            client.lattice(),
            runs.words()
        );
        return Err(Failure::new(FAILURE, "no-responders", error));
    }
    let unknown = |error: anyhow::Error| {
        let chain = chain(&*error);
        let error = anyhow!(
            "the types of the functions of {of} are not known: {}; hint: `--component FILE|IMAGE` says where they can \
             be read",
            one_line(&chain)
        );
        Failure::new(FAILURE, "no-types", error)
    };
    if runs.provider {
        return Err(unknown(anyhow!("it is a provider")));
    }
    let image = runs.images.first().map(String::as_str).unwrap_or_default();
    if runs.images.len() > 1 && !output.is_json() {
        output.note(&format!(
            "{} {of} runs from several images; the types are those of {}",
            output.paint("1;33", "warning:"),
            one_line(image)
        ));
    }
    let image: Result<ImageRef, _> = image.parse();
    let image = image.map_err(|error| unknown(anyhow!(error)))?;
    let functions = of_image(&image, &args.image).await.map_err(unknown)?;
    Ok((find(&functions, &of)?, Some(runs)))
}

fn decode(result: Option<&Type>, bytes: &[u8]) -> anyhow::Result<Option<Value>> {
    let mut decoder = Decoder::with_limits(bytes, limits());
    let value = match result {
        Some(ty) => Some(decoder.value::<Value>(ty).context("it is not of its type")?),
        None => None,
    };
    decoder.finish()?;
    Ok(value)
}

/// v1 has the text of a function that returns one under `response`.
fn print(value: Option<&Value>, output: &Output) {
    let Some(value) = value else {
        if output.is_json() {
            output.data("", &json!({ "response": "", "result": null, "success": true }));
        }
        return;
    };
    let wave = value.to_string();
    let response = match value.view() {
        View::String(text) => text,
        _ => &wave,
    };
    output.data(
        &wave,
        &json!({ "response": response, "result": as_json(value), "success": true }),
    );
}
