//! `wash down`: ends what runs in the embedded lattice of this machine, and waits until it has ended.

use std::time::Duration;

use anyhow::anyhow;
use serde_json::json;
use tokio::time::Instant;
use wasmcloud_client::Client;
use wasmcloud_lattice::Connection;
use wasmcloud_wire::control::{Host, Request, StopHost};
use wasmcloud_wire::subject::Topic;

use crate::cli::DownArgs;
use crate::embedded::Embedded;
use crate::exit::{FAILURE, Failure};
use crate::host::RUNS_LATTICE;
use crate::output::Output;
use crate::up::dirs;

/// Longest wait for the answer of a host on this machine.
const ANSWER: Duration = Duration::from_secs(2);
/// What a stop takes besides draining.
const GRACE: Duration = Duration::from_secs(12);
/// How often it is looked whether it has ended: what ends is a lock of another process.
const LOOK: Duration = Duration::from_millis(20);

pub(crate) fn run(args: &DownArgs, output: &Output) -> Result<(), Failure> {
    crate::block_on(down(args, output))
}

async fn down(args: &DownArgs, output: &Output) -> Result<(), Failure> {
    let failed = |error: anyhow::Error| Failure::new(FAILURE, "down", error);
    let embedded = Embedded::below(&args.data_dir.clone().unwrap_or_else(dirs::data));
    let Some(endpoint) = embedded.endpoint().map_err(failed)? else {
        let value =
            json!({ "success": true, "hosts_stopped": [], "nats_stopped": false, "wadm_stopped": false });
        output.data(
            &format!("nothing runs in the lattice of {}", embedded.folder().display()),
            &value,
        );
        return Ok(());
    };
    let options = embedded.options(&endpoint).map_err(failed)?;
    let connection = Connection::connect(&options)
        .await
        .map_err(|error| failed(error.into()))?;
    let client = Client::new(
        connection.clone(),
        args.lattice.clone(),
        &Topic::control(),
        ANSWER,
    );
    let hosts = client
        .hosts()
        .await
        .map_err(|error| failed(error.into()))?
        .answers;
    let deadline = Instant::now() + args.drain + GRACE;
    for host in last_the_carrier(&hosts) {
        let stop = StopHost {
            host_id: None,
            timeout: u64::try_from(args.drain.as_millis()).ok(),
        };
        let id = host
            .id
            .parse()
            .map_err(|error: wasmcloud_core::InvalidName| failed(error.into()))?;
        let stopping = client.send(&Request::StopHost(id, stop)).await;
        stopping.map_err(|error| failed(error.into()))?;
        output.note(&format!("stopping {} ({})", host.friendly_name, host.id));
    }
    // The carrier waits for everybody to leave, us included.
    connection.close(connection.default_deadline()).await;
    let runs = || {
        Ok(embedded
            .endpoint()
            .map_err(failed)?
            .is_some_and(|now| now.server_id == endpoint.server_id))
    };
    while runs()? {
        if Instant::now() >= deadline {
            let error = anyhow!(
                "process {} was asked to stop and runs on after {:?}; hint: `kill {}` makes it leave at once",
                endpoint.pid,
                args.drain + GRACE,
                endpoint.pid
            );
            return Err(failed(error));
        }
        tokio::time::sleep(LOOK).await;
    }
    let ids: Vec<&str> = hosts.iter().map(|host| host.id.as_str()).collect();
    let value = json!({ "success": true, "hosts_stopped": ids, "nats_stopped": true, "wadm_stopped": false });
    output.data(
        &format!("stopped {} host(s) and their lattice", hosts.len()),
        &value,
    );
    Ok(())
}

/// The host whose process carries the lattice goes last: the others want to say goodbye.
fn last_the_carrier(hosts: &[Host]) -> impl Iterator<Item = &Host> {
    let carries = |host: &&Host| {
        let has = |(key, value): (&str, &str)| host.labels.get(key).is_some_and(|now| now == value);
        RUNS_LATTICE.into_iter().all(has)
    };
    let (carriers, others): (Vec<&Host>, Vec<&Host>) = hosts.iter().partition(carries);
    others.into_iter().chain(carriers)
}
