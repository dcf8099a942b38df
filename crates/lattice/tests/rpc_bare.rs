//! Requests without headers: to whoever has answered without them, as long as nothing has to be said that only headers
//! can say.

#![allow(clippy::unwrap_used, reason = "a test that fails is to panic")]

mod support;

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use bytes::Bytes;
use futures::StreamExt as _;
use support::{SOON, Server as Nats, Target, deadline, soon};
use wasmcloud_core::ComponentId;
use wasmcloud_lattice::rpc::{Call, Caller, Request, Rpc, RpcError, RpcOptions};
use wasmcloud_lattice::{HeaderMap, Message, Subscription};

for_all_servers!(
    who_answers_without_headers_is_asked_without,
    a_callee_of_v1_that_takes_over_answers,
    nobody_there_is_said_at_once,
);

const ALL: &str = "default.callee.wrpc.0.0.1.>";

async fn rpc(server: &Nats, host: &str) -> Result<Rpc> {
    let mut options = RpcOptions::new(host);
    // The machine may be busy.
    options.accept_timeout = Duration::from_secs(20);
    Ok(Rpc::start(server.connect().await?, options).await?)
}

/// Answers with who calls over which link, until it has left the group.
async fn callee(server: &Nats) -> Result<tokio::task::JoinHandle<Result<()>>> {
    let rpc = rpc(server, "B").await?;
    let mut server = rpc.serve(ALL, "default.callee").await?;
    rpc.connection().barrier(deadline()).await?;
    Ok(tokio::spawn(async move {
        while let Some(incoming) = server.next().await {
            let (source, link) = (incoming.source().unwrap_or("?"), incoming.link_name());
            let said = format!(
                "{source} {} {}",
                link.unwrap_or("default"),
                incoming.terms().depth
            );
            let leave = incoming.terms().depth == 1;
            let accepted = incoming.accept(SOON).await?;
            accepted.params().await?;
            accepted.conclude(said.into()).await?;
            if leave {
                server.drain(deadline()).await?;
            }
        }
        Ok(())
    }))
}

struct Requests {
    caller: Caller,
    source: ComponentId,
    target: ComponentId,
    /// All requests, beside those who serve them.
    seen: Subscription,
}

impl Requests {
    async fn of(server: &Nats) -> Result<Self> {
        let watcher = server.connect().await?;
        let seen = watcher.subscribe(ALL).await?;
        watcher.barrier(deadline()).await?;
        let rpc = rpc(server, "A").await?;
        Ok(Self {
            caller: Caller::new(rpc, "default".parse()?, Arc::new(|_| {})),
            source: "web".parse()?,
            target: "callee".parse()?,
            seen,
        })
    }

    /// After a callee of ours has answered without headers and left.
    async fn after_one_of_ours(server: &Nats) -> Result<Self> {
        let mut requests = Self::of(server).await?;
        let ours = callee(server).await?;
        for depth in [0, 1] {
            let request = Request {
                depth,
                ..requests.plain()
            };
            requests.call(request).await?.results().await?;
            requests.next().await?;
        }
        soon("ours to have left", ours).await???;
        Ok(requests)
    }

    fn plain(&self) -> Request<'_> {
        Request {
            source: &self.source,
            link_name: "default",
            target: &self.target,
            instance: "test:calls/math@0.1.0",
            function: "add",
            depth: 0,
            deadline: deadline(),
            signature: Some(7),
            headers: HeaderMap::new(),
            params: "x".into(),
        }
    }

    async fn call(&self, request: Request<'_>) -> Result<Call, RpcError> {
        self.caller.call(request).await
    }

    /// The next request that was seen.
    async fn next(&mut self) -> Result<Message> {
        soon("the request", self.seen.next()).await?.context("ended")
    }
}

async fn who_answers_without_headers_is_asked_without(target: Target) -> Result<()> {
    let server = Nats::start(target).await?;
    let mut requests = Requests::of(&server).await?;
    let _callee = callee(&server).await?;
    let mut traced = HeaderMap::new();
    traced.insert(
        "traceparent",
        "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
    );
    // What is long does not fit into one message, and that more follows is said in a header.
    let long = Bytes::from(vec![1; 3 << 20]);
    for (link, depth, headers, params, answer, alone) in [
        ("default", 0, HeaderMap::new(), "x".into(), "web default 0", false),
        ("default", 0, HeaderMap::new(), "x".into(), "web default 0", true),
        ("cold", 2, HeaderMap::new(), Bytes::new(), "web cold 2", true),
        ("cold", 0, traced, "x".into(), "web cold 0", false),
        (
            "default",
            0,
            HeaderMap::new(),
            long.clone(),
            "web default 0",
            false,
        ),
        ("cold", 0, HeaderMap::new(), long, "web cold 0", false),
    ] {
        let request = Request {
            link_name: link,
            depth,
            headers,
            params,
            ..requests.plain()
        };
        ensure!(requests.call(request).await?.results().await? == answer);
        let seen = requests.next().await?;
        ensure!(seen.headers.is_none() == alone, "{link} {depth}: {seen:?}");
        let reply = seen.reply.context("a subject to reply to")?;
        ensure!(reply.contains(".~1;") == alone, "{reply}");
    }
    Ok(())
}

async fn a_callee_of_v1_that_takes_over_answers(target: Target) -> Result<()> {
    let server = Nats::start(target).await?;
    let mut requests = Requests::after_one_of_ours(&server).await?;
    let v1 = server.connect().await?;
    let mut calls = v1.queue_subscribe(ALL, "default.callee").await?;
    v1.barrier(deadline()).await?;
    let callee = tokio::spawn(async move {
        for _ in 0..2 {
            let call = soon("call", calls.next()).await?.context("ended")?;
            let reply = call.reply.context("a reply subject")?;
            let accepted = v1
                .client()
                .publish_with_reply(reply.clone(), "v1inbox", Bytes::new());
            accepted.await?;
            let results = format!("{reply}.results");
            v1.publish(&results, None, "v1".into()).await?;
            v1.publish(&results, None, Bytes::new()).await?;
        }
        // What was not sent when a connection is dropped is lost.
        v1.barrier(deadline()).await?;
        anyhow::Ok(())
    });
    for alone in [true, false] {
        let call = requests.call(requests.plain()).await?;
        ensure!(!call.is_ours());
        ensure!(soon("results", call.results()).await?? == "v1");
        ensure!(requests.next().await?.headers.is_none() == alone, "{alone}");
    }
    callee.await?
}

async fn nobody_there_is_said_at_once(target: Target) -> Result<()> {
    let server = Nats::start(target).await?;
    let mut requests = Requests::after_one_of_ours(&server).await?;
    // Whoever listens is somebody.
    requests.seen.drain(deadline()).await?;
    let error = soon("word that nobody is there", requests.call(requests.plain())).await?;
    ensure!(
        matches!(error, Err(RpcError::NoResponders { .. })),
        "{:?}",
        error.err()
    );
    Ok(())
}
