//! Messages between components, in memory: who has a link from here subscribes with it, and who has a link to here
//! publishes and asks.

use std::collections::HashMap;
use std::time::Duration;

use anyhow::{Context as _, Result};
use bytes::Bytes;
use serde_json::json;
use tokio::sync::{Mutex, oneshot};
use tokio::time::timeout;
use wasmcloud_provider_sdk::{Context, get_connection};

use crate::bindings::exports::wasmcloud::messaging::consumer;
use crate::bindings::wasmcloud::messaging::handler;
use crate::bindings::wasmcloud::messaging::types::BrokerMessage;
use crate::store::Store;

/// Where answers go, with a number behind it.
const INBOX: &str = "inbox.";

/// Who hears what, and who waits for what.
#[derive(Debug, Default)]
pub(crate) struct Broker {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// The components that hear a subject, by the name of their link.
    subscriptions: HashMap<(String, String), String>,
    waiting: HashMap<String, oneshot::Sender<BrokerMessage>>,
    inboxes: u64,
}

impl Broker {
    /// A component hears a subject from now on.
    pub(crate) async fn subscribe(&self, component: &str, link: &str, subject: &str) {
        let key = (component.to_owned(), link.to_owned());
        let subject = subject.to_owned();
        self.state.lock().await.subscriptions.insert(key, subject);
    }

    /// It does not any more.
    pub(crate) async fn unsubscribe(&self, component: &str, link: &str) {
        let key = (component.to_owned(), link.to_owned());
        self.state.lock().await.subscriptions.remove(&key);
    }

    /// Hands a message to whoever waits for it or hears its subject, and says what they say.
    async fn deliver(&self, message: BrokerMessage) -> Result<Result<(), String>> {
        let (waiting, hearers) = {
            let mut state = self.state.lock().await;
            let waiting = state.waiting.remove(&message.subject);
            let mut hearers = Vec::new();
            for ((component, _), subject) in &state.subscriptions {
                if *subject == message.subject {
                    hearers.push(component.clone());
                }
            }
            (waiting, hearers)
        };
        if let Some(waiting) = waiting {
            // Who gave up waiting does not want it.
            let _ = waiting.send(message);
            return Ok(Ok(()));
        }
        for component in hearers {
            let client = get_connection().get_wrpc_client(&component).await?;
            let said = handler::handle_message(&client, None, &message)
                .await
                .with_context(|| format!("hand `{component}` a message"))?;
            if said.is_err() {
                return Ok(said);
            }
        }
        Ok(Ok(()))
    }

    async fn ask(
        &self,
        subject: String,
        body: Bytes,
        time: Duration,
    ) -> Result<Result<BrokerMessage, String>> {
        let (answered, answer) = oneshot::channel();
        let inbox = {
            let mut state = self.state.lock().await;
            state.inboxes += 1;
            let inbox = format!("{INBOX}{}", state.inboxes);
            state.waiting.insert(inbox.clone(), answered);
            inbox
        };
        let reply_to = Some(inbox.clone());
        let asked = BrokerMessage {
            subject,
            body,
            reply_to,
        };
        let asked = self.deliver(asked).await;
        let answer = match &asked {
            Ok(Ok(())) => timeout(time, answer).await.ok().and_then(Result::ok),
            _ => None,
        };
        self.state.lock().await.waiting.remove(&inbox);
        Ok(asked?.and_then(|()| answer.ok_or_else(|| format!("no answer within {time:?}"))))
    }
}

impl consumer::Handler<Option<Context>> for Store {
    async fn request(
        &self,
        context: Option<Context>,
        subject: String,
        body: Bytes,
        timeout_ms: u32,
    ) -> Result<Result<BrokerMessage, String>> {
        self.note_call(context, json!({ "request": subject }))?;
        let time = Duration::from_millis(timeout_ms.into());
        self.broker().ask(subject, body, time).await
    }

    async fn publish(&self, context: Option<Context>, message: BrokerMessage) -> Result<Result<(), String>> {
        self.note_call(context, json!({ "publish": message.subject }))?;
        self.broker().deliver(message).await
    }
}
