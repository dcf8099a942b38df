//! The client: one question, one answer.

use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::time::Instant;
use wasmcloud_core::{ConfigName, HostId, LatticeName};
use wasmcloud_lattice::{CallError, Connection, HeaderMap};
use wasmcloud_wire::Message as _;
use wasmcloud_wire::control::{
    ClaimsEntry, ClaimsList, CtlResponse, EPOCH, Epoch, HostInventory, Link, Links, Nothing, Request,
};
use wasmcloud_wire::state::Config;
use wasmcloud_wire::subject::{ControlInterface, Topic};

use crate::asked::{asked, printable};
use crate::error::ClientError;
use crate::gather::QUIET;

/// Longest wait for one answer where nobody chose otherwise, as in v1 (wire reference §3.1).
pub const DEFAULT_TIMEOUT: Duration = Duration::from_secs(2);

/// Asks the hosts of one lattice. Clones share the connection.
#[derive(Clone, Debug)]
pub struct Client {
    pub(crate) connection: Connection,
    pub(crate) lattice: LatticeName,
    pub(crate) interface: ControlInterface,
    pub(crate) timeout: Duration,
    pub(crate) quiet: Duration,
    epoch: Option<Epoch>,
}

impl Client {
    /// A client for a lattice behind a connection. `control_prefix` is what the hosts' control subjects begin with,
    /// [`Topic::control`] where nobody changed it; `timeout` is the longest wait for one answer.
    pub fn new(
        connection: Connection,
        lattice: LatticeName,
        control_prefix: &Topic,
        timeout: Duration,
    ) -> Self {
        Self {
            interface: ControlInterface::new(control_prefix, &lattice),
            connection,
            lattice,
            timeout,
            quiet: QUIET,
            epoch: None,
        }
    }

    /// The same with another silence at the end of a question to all hosts, in place of [`QUIET`]: a longer one where
    /// a host that is not heard would be a mistake.
    #[must_use]
    pub fn with_quiet(self, quiet: Duration) -> Self {
        Self { quiet, ..self }
    }

    /// The same for a controller that leads in this epoch: its commands say so, and hosts refuse them once they know of
    /// a newer one.
    #[must_use]
    pub fn with_epoch(self, epoch: Epoch) -> Self {
        let epoch = Some(epoch);
        Self { epoch, ..self }
    }

    /// The lattice.
    pub fn lattice(&self) -> &LatticeName {
        &self.lattice
    }

    /// The connection.
    pub fn connection(&self) -> &Connection {
        &self.connection
    }

    /// The longest wait for one answer.
    pub fn timeout(&self) -> Duration {
        self.timeout
    }

    /// Has something done. The host has accepted it when this returns; what takes long (starting, stopping) goes on
    /// after that, see [`Client::carry_out`]. Returns what the host said, which is often nothing.
    pub async fn send(&self, request: &Request) -> Result<String, ClientError> {
        let reply: CtlResponse<Nothing> = self.ask(request).await?;
        Ok(printable(&reply.message).into_owned())
    }

    /// What runs on a host.
    pub async fn inventory(&self, host: &HostId) -> Result<HostInventory, ClientError> {
        self.fetch(&Request::GetInventory(host.clone())).await
    }

    /// All links of the lattice.
    pub async fn links(&self) -> Result<Vec<Link>, ClientError> {
        let Links(links) = self.fetch(&Request::GetLinks).await?;
        Ok(links)
    }

    /// All claims known in the lattice.
    pub async fn claims(&self) -> Result<Vec<ClaimsEntry>, ClientError> {
        let ClaimsList(claims) = self.fetch(&Request::GetClaims).await?;
        Ok(claims)
    }

    /// A config, or a reference to a secret; `None` if there is none of that name.
    pub async fn config(&self, name: &ConfigName) -> Result<Option<Config>, ClientError> {
        // v1 answers "success" with a text and without a response where there is no such config.
        let reply = self.ask(&Request::GetConfig(name.clone())).await?;
        Ok(reply.response)
    }

    async fn fetch<T>(&self, request: &Request) -> Result<T, ClientError>
    where
        T: Serialize + DeserializeOwned,
    {
        let reply: CtlResponse<T> = self.ask(request).await?;
        reply.response.ok_or_else(|| ClientError::Empty {
            asked: asked(request),
            who: self.who(request),
        })
    }

    /// Asks, and turns a "no" into an error.
    async fn ask<T>(&self, request: &Request) -> Result<CtlResponse<T>, ClientError>
    where
        T: Serialize + DeserializeOwned,
    {
        let began = Instant::now();
        let subject = self.interface.subject(&request.operation());
        let payload = request.encode().into();
        let answer = self
            .connection
            .request(&subject, self.headers(request), payload, began + self.timeout);
        let answer = answer
            .await
            .map_err(|error| self.unanswered(request, began, error))?;
        self.read(request, &answer.payload)
    }

    /// What is said beside a request.
    pub(crate) fn headers(&self, request: &Request) -> Option<HeaderMap> {
        let epoch = self.epoch.filter(|_| request.is_command())?;
        let mut headers = HeaderMap::new();
        headers.insert(EPOCH, epoch.to_string());
        Some(headers)
    }

    /// Reads an answer, and turns a "no" into an error.
    pub(crate) fn read<T>(&self, request: &Request, payload: &[u8]) -> Result<CtlResponse<T>, ClientError>
    where
        T: Serialize + DeserializeOwned,
    {
        let reply = CtlResponse::decode(payload).map_err(|source| ClientError::Answer {
            asked: asked(request),
            who: self.who(request),
            source,
        })?;
        if reply.success {
            return Ok(reply);
        }
        let message = match reply.message.trim() {
            "" => "the host refused and did not say why".to_owned(),
            message => printable(message).into_owned(),
        };
        Err(ClientError::Refused {
            asked: asked(request),
            message,
        })
    }

    fn unanswered(&self, request: &Request, began: Instant, error: CallError) -> ClientError {
        let (asked, lattice) = (asked(request), self.lattice.clone());
        match (error, request.operation().host()) {
            (CallError::NoResponders { .. }, Some(host)) => ClientError::HostGone {
                asked,
                host: host.clone(),
                lattice,
            },
            (CallError::NoResponders { .. }, None) => ClientError::NoHost { asked, lattice },
            (CallError::TimedOut { .. }, _) => ClientError::Silent {
                asked,
                who: self.who(request),
                waited: began.elapsed(),
            },
            (source, _) => ClientError::Connection { asked, source },
        }
    }

    /// Who is asked, for messages.
    pub(crate) fn who(&self, request: &Request) -> String {
        match request.operation().host() {
            Some(host) => format!("host {host}"),
            None => format!("a host of lattice `{}`", self.lattice),
        }
    }
}
