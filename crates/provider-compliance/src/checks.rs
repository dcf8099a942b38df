//! What is asked of a provider, one function each. The text beside each in [`CHECKS`] is what should be true.

use bytes::Bytes;
use futures::{FutureExt as _, StreamExt as _};
use tokio::time::Instant;
use wasmcloud_wire::Message as _;
use wasmcloud_wire::message::PROVIDER_SHUTTING_DOWN;
use wasmcloud_wire::provider::{ConfigUpdate, Shutdown};
use wasmcloud_wire::subject::ProviderOperation;

use crate::bench::{Bench, Dialect, NoResults, OTHER_HOST};
use crate::process::Process;

/// One check.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Check {
    Starts,
    Answers,
    AnswersV1,
    LinkDeleted,
    LinkPut,
    ConfigUpdated,
    OtherHost,
    Garbage,
    MalformedCalls,
    NoReply,
    Shutdown,
    Terminate,
    NoHostData,
    BadHostData,
}

/// All of them in their order: those that leave the program running come first.
pub(crate) const CHECKS: [Check; 14] = [
    Check::Starts,
    Check::Answers,
    Check::AnswersV1,
    Check::LinkDeleted,
    Check::LinkPut,
    Check::ConfigUpdated,
    Check::OtherHost,
    Check::Garbage,
    Check::MalformedCalls,
    Check::NoReply,
    Check::Shutdown,
    Check::Terminate,
    Check::NoHostData,
    Check::BadHostData,
];

impl Check {
    /// What should be true.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Starts => "it becomes healthy when a host starts it",
            Self::Answers => "it answers calls over a link that it was started with",
            Self::AnswersV1 => "it answers calls of hosts of v1",
            Self::LinkDeleted => "it takes the end of a link",
            Self::LinkPut => "it takes links, on its id and on its own key",
            Self::ConfigUpdated => "it takes another config",
            Self::OtherHost => "it ignores what another host wants to stop",
            Self::Garbage => "it survives nonsense on every subject that a host uses",
            Self::MalformedCalls => "it answers calls that cannot be read with an error",
            Self::NoReply => "it survives messages that nobody waits for an answer to",
            Self::Shutdown => "it answers and stops when its host wants it to",
            Self::Terminate => "it stops at a SIGTERM",
            Self::NoHostData => "it ends with an error when it is started without host data",
            Self::BadHostData => "it ends with an error when host data is nonsense",
        }
    }

    /// Whether there is nothing to see where the program does not start.
    pub(crate) fn needs_it_running(self) -> bool {
        !matches!(self, Self::NoHostData | Self::BadHostData)
    }

    pub(crate) async fn run(self, bench: &mut Bench) -> Result<(), String> {
        match self {
            Self::NoHostData => return refuses(bench, "").await,
            Self::BadHostData => return refuses(bench, "bm9uc2Vuc2U=\r\n").await,
            _ => bench.running().await?,
        }
        match self {
            Self::Starts | Self::NoHostData | Self::BadHostData => Ok(()),
            Self::Answers => bench.answers(Dialect::Ours).await,
            Self::AnswersV1 => bench.answers(Dialect::V1).await,
            Self::LinkDeleted => link_deleted(bench).await,
            Self::LinkPut => link_put(bench).await,
            Self::ConfigUpdated => config_updated(bench).await,
            Self::OtherHost => other_host(bench).await,
            Self::Garbage => garbage(bench).await,
            Self::MalformedCalls => malformed_calls(bench).await,
            Self::NoReply => no_reply(bench).await,
            Self::Shutdown => shutdown(bench).await,
            Self::Terminate => terminate(bench).await,
        }
    }
}

async fn link_deleted(bench: &mut Bench) -> Result<(), String> {
    let subject = bench.subject(ProviderOperation::LinkDel);
    let link = bench.trial.link.encode();
    bench.publish(&subject, link.clone()).await?;
    if bench.trial.only_linked && !bench.trial.samples.is_empty() {
        bench.until_answers(false).await?;
    }
    // Twice, as in a lattice where somebody tries again.
    bench.publish(&subject, link).await?;
    bench.barrier().await?;
    bench.healthy().await
}

async fn link_put(bench: &mut Bench) -> Result<(), String> {
    let deleted = bench.subject(ProviderOperation::LinkDel);
    let sealed = bench.sealed_link()?.encode();
    let (own, id) = (
        bench.own_link_subject(),
        bench.subject(ProviderOperation::LinkPut),
    );
    // To all processes of the provider a link is told only where it has no secrets.
    let mut subjects = vec![own];
    if bench.trial.link_secrets.is_empty() {
        subjects.push(id);
    }
    for subject in subjects {
        bench.publish(&deleted, bench.trial.link.encode()).await?;
        if bench.trial.only_linked && !bench.trial.samples.is_empty() {
            bench.until_answers(false).await?;
        }
        bench.publish(&subject, sealed.clone()).await?;
        bench.publish(&subject, sealed.clone()).await?;
        bench.barrier().await?;
        bench
            .until_answers(true)
            .await
            .map_err(|why| format!("{subject}: {why}"))?;
    }
    // A second name for the same component does not take the place of the first.
    let mut second = bench.sealed_link()?;
    second.name = "compliance-second".to_owned();
    let subject = bench.own_link_subject();
    bench.publish(&subject, second.encode()).await?;
    bench.publish(&deleted, second.encode()).await?;
    bench.barrier().await?;
    bench.healthy().await?;
    bench.answers(Dialect::Ours).await
}

async fn config_updated(bench: &mut Bench) -> Result<(), String> {
    let subject = bench.subject(ProviderOperation::ConfigUpdate);
    let mut other = bench.trial.config.clone();
    other.insert("compliance".to_owned(), "another value".to_owned());
    for config in [other, bench.trial.config.clone()] {
        bench
            .publish(
                &subject,
                ConfigUpdate::encode(&wasmcloud_wire::state::Config(config)),
            )
            .await?;
        bench.barrier().await?;
        bench.healthy().await?;
    }
    bench.answers(Dialect::Ours).await
}

async fn other_host(bench: &mut Bench) -> Result<(), String> {
    let inbox = bench.connection.new_inbox();
    let mut answers = bench
        .connection
        .subscribe(&inbox)
        .await
        .map_err(|error| error.to_string())?;
    let other = Shutdown {
        host_id: OTHER_HOST.to_owned(),
    };
    let subject = bench.subject(ProviderOperation::Shutdown);
    let client = bench.connection.client();
    client
        .publish_with_reply(subject, inbox, other.encode().into())
        .await
        .map_err(|error| error.to_string())?;
    // It has heard this when it answers what was asked later, or soon after: hence twice.
    for _ in 0..2 {
        bench.barrier().await?;
        bench.healthy().await?;
        bench.answers(Dialect::Ours).await?;
    }
    bench.barrier().await?;
    match answers.next().now_or_never() {
        None => bench.alive(),
        Some(_) => Err("it answered another host".to_owned()),
    }
}

/// What no host says, and nobody can read.
fn nonsense() -> Vec<Bytes> {
    vec![
        Bytes::new(),
        Bytes::from_static(b"{"),
        Bytes::from_static(b"[]"),
        Bytes::from_static(b"17"),
        Bytes::from_static(b"\"\\ud800\""),
        Bytes::from_static(br#"{"host_id":1,"source_id":{},"target":[],"config":7}"#),
        Bytes::from_static(
            br#"{"source_id":"a.>","target":"*","name":"","wit_namespace":"","wit_package":""}"#,
        ),
        Bytes::from(vec![0xff; 1_000]),
        Bytes::from("[".repeat(100_000)),
        Bytes::from(format!("\"{}\"", "a".repeat(900_000))),
        Bytes::from(format!("{{\"interfaces\":[{}1]}}", "1,".repeat(200_000))),
    ]
}

async fn garbage(bench: &mut Bench) -> Result<(), String> {
    let operations = [
        ProviderOperation::Health,
        ProviderOperation::LinkPut,
        ProviderOperation::LinkDel,
        ProviderOperation::ConfigUpdate,
        ProviderOperation::Shutdown,
    ];
    let mut subjects: Vec<String> = operations.map(|operation| bench.subject(operation)).to_vec();
    subjects.push(bench.own_link_subject());
    // Links of others, with secrets of others.
    let mut foreign = bench.trial.link.clone();
    foreign.source_id = "somebody".to_owned();
    foreign.target = "somebody-else".to_owned();
    let mut unsealed = bench.trial.link.clone();
    unsealed.name = "compliance-unsealed".to_owned();
    unsealed.source_secrets = Some(vec![7; 100]);
    unsealed.target_secrets = Some(vec![7; 100]);
    let mut messages = nonsense();
    messages.extend([foreign.encode().into(), unsealed.encode().into()]);
    for subject in &subjects {
        for message in &messages {
            if message.len() < bench.connection.max_payload() {
                bench.publish(subject, message.clone()).await?;
            }
        }
        bench.barrier().await?;
        bench.alive().map_err(|why| format!("{subject}: {why}"))?;
    }
    bench.healthy().await?;
    bench.answers(Dialect::Ours).await
}

async fn malformed_calls(bench: &mut Bench) -> Result<(), String> {
    for sample in bench.trial.samples.clone() {
        let mut frames = vec![Bytes::from(vec![0xff; 64])];
        if let Some(shorter) = sample.params.len().checked_sub(1) {
            frames.extend([sample.params.slice(..shorter), Bytes::new()]);
        }
        for dialect in [Dialect::Ours, Dialect::V1] {
            for frame in &frames {
                let what = format!("`{}` with the parameters {frame:?}, {dialect:?}", sample.function);
                match bench.call(&sample, frame.clone(), dialect).await {
                    // All that a callee of v1, or one that talks to a caller of v1, can say.
                    Ok(results) if results.is_empty() => {}
                    Ok(results) => return Err(format!("{what} returned {results:?}")),
                    Err(NoResults::Failed(_)) => {}
                    Err(NoResults::Unanswered(why)) => return Err(format!("{what}: {why}")),
                }
                bench.alive().map_err(|why| format!("{what}: {why}"))?;
            }
        }
    }
    bench.healthy().await?;
    bench.answers(Dialect::Ours).await
}

async fn no_reply(bench: &mut Bench) -> Result<(), String> {
    let health = bench.subject(ProviderOperation::Health);
    bench.publish(&health, Bytes::new()).await?;
    let other = Shutdown {
        host_id: OTHER_HOST.to_owned(),
    };
    bench
        .publish(&bench.subject(ProviderOperation::Shutdown), other.encode())
        .await?;
    for sample in bench.trial.samples.clone() {
        let subject = bench.function(&sample)?;
        for params in [sample.params.clone(), Bytes::new(), vec![0xff; 64].into()] {
            bench.publish(&subject, params).await?;
        }
    }
    bench.barrier().await?;
    bench.healthy().await?;
    bench.answers(Dialect::Ours).await
}

async fn shutdown(bench: &mut Bench) -> Result<(), String> {
    let patience = bench.trial.patience;
    let ours = Shutdown {
        host_id: bench.host.clone(),
    };
    let subject = bench.subject(ProviderOperation::Shutdown);
    let answer = bench
        .connection
        .request(&subject, None, ours.encode().into(), Instant::now() + patience)
        .await
        .map_err(|error| error.to_string())?;
    if answer.payload != PROVIDER_SHUTTING_DOWN {
        return Err(format!(
            "it answered {:?} and not {PROVIDER_SHUTTING_DOWN:?}",
            answer.payload
        ));
    }
    let Some(mut process) = bench.process.take() else {
        return Ok(());
    };
    let status = process.ended(patience).await?;
    match status.success() {
        true => Ok(()),
        false => Err(format!("it ended with {status}{}", process.said())),
    }
}

async fn terminate(bench: &mut Bench) -> Result<(), String> {
    let Some(mut process) = bench.process.take() else {
        return Ok(());
    };
    process.terminate()?;
    process.ended(bench.trial.patience).await.map(|_| ())
}

async fn refuses(bench: &Bench, line: &str) -> Result<(), String> {
    let mut process = Process::start(&bench.trial.program, line).await?;
    let status = process.ended(bench.trial.patience).await?;
    match status.success() {
        true => Err("it ended as if all were well".to_owned()),
        false => Ok(()),
    }
}
