//! What a host asks a provider process: whether it is well, and to stop. Answered also while a link is being made.

use std::sync::Arc;

use bytes::Bytes;
use futures::StreamExt as _;
use tokio::sync::oneshot;
use tracing::{debug, info};
use wasmcloud_lattice::{Connection, Subject, Subscription};
use wasmcloud_wire::Message as _;
use wasmcloud_wire::message::{MAX_TEXT, PROVIDER_SHUTTING_DOWN};
use wasmcloud_wire::provider::{HealthReply, Shutdown};

use crate::provider::{Health, Provider};
use crate::state::State;

/// Answers whether the provider is well.
///
/// The subject has no host in it: with the same provider on several hosts, all of them answer (wire reference §2.5).
pub(crate) async fn health<P: Provider>(state: Arc<State<P>>, mut questions: Subscription) {
    while let Some(question) = questions.next().await {
        let Some(reply) = question.reply else { continue };
        let answer = reply_of(state.health().await).encode();
        tell(state.sdk.connection(), &reply, answer.into()).await;
    }
}

fn reply_of(health: Health) -> HealthReply {
    HealthReply {
        healthy: health.healthy,
        message: health.message.map(|mut message| {
            message.truncate(message.floor_char_boundary(MAX_TEXT));
            message
        }),
    }
}

/// Hears when the host wants this process to stop. Where the answer goes is handed on to who stops it, once; who asks
/// again is answered here.
pub(crate) async fn shutdown<P: Provider>(
    state: Arc<State<P>>,
    mut questions: Subscription,
    asked: oneshot::Sender<Option<Subject>>,
) {
    let mut asked = Some(asked);
    while let Some(question) = questions.next().await {
        let host = match Shutdown::decode(&question.payload) {
            Ok(shutdown) => shutdown.host_id,
            Err(error) => {
                debug!(%error, "a request to stop that cannot be read was ignored");
                continue;
            }
        };
        if host != state.sdk.host_id().as_str() {
            debug!(host = ?host, "another host's process was asked to stop");
            continue;
        }
        let unheard = match asked.take() {
            Some(asked) => {
                info!("the host wants this provider to stop");
                asked.send(question.reply).err()
            }
            None => Some(question.reply),
        };
        if let Some(Some(reply)) = unheard {
            stopping(state.sdk.connection(), &reply).await;
        }
    }
}

/// Answers that this process stops.
pub(crate) async fn stopping(connection: &Connection, reply: &Subject) {
    tell(
        connection,
        reply,
        Bytes::from_static(PROVIDER_SHUTTING_DOWN.as_bytes()),
    )
    .await;
}

async fn tell(connection: &Connection, reply: &Subject, answer: Bytes) {
    if let Err(error) = connection.publish(reply.as_str(), None, answer).await {
        debug!(%error, "a host was not answered");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_messages_are_cut_between_characters() {
        let reply = reply_of(Health::ill("é".repeat(MAX_TEXT)));
        let message = reply.message.unwrap();
        assert!(message.len() <= MAX_TEXT && message.chars().all(|c| c == 'é'));
        assert_eq!(
            reply_of(Health::well()),
            HealthReply {
                healthy: true,
                message: None
            }
        );
    }
}
