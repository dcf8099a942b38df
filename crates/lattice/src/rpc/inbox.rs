//! The one subscription of a client to all that belongs to its calls.
//!
//! One wildcard for all calls, so that a call costs no SUB and UNSUB, and cannot be answered before the server knows
//! its subscription. This task only sorts; it never waits for a reader.

use std::sync::Weak;

use async_nats::{HeaderMap, Message};
use futures::StreamExt as _;
use wasmcloud_wire::rpc::header::Status;
use wasmcloud_wire::rpc::{DIRECTLY, RpcErrorBody};

use super::{Shared, names};
use crate::connection::Subscription;

pub(super) async fn run(shared: Weak<Shared>, mut subscription: Subscription) {
    while let Some(message) = subscription.next().await {
        let Some(shared) = shared.upgrade() else { return };
        deliver(&shared, &message);
    }
    // The connection was closed: nothing will arrive any more.
    if let Some(shared) = shared.upgrade() {
        let calls: Vec<_> = shared.calls.lock().values().cloned().collect();
        calls.iter().for_each(|mailbox| mailbox.close());
    }
}

fn deliver(shared: &Shared, message: &Message) {
    let Some(rest) = message.subject.strip_prefix(&shared.prefix) else {
        return;
    };
    let (id, tail) = rest.split_once('.').unwrap_or((rest, ""));
    if id == DIRECTLY {
        if let Err(why) = shared.doors.deliver(tail, message) {
            refuse(shared, message, &why);
        }
        return;
    }
    let Ok(id) = u64::from_str_radix(id, 16) else {
        return;
    };
    let tail = tail_of_call(tail);
    let mailbox = shared.calls.lock().get(&id).cloned();
    match mailbox {
        Some(mailbox) => {
            if mailbox.deliver(tail, message) {
                answer(shared, message, None);
            }
        }
        None => unknown(shared, tail, message),
    }
}

/// What stands behind the number of a call, without the terms of its request: who does not know that they are no part of
/// the inbox answers behind them.
fn tail_of_call(tail: &str) -> &str {
    match tail.strip_prefix('~') {
        Some(terms) => terms.split_once('.').map_or("", |(_terms, tail)| tail),
        None => tail,
    }
}

/// A call that was sent to this client and cannot be taken.
fn refuse(shared: &Shared, message: &Message, why: &RpcErrorBody) {
    let mut headers = HeaderMap::new();
    headers.insert(names::ERROR, why.to_header());
    answer(shared, message, Some(headers));
}

/// Something for a call that is over on this side. Whoever still works on it should know.
fn unknown(shared: &Shared, tail: &str, message: &Message) {
    match tail {
        "ping" => {
            let mut headers = HeaderMap::new();
            headers.insert(names::STATUS, Status::Error.as_str());
            answer(shared, message, Some(headers));
        }
        // Accepted after nobody wanted it any more.
        "" => {
            if let Some(reply) = &message.reply {
                shared.teller.tell(format!("{reply}.cancel"), None);
            }
        }
        _ => {}
    }
}

fn answer(shared: &Shared, message: &Message, headers: Option<HeaderMap>) {
    if let Some(reply) = &message.reply {
        shared.teller.tell(reply.to_string(), headers);
    }
}
