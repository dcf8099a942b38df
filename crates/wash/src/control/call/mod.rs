//! `wash call`: one call of a function of a component, from outside the lattice's hosts.
//!
//! | file | is for |
//! |---|---|
//! | `typed` | any function, with arguments and results as WAVE |
//! | `arguments` | what is written on the command line, as values |
//! | `json` | results as JSON |
//! | `http` | a request for `wasi:http/incoming-handler.handle` |
//! | `answer` | the answer to it |
//! | `failed` | why a call has no results, in words that say where to look |

mod answer;
mod arguments;
mod failed;
mod http;
mod json;
mod typed;

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;
use wasmcloud_client::Client;
use wasmcloud_core::ComponentId;
use wasmcloud_lattice::HeaderMap;
use wasmcloud_lattice::rpc::{Call, Caller, Request, Rpc, RpcError, RpcOptions};
use wasmcloud_wire::rpc::header;

use super::args::CallArgs;
use super::connect::connect;
use super::functions::Runs;
use crate::exit::{FAILURE, Failure};
use crate::output::Output;

/// Who calls. Components and providers of a lattice cannot be told from it, as in v1.
const SOURCE: &str = "wash";

/// Longest wait for the server to take the last messages of a call that failed.
const LEAVE: Duration = Duration::from_millis(500);

pub(super) async fn run(args: &CallArgs, output: &Output) -> Result<(), Failure> {
    let client = connect(&args.lattice).await?;
    let outcome = match http::is_handler(&args.function) {
        true => http::run(&client, args, output).await,
        false => typed::run(&client, args, output).await,
    };
    if outcome.is_err() {
        // A callee that still works has been told to stop; that has to leave before we do.
        client.connection().barrier(Instant::now() + LEAVE).await.ok();
    }
    outcome
}

/// A call that is being made, and what is known of who should answer.
struct Calling<'a> {
    client: &'a Client,
    target: &'a ComponentId,
    /// Who runs it, if that was asked before.
    runs: Option<Runs>,
}

impl Calling<'_> {
    /// Makes the call; when this returns, somebody has accepted it.
    async fn call(&self, instance: &str, function: &str, params: Vec<u8>) -> Result<Call, Failure> {
        let timeout = self.client.timeout();
        let deadline = Instant::now() + timeout;
        let mut options = RpcOptions::new(SOURCE);
        // Nobody but us waits, and a callee that is far away takes its time.
        options.accept_timeout = timeout;
        let rpc = Rpc::start(self.client.connection().clone(), options).await;
        let rpc = rpc.map_err(|error| Failure::new(FAILURE, "no-lattice", error))?;
        let caller = Caller::new(rpc, self.client.lattice().clone(), Arc::new(|_| {}));
        let source: ComponentId = match SOURCE.parse() {
            Ok(source) => source,
            Err(error) => return Err(Failure::new(FAILURE, "call", anyhow::Error::new(error))),
        };
        let mut headers = HeaderMap::new();
        headers.insert(header::TARGET_ID, self.target.as_str());
        let request = Request {
            source: &source,
            link_name: "default",
            target: self.target,
            instance,
            function,
            depth: 0,
            deadline,
            signature: None,
            headers,
            params: params.into(),
        };
        match caller.call(request).await {
            Ok(call) => Ok(call),
            Err(error) => Err(self.failed(error, None).await),
        }
    }

    /// Why there are no results. `call` is the one that was accepted.
    async fn failed(&self, error: RpcError, call: Option<&Call>) -> Failure {
        failed::failure(self, error, call.and_then(Call::host)).await
    }
}
