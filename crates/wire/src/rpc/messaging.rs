//! `wasmcloud:messaging@0.2.0` (wire reference §4.6).

use super::macros::{call, record};

/// The interface with which a component sends messages.
pub const CONSUMER: &str = "wasmcloud:messaging/consumer@0.2.0";
/// The interface with which it takes them.
pub const HANDLER: &str = "wasmcloud:messaging/handler@0.2.0";

record! {
    /// A message.
    BrokerMessage {
        /// Where it is sent.
        subject: String = "subject",
        /// What it says.
        body: Vec<u8> = "body",
        /// Where an answer is expected.
        reply_to: Option<String> = "reply-to",
    }
}

call! {
    /// Sends a message and waits for an answer.
    Request {
        /// Where it is sent.
        subject: String = "subject",
        /// What it says.
        body: Vec<u8> = "body",
        /// How many milliseconds to wait.
        timeout_ms: u32 = "timeout-ms",
    } = "request" @ CONSUMER => Result<BrokerMessage, String>
}

call! {
    /// Sends a message.
    Publish {
        /// The message.
        msg: BrokerMessage = "msg",
    } = "publish" @ CONSUMER => Result<(), String>
}

call! {
    /// Hands a message to a component.
    HandleMessage {
        /// The message.
        msg: BrokerMessage = "msg",
    } = "handle-message" @ HANDLER => Result<(), String>
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rpc::Payload;

    #[test]
    fn a_message_is_the_bytes_of_its_parts() {
        let call = HandleMessage {
            msg: BrokerMessage {
                subject: "s".to_owned(),
                body: vec![1, 2],
                reply_to: Some("r".to_owned()),
            },
        };
        assert_eq!(call.to_bytes(), [1, b's', 2, 1, 2, 1, 1, b'r']);
        assert_eq!(HandleMessage::from_bytes(&call.to_bytes()), Ok(call));
        assert_eq!(
            HandleMessage::from_bytes(&[1, b's', 0, 2])
                .unwrap_err()
                .to_string(),
            "msg.reply-to: option must be 0 or 1, not 2"
        );
    }
}
