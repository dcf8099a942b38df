//! Who may come in.

use anyhow::{Result, ensure};
use async_nats::ConnectOptions;
use wasmcloud_broker::Credentials;

use crate::for_all_servers;
use crate::support::raw::{CONNECT, Raw};
use crate::support::{Server, Settings, Target, barrier, next, soon};

for_all_servers!(
    the_right_password_or_key_lets_in,
    everything_else_does_not,
    nothing_works_before_the_login,
);

fn login() -> Result<Credentials> {
    Ok(Credentials {
        user: "someone".to_owned(),
        password: "correct horse".to_owned(),
        nkey_seed: nkeys::KeyPair::new_user().seed()?,
    })
}

async fn start(target: Target) -> Result<(Server, Credentials)> {
    let login = login()?;
    let settings = Settings {
        login: Some(login.clone()),
        ..Settings::default()
    };
    Ok((Server::start_with(target, settings).await?, login))
}

async fn the_right_password_or_key_lets_in(target: Target) -> Result<()> {
    let (server, login) = start(target).await?;
    let by_password = ConnectOptions::with_user_and_password(login.user, login.password);
    let by_key = ConnectOptions::with_nkey(login.nkey_seed);
    let one = server.client_with(by_password).await?;
    let two = server.client_with(by_key).await?;
    let mut subscriber = one.subscribe("hello").await?;
    barrier(&one).await?;
    two.publish("hello", "you".into()).await?;
    ensure!(next(&mut subscriber).await?.payload == "you");
    Ok(())
}

async fn everything_else_does_not(target: Target) -> Result<()> {
    let (server, login) = start(target).await?;
    let wrong = [
        ConnectOptions::new(),
        ConnectOptions::with_user_and_password(login.user.clone(), "correct hors".to_owned()),
        ConnectOptions::with_user_and_password("nobody".to_owned(), login.password.clone()),
        ConnectOptions::with_user_and_password(login.user.clone(), String::new()),
        ConnectOptions::with_token(login.password.clone()),
        ConnectOptions::with_nkey(nkeys::KeyPair::new_user().seed()?),
    ];
    for (number, options) in wrong.into_iter().enumerate() {
        let connected = soon("answer", options.connect(server.address.to_string())).await?;
        ensure!(connected.is_err(), "case {number} was let in");
    }
    // The right key with a signature of something else.
    let key = nkeys::KeyPair::from_seed(&login.nkey_seed)?;
    let mut raw = Raw::connect(server.address).await?;
    use base64::Engine as _;
    let signature = base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(key.sign(b"another nonce")?);
    let json = serde_json::json!({ "verbose": false, "nkey": key.public_key(), "sig": signature });
    raw.send(format!("CONNECT {json}\r\nPING\r\n")).await?;
    let said = String::from_utf8(raw.read_to_end().await?)?;
    ensure!(said == "-ERR 'Authorization Violation'\r\n", "{said}");
    Ok(())
}

async fn nothing_works_before_the_login(target: Target) -> Result<()> {
    let (server, _) = start(target).await?;
    for first in [
        "PING\r\n",
        "SUB > 1\r\n",
        "PUB a 1\r\nx\r\n",
        &format!("{CONNECT}PING\r\n"),
    ] {
        let mut raw = Raw::connect(server.address).await?;
        ensure!(
            raw.info.get("auth_required") == Some(&true.into()) && raw.info.get("nonce").is_some(),
            "{}",
            raw.info
        );
        raw.send(first).await?;
        let said = String::from_utf8(raw.read_to_end().await?)?;
        ensure!(
            said == "-ERR 'Authorization Violation'\r\n",
            "{first:?}: {said:?}"
        );
    }
    Ok(())
}

/// Providers of v1 log in with a JWT or not at all. nats-server wants to know who signed it; here the key is enough,
/// and nothing but the key.
#[tokio::test]
async fn a_jwt_lets_in_whoever_has_the_key() -> Result<()> {
    let (server, login) = start(Target::Broker).await?;
    let with = |seed: String| -> Result<ConnectOptions> {
        let key = std::sync::Arc::new(nkeys::KeyPair::from_seed(&seed)?);
        Ok(ConnectOptions::with_jwt(
            "any.thing.here".to_owned(),
            move |nonce| {
                let key = std::sync::Arc::clone(&key);
                async move { key.sign(&nonce).map_err(async_nats::AuthError::new) }
            },
        ))
    };
    let client = server.client_with(with(login.nkey_seed)?).await?;
    barrier(&client).await?;
    let other = with(nkeys::KeyPair::new_user().seed()?)?;
    let connected = soon("answer", other.connect(server.address.to_string())).await?;
    ensure!(connected.is_err(), "somebody else was let in");
    Ok(())
}
