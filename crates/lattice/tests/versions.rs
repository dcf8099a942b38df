//! Calls to whoever serves a target, where an interface has versions.

#![allow(clippy::unwrap_used, reason = "a test that fails is to panic")]

mod support;

use std::sync::Arc;

use anyhow::{Result, ensure};
use bytes::Bytes;
use parking_lot::Mutex;
use support::{Server as Nats, Target, deadline};
use wasmcloud_lattice::HeaderMap;
use wasmcloud_lattice::rpc::{Caller, Request, Rpc, RpcError, RpcOptions};
use wasmcloud_wire::rpc::{RpcErrorBody, RpcErrorCode};

for_all_servers!(a_call_is_one_of_a_version_that_is_served);

const SUBJECT: &str = "default.callee.wrpc.0.0.1.test:calls/math@0.1.0.add";
const ALL: &str = "default.callee.wrpc.0.0.1.>";

async fn rpc(server: &Nats, host: &str) -> Result<Rpc> {
    Ok(Rpc::start(server.connect().await?, RpcOptions::new(host)).await?)
}

async fn a_call_is_one_of_a_version_that_is_served(target: Target) -> Result<()> {
    const VERSIONS: &[&str] = &["test:calls/math@0.2.0", "test:calls/math@0.1.0"];
    let nats = Nats::start(target).await?;
    let (here, there) = (rpc(&nats, "here").await?, rpc(&nats, "there").await?);
    let caller = Caller::new(here, "default".parse()?, Arc::new(|_| {}));
    let (source, callee) = ("caller".parse()?, "callee".parse()?);
    let call = async |versions: &[&'static str]| {
        let request = Request {
            source: &source,
            link_name: "default",
            target: &callee,
            instance: "",
            function: "add",
            depth: 0,
            deadline: deadline(),
            signature: None,
            headers: HeaderMap::new(),
            params: Bytes::new(),
        };
        caller
            .call_any(request, versions)
            .await
            .map(|(_, version)| version)
    };
    let nobody = call(VERSIONS).await;
    ensure!(matches!(nobody, Err(RpcError::NoResponders { .. })), "{nobody:?}");
    ensure!(call(&[]).await.is_err());

    // As v1: a subscription for one version, and silence about others.
    let mut old = there.serve(SUBJECT, "default.callee").await?;
    there.connection().barrier(deadline()).await?;
    for _ in 0..2 {
        let (version, _) = tokio::join!(call(VERSIONS), async {
            let accepted = old.next().await.unwrap().accept(support::SOON).await?;
            accepted.finish(Bytes::new()).await
        });
        ensure!(version? == "test:calls/math@0.1.0");
    }
    drop(old);
    there.connection().barrier(deadline()).await?;

    // As ours: a subscription for everything, and a word for what is not there.
    let mut new = there.serve(ALL, "default.callee").await?;
    there.connection().barrier(deadline()).await?;
    let asked = Arc::new(Mutex::new(Vec::new()));
    let heard = Arc::clone(&asked);
    tokio::spawn(async move {
        while let Some(incoming) = new.next().await {
            let subject = incoming.subject().to_owned();
            heard.lock().push(subject.contains("@0.2.0"));
            match subject.contains("@0.2.0") {
                true => {
                    let accepted = incoming.accept(support::SOON).await;
                    accepted.unwrap().finish(Bytes::new()).await.unwrap();
                }
                false => {
                    let why = RpcErrorBody::new(RpcErrorCode::Mismatch, "not this one");
                    incoming.refuse(&why).await;
                }
            }
        }
    });
    for _ in 0..2 {
        ensure!(call(VERSIONS).await? == "test:calls/math@0.2.0");
    }
    // The one that was answered last comes first.
    ensure!(*asked.lock() == [false, true, true], "{:?}", asked.lock());
    Ok(())
}
