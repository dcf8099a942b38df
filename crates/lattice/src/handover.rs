//! How another process connects as we do, in the words in which a host tells its providers: an address, a JWT and a
//! seed (wire reference §2.5).
//!
//! These words do not fit every login. A user and password, or a token, goes into the address, where clients in Go and
//! ours look for it and the Rust client, which the providers of v1 use, does not (nats.rs issue 1623). An nkey goes
//! along with a JWT that it has signed itself: nats-server does not take that, the embedded lattice does, which is why
//! hosts log in there with an nkey.

use nkeys::KeyPair;
use wasmcloud_wire::Hidden;

use crate::options::{Auth, NatsOptions, OptionsError, check_seed};

/// What another process needs to connect as we do.
#[derive(Clone, Debug, Default)]
pub struct Handover {
    /// The address of one server. May hold a user and password, or a token.
    pub url: Hidden,
    /// The user JWT; empty for none.
    pub jwt: Hidden,
    /// The seed that belongs to it; empty for none.
    pub seed: Hidden,
    /// What may keep another process from connecting, in words.
    pub doubt: Option<&'static str>,
}

impl NatsOptions {
    /// How another process connects with these options. Reads the file of credentials, if that is the login.
    pub async fn handover(&self) -> Result<Handover, OptionsError> {
        let server = self.servers.first().ok_or(OptionsError::NoServer)?;
        let mut url = server.address().clone().into_inner();
        if self.tls.required {
            // Fails for no scheme that an address may have.
            url.set_scheme("tls").ok();
        }
        let mut handover = Handover::default();
        match &self.auth {
            Auth::Anonymous => {}
            Auth::UserPassword { user, password } => {
                // These fail only for addresses without a host, which are refused before.
                url.set_username(user).ok();
                url.set_password(Some(password.reveal())).ok();
                handover.doubt = Some(
                    "the lattice is logged in to with a user and password, which providers that use the Rust client \
                     of NATS do not find in the address; hint: give the host a JWT and seed, or a credentials file",
                );
            }
            Auth::Token(token) => {
                url.set_username(token.reveal()).ok();
                handover.doubt = Some(
                    "the lattice is logged in to with a token, which providers that use the Rust client of NATS do \
                     not find in the address; hint: give the host a JWT and seed, or a credentials file",
                );
            }
            Auth::Nkey { seed } => {
                handover.jwt = self_signed(&check_seed(seed.reveal())?).into();
                handover.seed = seed.clone();
            }
            Auth::Jwt { jwt, seed } => {
                handover.jwt = jwt.clone();
                handover.seed = seed.clone();
            }
            Auth::CredentialsFile(path) => {
                let unusable = |source| OptionsError::Credentials {
                    path: path.clone(),
                    source,
                };
                let text = tokio::fs::read_to_string(path).await.map_err(unusable)?;
                let (jwt, seed) = credentials(&text)
                    .ok_or_else(|| unusable(std::io::Error::other("it holds no user JWT with a seed")))?;
                check_seed(&seed)?;
                (handover.jwt, handover.seed) = (jwt.into(), seed.into());
            }
        }
        if self.tls.first || self.tls.client.is_some() || !self.tls.ca_files.is_empty() {
            handover.doubt.get_or_insert(
                "the lattice is reached with settings of TLS that providers cannot be told; they use the certificate \
                 authorities of the system",
            );
        }
        handover.url = String::from(url).into();
        Ok(handover)
    }
}

/// The JWT and seed in a file as `nsc generate creds` writes it: each on the line after one that says what it is.
fn credentials(text: &str) -> Option<(String, String)> {
    let after = |heading: &str| {
        let mut lines = text.lines().skip_while(|line| !line.contains(heading)).skip(1);
        let line = lines.find(|line| !line.trim().is_empty())?;
        (!line.starts_with('-')).then(|| line.trim().to_owned())
    };
    Some((after("BEGIN NATS USER JWT")?, after("BEGIN USER NKEY SEED")?))
}

/// A user JWT in the form of NATS that nobody but the user vouches for.
fn self_signed(user: &KeyPair) -> String {
    use base64::Engine as _;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;

    let id = user.public_key();
    let header = serde_json::json!({ "typ": "JWT", "alg": "ed25519-nkey" });
    let claims = serde_json::json!({
        "sub": id, "iss": id, "name": "provider", "nats": { "type": "user", "version": 2 },
    });
    let encode = |value: &serde_json::Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let signed = format!("{}.{}", encode(&header), encode(&claims));
    let signature = user.sign(signed.as_bytes()).unwrap_or_default();
    format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn of(url: &str, auth: Auth) -> Handover {
        let mut options = NatsOptions::new(url).unwrap();
        if auth != Auth::Anonymous {
            options.auth = auth;
        }
        options.handover().await.unwrap()
    }

    #[tokio::test]
    async fn logins_are_handed_over() {
        let plain = of("nats://h:1,nats://i:2", Auth::Anonymous).await;
        assert_eq!((plain.url.reveal(), plain.jwt.reveal()), ("nats://h:1", ""));
        assert!(plain.doubt.is_none());

        let password = of("nats://me:p%40ss%2f@h", Auth::Anonymous).await;
        let again = NatsOptions::new(password.url.reveal()).unwrap();
        assert_eq!(
            again.auth,
            NatsOptions::new("nats://me:p%40ss%2f@h").unwrap().auth
        );
        assert!(password.doubt.is_some());
        assert!(!format!("{password:?}").contains("40ss"), "{password:?}");

        let token = of("nats://t@h", Auth::Anonymous).await;
        assert_eq!(token.url.reveal(), "nats://t@h");

        let pair = KeyPair::new_user();
        let seed = pair.seed().unwrap();
        let nkey = of("h", Auth::nkey(seed.clone()).unwrap()).await;
        assert_eq!(nkey.seed.reveal(), seed);
        let (signed, signature) = nkey.jwt.reveal().rsplit_once('.').unwrap();
        use base64::Engine as _;
        let signature = base64::engine::general_purpose::URL_SAFE_NO_PAD
            .decode(signature)
            .unwrap();
        pair.verify(signed.as_bytes(), &signature).unwrap();

        let mut tls = NatsOptions::new("h").unwrap();
        tls.tls.required = true;
        assert_eq!(tls.handover().await.unwrap().url.reveal(), "tls://h");
    }

    #[tokio::test]
    async fn credentials_files_are_read() {
        let seed = KeyPair::new_user().seed().unwrap();
        let file = tempfile::NamedTempFile::new().unwrap();
        let text = format!(
            "-----BEGIN NATS USER JWT-----\na.b.c\n------END NATS USER JWT------\n\n*** IMPORTANT ***\n\n\
             -----BEGIN USER NKEY SEED-----\n{seed}\n------END USER NKEY SEED------\n"
        );
        std::fs::write(file.path(), text).unwrap();
        let handover = of("h", Auth::CredentialsFile(file.path().to_owned())).await;
        assert_eq!(
            (handover.jwt.reveal(), handover.seed.reveal()),
            ("a.b.c", seed.as_str())
        );
        for damaged in [
            "",
            "-----BEGIN NATS USER JWT-----\n-----END",
            "-----BEGIN NATS USER JWT-----\na.b.c\n",
        ] {
            std::fs::write(file.path(), damaged).unwrap();
            let mut options = NatsOptions::new("h").unwrap();
            options.auth = Auth::CredentialsFile(file.path().to_owned());
            assert!(options.handover().await.is_err(), "{damaged:?}");
        }
    }
}
