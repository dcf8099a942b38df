//! What a client says about itself in `CONNECT`.

use serde::Deserialize;

/// The options of a client. Fields that are not listed are ignored, and what is missing is as nats-server assumes it:
/// verbose and pedantic, which no client library leaves out.
#[derive(Deserialize)]
#[serde(default)]
pub struct Connect {
    /// Acknowledge every operation with `+OK`.
    pub verbose: bool,
    /// Check the subjects of messages.
    pub pedantic: bool,
    /// Send the client its own messages, where it subscribes to them.
    pub echo: bool,
    /// The client understands headers.
    pub headers: bool,
    /// Tell the client when nobody receives a message that asks for a reply.
    pub no_responders: bool,
    /// User name, to log in with a password.
    pub user: Option<String>,
    /// The password.
    pub pass: Option<String>,
    /// Public key of a user (`U…`), to log in with a signature.
    pub nkey: Option<String>,
    /// A statement of who the user is. Here it says nothing that counts: the signature does.
    pub jwt: Option<String>,
    /// The signature of the nonce in `INFO`, as base64.
    pub sig: Option<String>,
    /// What the client calls itself.
    pub name: Option<String>,
}

impl Default for Connect {
    fn default() -> Self {
        Self {
            verbose: true,
            pedantic: true,
            echo: true,
            headers: false,
            no_responders: false,
            user: None,
            pass: None,
            nkey: None,
            jwt: None,
            sig: None,
            name: None,
        }
    }
}

// Not derived: it holds a password.
impl std::fmt::Debug for Connect {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Connect")
            .field("name", &self.name)
            .field("user", &self.user)
            .field("nkey", &self.nkey)
            .finish_non_exhaustive()
    }
}
