//! Docker's credential helpers: programs that are told a registry and answer with its credentials.

use std::io;
use std::process::Stdio;

use serde::Deserialize;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::credentials::{Credentials, Secret};
use crate::docker::{Docker, DockerError};

/// Longest answer of a helper, in bytes.
const MAX_ANSWER: u64 = 64 << 10;

/// The user name with which a helper says that the secret is an identity token.
const IDENTITY: &str = "<token>";

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Answer {
    username: String,
    secret: String,
}

/// Runs `docker-credential-NAME get`.
pub(crate) async fn ask(
    docker: &Docker,
    helper: &str,
    server: &str,
) -> Result<Option<Credentials>, DockerError> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    if helper.is_empty() || !helper.bytes().all(plain) {
        return Err(DockerError::HelperName(helper.to_owned()));
    }
    let program = match &docker.helpers {
        Some(folder) => folder
            .join(format!("docker-credential-{helper}"))
            .display()
            .to_string(),
        None => format!("docker-credential-{helper}"),
    };
    let limit = docker.timeout;
    match tokio::time::timeout(limit, talk(&program, server)).await {
        Ok(result) => result,
        Err(_) => Err(DockerError::Slow {
            program,
            after: limit,
        }),
    }
}

async fn talk(program: &str, server: &str) -> Result<Option<Credentials>, DockerError> {
    let failed = |source: io::Error| DockerError::Run {
        program: program.to_owned(),
        source,
    };
    let mut child = tokio::process::Command::new(program)
        .arg("get")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        // Out of time, the future is dropped and the helper must not stay behind.
        .kill_on_drop(true)
        .spawn()
        .map_err(failed)?;
    if let Some(mut stdin) = child.stdin.take() {
        // A helper that does not read its input may still answer.
        let _ = stdin.write_all(server.as_bytes()).await;
    }
    let mut answer = Vec::new();
    if let Some(stdout) = child.stdout.take() {
        stdout
            .take(MAX_ANSWER)
            .read_to_end(&mut answer)
            .await
            .map_err(failed)?;
    }
    let status = child.wait().await.map_err(failed)?;
    if !status.success() {
        // This is how helpers say that they know nothing; the words are those of Docker's own helpers.
        let said = String::from_utf8_lossy(&answer).to_lowercase();
        if said.contains("credentials not found") {
            return Ok(None);
        }
        return Err(DockerError::Failed {
            program: program.to_owned(),
            status: status.to_string(),
        });
    }
    let answer: Answer = serde_json::from_slice(&answer).map_err(|_| DockerError::Answer {
        program: program.to_owned(),
    })?;
    Ok(Some(if answer.username == IDENTITY {
        Credentials::Identity(Secret::new(answer.secret))
    } else {
        Credentials::basic(answer.username, answer.secret)
    }))
}
