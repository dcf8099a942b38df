//! A component that takes messages, and sends messages because of them.

use exports::wasmcloud::messaging::handler::Guest;
use wasmcloud::messaging::consumer;
use wasmcloud::messaging::types::BrokerMessage;

wit_bindgen::generate!({ path: "../wit", world: "messenger", generate_all });

/// What it asks of others may take this long.
const TIMEOUT_MS: u32 = 1500;

struct Messenger;

impl Guest for Messenger {
    /// A message to `ask.SUBJECT` is passed on as a request to that subject, and what is answered goes back; any other
    /// is sent back with its letters in the other order. One that nobody wants an answer to is refused.
    fn handle_message(message: BrokerMessage) -> Result<(), String> {
        let BrokerMessage {
            subject,
            mut body,
            reply_to,
        } = message;
        let Some(reply_to) = reply_to else {
            return Err(format!("nobody wants an answer to `{subject}`"));
        };
        match subject.strip_prefix("ask.") {
            Some(other) => body = consumer::request(other, &body, TIMEOUT_MS)?.body,
            None => body.reverse(),
        }
        consumer::publish(&BrokerMessage {
            subject: reply_to,
            body,
            reply_to: None,
        })
    }
}

export!(Messenger);
