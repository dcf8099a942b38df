//! The other side of a provider: a host and a component, as far as a provider sees them.

use std::time::Duration;

use bytes::Bytes;
use nkeys::XKey;
use tokio::time::{Instant, MissedTickBehavior, interval};
use uuid::Uuid;
use wasmcloud_lattice::rpc::{Outgoing, Rpc, RpcError, RpcOptions};
use wasmcloud_lattice::{Connection, HeaderMap, NatsOptions};
use wasmcloud_wire::Message as _;
use wasmcloud_wire::provider::{HealthReply, HostData, InterfaceLinkDefinition};
use wasmcloud_wire::rpc::{Terms, exact, header};
use wasmcloud_wire::subject::{ProviderOperation, ProviderSubject};

use crate::process::Process;
use crate::trial::{COMPONENT, Sample, Trial};
use crate::v1;

/// How often something is looked at that is waited for.
const LOOK: Duration = Duration::from_millis(20);

/// A host of which nobody has heard.
pub(crate) const OTHER_HOST: &str = "NOTHERHOST";

pub(crate) struct Bench {
    pub(crate) trial: Trial,
    pub(crate) connection: Connection,
    rpc: Rpc,
    pub(crate) host: String,
    host_key: XKey,
    provider_key: XKey,
    pub(crate) process: Option<Process>,
}

/// Why a call has no results.
#[derive(Clone, Debug, thiserror::Error)]
pub(crate) enum NoResults {
    /// The provider says that it failed.
    #[error("{0}")]
    Failed(String),
    /// It does not say anything, or not what it should.
    #[error("{0}")]
    Unanswered(String),
}

/// Which dialect a component's host speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Dialect {
    Ours,
    V1,
}

impl Bench {
    pub(crate) async fn new(trial: Trial) -> Result<Self, String> {
        let shown = |error: &dyn std::error::Error| wasmcloud_wire::message::chain(error);
        let mut options = NatsOptions::new(&trial.url).map_err(|error| shown(&error))?;
        options.connect_deadline = trial.patience;
        options.request_timeout = trial.patience;
        let connection = Connection::connect(&options).await;
        let connection = connection.map_err(|error| shown(&error))?;
        let host = format!("N{}", Uuid::new_v4().simple());
        let mut options = RpcOptions::new(&host);
        options.accept_timeout = trial.patience;
        let rpc = Rpc::start(connection.clone(), options).await;
        Ok(Self {
            rpc: rpc.map_err(|error| shown(&error))?,
            connection,
            host,
            host_key: XKey::new(),
            provider_key: XKey::new(),
            process: None,
            trial,
        })
    }

    pub(crate) async fn close(self) {
        drop(self.process);
        self.connection.close(Instant::now() + self.trial.patience).await;
    }

    /// What the program is told, its link included.
    pub(crate) fn host_data(&self) -> Result<HostData, String> {
        let trial = &self.trial;
        Ok(HostData {
            host_id: self.host.clone(),
            lattice_rpc_prefix: trial.lattice.to_string(),
            link_name: "default".to_owned(),
            lattice_rpc_url: trial.url.clone(),
            provider_key: trial.provider.to_string(),
            instance_id: Uuid::new_v4().to_string(),
            link_definitions: vec![self.sealed_link()?],
            config: trial.config.clone(),
            secrets: trial.secrets.clone(),
            host_xkey_public_key: self.host_key.public_key(),
            provider_xkey_private_key: self
                .provider_key
                .seed()
                .map_err(|error| error.to_string())?
                .into(),
            default_rpc_timeout_ms: Some(2_000),
            ..HostData::default()
        })
    }

    /// The link with its secrets sealed for the program.
    pub(crate) fn sealed_link(&self) -> Result<InterfaceLinkDefinition, String> {
        let mut link = self.trial.link.clone();
        if !self.trial.link_secrets.is_empty() {
            let secrets = serde_json::to_vec(&self.trial.link_secrets).map_err(|error| error.to_string())?;
            let sealed = self.host_key.seal(&secrets, &self.provider_key);
            let sealed = sealed.map_err(|error| error.to_string())?;
            link.source_secrets = Some(sealed.clone());
            link.target_secrets = Some(sealed);
        }
        Ok(link)
    }

    /// Has the program run and healthy, starting it if it does not run.
    pub(crate) async fn running(&mut self) -> Result<(), String> {
        let runs = self
            .process
            .as_mut()
            .is_some_and(|process| process.running().is_ok());
        if !runs {
            let line = self.host_data()?.to_line();
            self.process = Some(Process::start(&self.trial.program, &line).await?);
        }
        self.healthy().await
    }

    /// Waits until the program says that it is healthy.
    pub(crate) async fn healthy(&mut self) -> Result<(), String> {
        let subject = self.subject(ProviderOperation::Health);
        let deadline = Instant::now() + self.trial.patience;
        let mut looks = looks();
        let mut why = None;
        loop {
            looks.tick().await;
            self.alive()?;
            let connection = self.connection.clone();
            let asked = connection.request(&subject, None, Bytes::new(), deadline);
            let answer = tokio::select! {
                answer = asked => answer,
                // Whom the question has reached may not live to answer it.
                () = ended(&mut self.process) => continue,
            };
            match answer {
                Ok(reply) => match HealthReply::decode(&reply.payload) {
                    Ok(HealthReply { healthy: true, .. }) => return Ok(()),
                    Ok(reply) => why = Some(format!("it says that it is not healthy: {:?}", reply.message)),
                    Err(error) => return Err(format!("its answer about its health: {error}")),
                },
                // What it has said itself is worth more than that time ran out.
                Err(error) => {
                    why.get_or_insert_with(|| error.to_string());
                }
            }
            if Instant::now() >= deadline {
                let said = self.process.as_ref().map_or_else(String::new, Process::said);
                let why = why.unwrap_or_default();
                return Err(format!(
                    "it is not healthy after {:?}: {why}{said}",
                    self.trial.patience
                ));
            }
        }
    }

    pub(crate) fn alive(&mut self) -> Result<(), String> {
        match &mut self.process {
            Some(process) => process.running(),
            None => Err("the program was not started".to_owned()),
        }
    }

    /// What went wrong, and how the program ended, if it has: the one is often the other.
    pub(crate) fn with_end(&mut self, why: String) -> String {
        match self.process.as_mut().map(Process::running) {
            Some(Err(ended)) if !why.contains(&ended) => format!("{why}; {ended}"),
            _ => why,
        }
    }

    pub(crate) fn subject(&self, operation: ProviderOperation) -> String {
        let subject = ProviderSubject {
            lattice: self.trial.lattice.clone(),
            provider: self.trial.provider.clone().into(),
            operation,
        };
        subject.to_string()
    }

    /// Where this one process is told of links.
    pub(crate) fn own_link_subject(&self) -> String {
        let put = self.subject(ProviderOperation::LinkPut);
        let id = format!(".{}.", self.trial.provider);
        put.replacen(&id, &format!(".{}.", self.provider_key.public_key()), 1)
    }

    /// Where a function is called.
    pub(crate) fn function(&self, sample: &Sample) -> Result<String, String> {
        let Trial {
            lattice, provider, ..
        } = &self.trial;
        let subject = exact(lattice, provider, &sample.instance, &sample.function);
        subject.map_err(|error| format!("a call of the trial: {error}"))
    }

    pub(crate) async fn publish(&self, subject: &str, payload: impl Into<Bytes>) -> Result<(), String> {
        let sent = self.connection.publish(subject, None, payload.into()).await;
        sent.map_err(|error| error.to_string())
    }

    /// Waits until the server has handed out everything that was sent.
    pub(crate) async fn barrier(&self) -> Result<(), String> {
        let deadline = Instant::now() + self.trial.patience;
        let passed = self.connection.barrier(deadline).await;
        passed.map_err(|error| error.to_string())
    }

    /// Makes a call as the linked component, with other parameters perhaps, and returns its results.
    pub(crate) async fn call(
        &self,
        sample: &Sample,
        params: Bytes,
        dialect: Dialect,
    ) -> Result<Bytes, NoResults> {
        let subject = self.function(sample).map_err(NoResults::Unanswered)?;
        let mut headers = HeaderMap::new();
        headers.insert(header::SOURCE_ID, COMPONENT);
        headers.insert(header::LINK_NAME, self.trial.link.name.as_str());
        let patience = self.trial.patience;
        if dialect == Dialect::V1 {
            let results = v1::call(&self.connection, &subject, headers, params, patience).await;
            return results.map(Bytes::from).map_err(NoResults::Unanswered);
        }
        let deadline = Instant::now() + patience;
        let mut looks = looks();
        loop {
            looks.tick().await;
            let outgoing = Outgoing {
                subject: subject.clone(),
                server: None,
                headers: headers.clone(),
                terms: Terms::default(),
                bare: false,
                params: params.clone(),
                deadline,
                accept_timeout: None,
            };
            let called = async { self.rpc.call(outgoing).await?.results().await };
            return match called.await {
                Ok(results) => Ok(results),
                // Where a machine stands still for a moment, that is allowed; there is nobody else to ask.
                Err(RpcError::Refused(body)) if body.code.is_refusal() && Instant::now() < deadline => {
                    continue;
                }
                Err(error @ (RpcError::Failed(_) | RpcError::Refused(_) | RpcError::Closed { .. })) => {
                    Err(NoResults::Failed(error.to_string()))
                }
                Err(error) => Err(NoResults::Unanswered(error.to_string())),
            };
        }
    }

    /// All calls of the trial have the right results.
    pub(crate) async fn answers(&self, dialect: Dialect) -> Result<(), String> {
        for sample in &self.trial.samples {
            let results = self.call(sample, sample.params.clone(), dialect).await;
            let results = results.map_err(|error| format!("`{}`: {error}", sample.function))?;
            (sample.right)(&results)?;
        }
        Ok(())
    }

    /// Waits until the calls of the trial have the right results, or none of them has.
    pub(crate) async fn until_answers(&mut self, right: bool) -> Result<(), String> {
        let deadline = Instant::now() + self.trial.patience;
        let mut looks = looks();
        loop {
            looks.tick().await;
            self.alive()?;
            let answers = self.answers(Dialect::Ours).await;
            if answers.is_ok() == right {
                return Ok(());
            }
            if Instant::now() >= deadline {
                let after = self.trial.patience;
                return Err(match answers {
                    Ok(()) => format!("calls still have the same results after {after:?}"),
                    Err(why) => format!("after {after:?}: {why}"),
                });
            }
        }
    }
}

/// Waits until the program has ended, if it was started.
async fn ended(process: &mut Option<Process>) {
    match process {
        Some(process) => process.end().await,
        None => std::future::pending().await,
    }
}

fn looks() -> tokio::time::Interval {
    let mut looks = interval(LOOK);
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    looks
}
