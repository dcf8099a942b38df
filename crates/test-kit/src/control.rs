//! The control interface of a lattice as an outsider sees it: subjects and JSON, none of the types that hosts use, so
//! that a mistake in those is not made on both sides of a test.

#![allow(
    clippy::indexing_slicing,
    reason = "a JSON value by name is null where there is none"
)]

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use bytes::Bytes;
use futures::StreamExt as _;
use serde_json::Value;
use tokio::time::{Instant, timeout_at};
use wasmcloud_lattice::{Connection, NatsOptions, Subscription};

use crate::process::SOON;

/// A client of the control interface.
#[derive(Clone)]
pub struct Control {
    connection: Connection,
    lattice: String,
}

impl Control {
    /// Connects. Patient: the machine may be busy.
    pub async fn connect(mut options: NatsOptions, lattice: &str) -> Result<Self> {
        options.request_timeout = SOON;
        Ok(Self {
            connection: Connection::connect(&options).await?,
            lattice: lattice.to_owned(),
        })
    }

    /// The connection, for what is not control.
    pub fn connection(&self) -> &Connection {
        &self.connection
    }

    /// The whole subject of `host.ping`, for example.
    pub fn subject(&self, rest: &str) -> String {
        format!("wasmbus.ctl.v1.{}.{rest}", self.lattice)
    }

    /// Asks, and returns the whole answer. `Value::Null` is sent as nothing.
    pub async fn ask(&self, rest: &str, body: &Value) -> Result<Value> {
        self.ask_within(rest, body, SOON).await
    }

    /// The same with a limit of its own.
    pub async fn ask_within(&self, rest: &str, body: &Value, limit: Duration) -> Result<Value> {
        let payload = match body {
            Value::Null => Bytes::new(),
            body => body.to_string().into(),
        };
        self.ask_bytes(rest, payload, limit).await
    }

    /// Asks with a payload that need not be JSON.
    pub async fn ask_bytes(&self, rest: &str, payload: Bytes, limit: Duration) -> Result<Value> {
        let deadline = Instant::now() + limit;
        let subject = self.subject(rest);
        let answer = self.connection.request(&subject, None, payload, deadline).await?;
        serde_json::from_slice(&answer.payload).with_context(|| format!("read the answer to {rest}"))
    }

    /// Asks for what must work; returns its message and its response.
    pub async fn ok(&self, rest: &str, body: &Value) -> Result<(String, Value)> {
        let answer = self.ask(rest, body).await?;
        ensure!(answer["success"] == true, "{rest} {body}: {answer}");
        let message = answer["message"].as_str().context("a message")?;
        Ok((message.to_owned(), answer["response"].clone()))
    }

    /// Asks for what must be refused; returns the reason.
    pub async fn refused(&self, rest: &str, body: &Value) -> Result<String> {
        let answer = self.ask(rest, body).await?;
        ensure!(answer["success"] == false, "{rest} {body}: {answer}");
        ensure!(
            answer["response"].is_null(),
            "a refusal has no response: {answer}"
        );
        Ok(answer["message"].as_str().context("a message")?.to_owned())
    }

    /// Asks everybody and waits for so many answers.
    pub async fn ask_all(&self, rest: &str, body: &Value, answers: usize) -> Result<Vec<Value>> {
        let inbox = self.connection.new_inbox();
        let mut replies = self.connection.subscribe(&inbox).await?;
        self.send(rest, body, Some(&inbox)).await?;
        let mut all = Vec::new();
        while all.len() < answers {
            let reply = soon("answer", replies.next()).await?;
            all.push(serde_json::from_slice(
                &reply.context("the inbox ended")?.payload,
            )?);
        }
        Ok(all)
    }

    /// Sends without waiting for an answer, which goes to `reply`.
    pub async fn send(&self, rest: &str, body: &Value, reply: Option<&str>) -> Result<()> {
        let payload = match body {
            Value::Null => String::new(),
            body => body.to_string(),
        };
        self.send_bytes(rest, payload.into(), reply).await
    }

    /// The same with a payload that need not be JSON.
    pub async fn send_bytes(&self, rest: &str, payload: Bytes, reply: Option<&str>) -> Result<()> {
        let (client, subject) = (self.connection.client(), self.subject(rest));
        match reply {
            Some(reply) => {
                client
                    .publish_with_reply(subject, reply.to_owned(), payload)
                    .await?
            }
            None => client.publish(subject, payload).await?,
        }
        Ok(())
    }

    /// Hears all events of the lattice from now on.
    pub async fn events(&self) -> Result<Events> {
        let subject = format!("wasmbus.evt.{}.>", self.lattice);
        let subscription = self.connection.subscribe(&subject).await?;
        self.connection.barrier(Instant::now() + SOON).await?;
        Ok(Events {
            subscription,
            prefix: format!("wasmbus.evt.{}.", self.lattice),
        })
    }
}

/// Events of a lattice, in their order.
pub struct Events {
    subscription: Subscription,
    prefix: String,
}

/// What happened.
#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    /// `component_scaled`, for example.
    pub kind: String,
    /// The host that tells it.
    pub source: String,
    /// What belongs to it.
    pub data: Value,
}

impl Events {
    /// The next event but heartbeats, which come when they come. Its envelope is checked against the subject that it came
    /// on.
    pub async fn next(&mut self) -> Result<Event> {
        self.next_within(SOON).await?.context("no event")
    }

    /// The next event but heartbeats, if there is one in time.
    pub async fn next_within(&mut self, limit: Duration) -> Result<Option<Event>> {
        let until = Instant::now() + limit;
        loop {
            match self.any_until(until).await? {
                Some(event) if event.kind == "host_heartbeat" => {}
                other => return Ok(other),
            }
        }
    }

    async fn any_until(&mut self, until: Instant) -> Result<Option<Event>> {
        let Ok(message) = timeout_at(until, self.subscription.next()).await else {
            return Ok(None);
        };
        let message = message.context("the events ended")?;
        let event: Value = serde_json::from_slice(&message.payload)?;
        let kind = message
            .subject
            .strip_prefix(&self.prefix)
            .with_context(|| format!("an event on {}", message.subject))?;
        ensure!(
            event["type"] == format!("com.wasmcloud.lattice.{kind}"),
            "{event} on {}",
            message.subject
        );
        ensure!(event["specversion"] == "1.0", "{event}");
        ensure!(event["datacontenttype"] == "application/json", "{event}");
        for field in ["id", "time"] {
            ensure!(
                event[field].as_str().is_some_and(|text| text.len() >= 20),
                "{event}"
            );
        }
        Ok(Some(Event {
            kind: kind.to_owned(),
            source: event["source"].as_str().context("a source")?.to_owned(),
            data: event["data"].clone(),
        }))
    }

    /// Waits for an event of this kind whose data has all these fields. Others on the way are passed over.
    pub async fn wait(&mut self, kind: &str, fields: &Value) -> Result<Event> {
        let mut passed = Vec::new();
        let deadline = Instant::now() + SOON;
        loop {
            let Some(event) = self.any_until(deadline).await? else {
                anyhow::bail!("no {kind} with {fields} within {SOON:?}, but {passed:?}");
            };
            let wanted = fields.as_object().into_iter().flatten();
            if event.kind == kind && wanted.into_iter().all(|(key, value)| event.data[key] == *value) {
                return Ok(event);
            }
            passed.push(event);
        }
    }
}

/// Waits with a deadline that names what was waited for.
pub async fn soon<T>(what: &str, future: impl Future<Output = T>) -> Result<T> {
    tokio::time::timeout(SOON, future)
        .await
        .with_context(|| format!("no {what} within {SOON:?}"))
}
