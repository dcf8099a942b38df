//! What is asked of JetStream, and its answers: requests on `$JS.API.…` with JSON, and messages on `$KV.…`.

use async_nats::{HeaderMap, Message, StatusCode};
use bytes::Bytes;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use wasmcloud_wire::state_api::Key;

use super::super::{Bucket, Entry, StateError};
use super::{is_marker, unanswered};
use crate::connection::{CallError, Connection};
use crate::options::check_subject;

/// Codes of errors, as JetStream documents them.
const NOT_FOUND: u32 = 10_059;
const NAME_IN_USE: u32 = 10_058;
const WRONG_SEQUENCE: [u32; 2] = [10_071, 10_164];
const TTL_NOT_ALLOWED: u32 = 10_166;
const TOO_LARGE: u32 = 10_054;
const FULL: [u32; 4] = [10_077, 10_023, 10_047, 10_028];
const NO_JETSTREAM: [u32; 2] = [10_039, 10_076];

/// How long the server remembers that an entry was deleted because its time was over, in nanoseconds: an hour. After
/// that only a new look at the bucket tells.
const MARKER_TTL: u64 = 3_600_000_000_000;

/// How long the server waits for an acknowledgement, in nanoseconds: a day, for a reader who takes his time.
const ACK_WAIT: u64 = 86_400_000_000_000;

#[derive(Clone, Debug)]
pub(super) struct Api {
    pub(super) connection: Connection,
    pub(super) bucket: Bucket,
    domain: Option<String>,
    prefix: String,
}

/// What is stored under a key.
pub(super) enum Found {
    Nothing,
    Marker { revision: u64 },
    Entry(Entry),
}

/// How a write ended.
pub(super) enum Written {
    At(u64),
    Conflict,
}

/// The part of a stream's description that matters here.
#[derive(Debug, Deserialize)]
pub(super) struct Info {
    pub(super) created: String,
    pub(super) state: Numbers,
    config: Config,
}

#[derive(Debug, Deserialize)]
pub(super) struct Numbers {
    pub(super) last_seq: u64,
}

#[derive(Debug, Deserialize)]
struct Config {
    #[serde(default)]
    subjects: Vec<String>,
    #[serde(default)]
    allow_direct: bool,
    #[serde(default)]
    allow_msg_ttl: bool,
}

#[derive(Debug, Deserialize)]
pub(super) struct Refusal {
    #[serde(default)]
    err_code: u32,
    #[serde(default)]
    description: String,
}

#[derive(Deserialize)]
struct Consumer {
    num_pending: u64,
}

#[derive(Deserialize)]
struct Ack {
    seq: u64,
}

#[derive(Deserialize)]
struct MaybeError {
    #[serde(default)]
    error: Option<Refusal>,
}

impl Api {
    pub(super) fn new(
        connection: Connection,
        bucket: Bucket,
        domain: Option<&str>,
    ) -> Result<Self, StateError> {
        let prefix = match domain {
            None => "$JS.API".to_owned(),
            Some(domain) => {
                check_subject("the JetStream domain", domain)
                    .map_err(|source| StateError::answer(bucket.name(), "open", source))?;
                format!("$JS.{domain}.API")
            }
        };
        Ok(Self {
            connection,
            bucket,
            domain: domain.map(str::to_owned),
            prefix,
        })
    }

    fn stream(&self) -> String {
        format!("KV_{}", self.bucket.name())
    }

    /// What the subject of a key begins with, as it is stored.
    pub(super) fn stored_prefix(&self) -> String {
        format!("$KV.{}.", self.bucket.name())
    }

    /// Makes the bucket if it is not there, and looks whether it can do what is needed.
    pub(super) async fn ensure(&self) -> Result<Info, StateError> {
        let info = match self.info().await? {
            Some(info) => info,
            None => self.create().await?,
        };
        self.check(info)
    }

    /// The same for one that somebody else makes: `None` if it is not there.
    pub(super) async fn find(&self) -> Result<Option<Info>, StateError> {
        self.info().await?.map(|info| self.check(info)).transpose()
    }

    fn check(&self, info: Info) -> Result<Info, StateError> {
        let subject = format!("{}>", self.stored_prefix());
        let problem = if !info.config.subjects.contains(&subject) {
            Some(("is a mirror or collects from others", "use a bucket of its own"))
        } else if !info.config.allow_direct {
            Some((
                "does not allow direct gets",
                "`nats stream edit --allow-direct` for its stream",
            ))
        } else if self.bucket.ttl && !info.config.allow_msg_ttl {
            Some((
                "does not allow a time to live for single entries",
                "`nats stream edit --allow-msg-ttl` for its stream",
            ))
        } else {
            None
        };
        match problem {
            None => Ok(info),
            Some((problem, hint)) => Err(self.wrong(problem, hint)),
        }
    }

    async fn info(&self) -> Result<Option<Info>, StateError> {
        match self
            .call(&format!("STREAM.INFO.{}", self.stream()), &Value::Null, "open")
            .await?
        {
            Ok(info) => Ok(Some(info)),
            Err(refusal) if refusal.err_code == NOT_FOUND => Ok(None),
            Err(refusal) => Err(self.refused("open", refusal)),
        }
    }

    /// The configuration is the one that clients of v1 make, so that whoever is first makes the same.
    async fn create(&self) -> Result<Info, StateError> {
        let mut config = json!({
            "name": self.stream(),
            "subjects": [format!("{}>", self.stored_prefix())],
            "retention": "limits",
            "max_msgs_per_subject": 1,
            "discard": "new",
            "storage": "file",
            "num_replicas": 1,
            "allow_rollup_hdrs": true,
            "deny_delete": true,
            "allow_direct": true,
        });
        if let (true, Some(config)) = (self.bucket.ttl, config.as_object_mut()) {
            config.insert("allow_msg_ttl".to_owned(), json!(true));
            config.insert("subject_delete_marker_ttl".to_owned(), json!(MARKER_TTL));
        }
        match self
            .call(&format!("STREAM.CREATE.{}", self.stream()), &config, "create")
            .await?
        {
            Ok(info) => Ok(info),
            // Somebody was faster, with other wishes.
            Err(refusal) if refusal.err_code == NAME_IN_USE => {
                let found = self.info().await?;
                found.ok_or_else(|| self.refused("create", refusal))
            }
            Err(refusal) => Err(self.refused("create", refusal)),
        }
    }

    /// Has the server send the last message of each subject that matches, and all later ones, to `inbox`; never more
    /// than `ahead` of what was acknowledged. Answers how many are waiting.
    pub(super) async fn consume(
        &self,
        filter: &str,
        inbox: &str,
        name: &str,
        ahead: u64,
        heartbeat: u64,
    ) -> Result<u64, StateError> {
        let stream = self.stream();
        let request = json!({
            "stream_name": stream,
            "config": {
                "name": name,
                "deliver_subject": inbox,
                "deliver_policy": "last_per_subject",
                "ack_policy": "all",
                "max_ack_pending": ahead,
                "ack_wait": ACK_WAIT,
                "max_deliver": 1,
                "filter_subject": filter,
                "replay_policy": "instant",
                "idle_heartbeat": heartbeat,
                "inactive_threshold": heartbeat * 6,
                "num_replicas": 1,
                "mem_storage": true,
            },
        });
        let asked: Result<Consumer, Refusal> = self
            .call(
                &format!("CONSUMER.CREATE.{stream}.{name}.{filter}"),
                &request,
                "watch",
            )
            .await?;
        match asked {
            Ok(consumer) => Ok(consumer.num_pending),
            Err(refusal) => Err(self.refused("watch", refusal)),
        }
    }

    /// Forgets what [`consume`](Self::consume) made. The server would do so by itself after a while.
    pub(super) fn forget(&self, name: &str) {
        let subject = format!("{}.CONSUMER.DELETE.{}.{name}", self.prefix, self.stream());
        let connection = self.connection.clone();
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(async move {
                connection.publish(&subject, None, Bytes::new()).await.ok();
            });
        }
    }

    /// The last message of a key.
    pub(super) async fn last(&self, key: &Key) -> Result<Found, StateError> {
        let operation = format!("get `{key}`");
        let subject = format!(
            "{}.DIRECT.GET.{}.{}{key}",
            self.prefix,
            self.stream(),
            self.stored_prefix()
        );
        let deadline = self.connection.default_deadline();
        let asked = self
            .connection
            .request(&subject, None, Bytes::new(), deadline)
            .await;
        let message = asked.map_err(|source| unanswered(self, &operation, source))?;
        if message.status == Some(StatusCode::NOT_FOUND) {
            return Ok(Found::Nothing);
        }
        if let Some(status) = message.status {
            let said = message.description.unwrap_or_default();
            return Err(StateError::Refused {
                operation,
                bucket: self.bucket.name().to_owned(),
                message: format!("{status} {said}"),
            });
        }
        let headers = message.headers.as_ref();
        let revision = headers.and_then(|headers| headers.get("Nats-Sequence")?.as_str().parse().ok());
        let Some(revision) = revision else {
            return Err(StateError::answer(
                self.bucket.name(),
                &operation,
                "the answer has no sequence",
            ));
        };
        Ok(match is_marker(headers) {
            true => Found::Marker { revision },
            false => Found::Entry(Entry {
                key: key.to_string(),
                value: message.payload,
                revision,
            }),
        })
    }

    /// The number of the last message that the bucket has stored. 0 if it has none, or is not there.
    pub(super) async fn last_number(&self) -> Result<u64, StateError> {
        Ok(self.info().await?.map_or(0, |info| info.state.last_seq))
    }

    /// The number of the first message from `number` on whose subject matches, if there is one.
    pub(super) async fn next_number(&self, filter: &str, number: u64) -> Result<Option<u64>, StateError> {
        let operation = "list";
        let subject = format!("{}.DIRECT.GET.{}", self.prefix, self.stream());
        let request = json!({ "seq": number, "next_by_subj": filter }).to_string();
        let deadline = self.connection.default_deadline();
        let asked = self
            .connection
            .request(&subject, None, request.into(), deadline)
            .await;
        let message = asked.map_err(|source| unanswered(self, operation, source))?;
        if message.status == Some(StatusCode::NOT_FOUND) {
            return Ok(None);
        }
        let headers = message.headers.as_ref();
        let found = headers.and_then(|headers| headers.get("Nats-Sequence")?.as_str().parse().ok());
        match (found, message.status) {
            (Some(found), None) => Ok(Some(found)),
            (_, status) => Err(StateError::Refused {
                operation: operation.to_owned(),
                bucket: self.bucket.name().to_owned(),
                message: format!(
                    "{} {}",
                    status.map(|status| status.to_string()).unwrap_or_default(),
                    message.description.unwrap_or_default()
                ),
            }),
        }
    }

    /// Stores a message under a key and waits until it is stored.
    pub(super) async fn write(
        &self,
        key: &Key,
        headers: HeaderMap,
        value: Bytes,
        operation: &str,
    ) -> Result<Written, StateError> {
        // A domain's own subjects are reached through its API.
        let through = self
            .domain
            .as_ref()
            .map_or_else(String::new, |_| format!("{}.", self.prefix));
        let subject = format!("{through}{}{key}", self.stored_prefix());
        let (size, deadline) = (value.len(), self.connection.default_deadline());
        let too_large = |limit: String| StateError::TooLarge {
            bucket: self.bucket.name().to_owned(),
            key: key.to_string(),
            size,
            limit,
        };
        let sent = self
            .connection
            .request(&subject, Some(headers), value, deadline)
            .await;
        let answer = sent.map_err(|source| match source {
            CallError::TooLarge { limit, .. } => too_large(format!("the server takes messages of {limit}")),
            source => unanswered(self, operation, source),
        })?;
        match self.read::<Ack>(&answer, operation)? {
            Ok(ack) => Ok(Written::At(ack.seq)),
            Err(refusal) if WRONG_SEQUENCE.contains(&refusal.err_code) => Ok(Written::Conflict),
            Err(refusal) if refusal.err_code == TOO_LARGE => Err(too_large(refusal.description)),
            Err(refusal) => Err(self.refused(operation, refusal)),
        }
    }

    async fn call<T: DeserializeOwned>(
        &self,
        what: &str,
        request: &Value,
        operation: &str,
    ) -> Result<Result<T, Refusal>, StateError> {
        let subject = format!("{}.{what}", self.prefix);
        let payload = match request {
            Value::Null => Bytes::new(),
            request => request.to_string().into(),
        };
        let deadline = self.connection.default_deadline();
        match self.connection.request(&subject, None, payload, deadline).await {
            Ok(answer) => self.read(&answer, operation),
            Err(CallError::NoResponders { .. }) => Err(self.no_jetstream()),
            Err(source) => Err(StateError::call(self.bucket.name(), operation, source)),
        }
    }

    fn read<T: DeserializeOwned>(
        &self,
        answer: &Message,
        operation: &str,
    ) -> Result<Result<T, Refusal>, StateError> {
        let unreadable = |source| StateError::answer(self.bucket.name(), operation, source);
        let error: MaybeError = serde_json::from_slice(&answer.payload).map_err(unreadable)?;
        match error.error {
            Some(refusal) => Ok(Err(refusal)),
            None => serde_json::from_slice(&answer.payload)
                .map(Ok)
                .map_err(unreadable),
        }
    }

    fn no_jetstream(&self) -> StateError {
        StateError::NoJetStream {
            bucket: self.bucket.name().to_owned(),
            domain: self.domain.clone(),
        }
    }

    fn wrong(&self, problem: &str, hint: &'static str) -> StateError {
        StateError::WrongBucket {
            bucket: self.bucket.name().to_owned(),
            problem: problem.to_owned(),
            hint,
        }
    }

    fn refused(&self, operation: &str, refusal: Refusal) -> StateError {
        let bucket = self.bucket.name().to_owned();
        match refusal.err_code {
            NOT_FOUND => StateError::NoBucket { bucket },
            TTL_NOT_ALLOWED => self.wrong(
                "does not allow a time to live for single entries",
                "`nats stream edit --allow-msg-ttl` for its stream",
            ),
            code if NO_JETSTREAM.contains(&code) => self.no_jetstream(),
            code if FULL.contains(&code) => StateError::Full {
                bucket,
                message: refusal.description,
            },
            code => StateError::Refused {
                operation: operation.to_owned(),
                bucket,
                message: format!("{} ({code})", refusal.description),
            },
        }
    }
}
