//! The request that a component has to answer well before it gets calls. It goes to an instance as requests from a
//! listener do, but through no socket, and no counter shows it. Who asks, and when, is for the host.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response, StatusCode, header};
use http_body_util::{BodyExt as _, Empty};
use tokio::time::timeout;
use wasmcloud_capability::{Caller, Invocation};
use wasmcloud_engine::{CallError, Prepared};

use crate::body::ResponseBody;
use crate::handler::{self, Unanswered};

/// How a component knows that nobody asks but its host.
const USER_AGENT: &str = "wasmcloud-probe";

/// Requests have an authority.
const AUTHORITY: &str = "localhost";

/// Bytes of an answer that are read; what follows says nothing that the beginning did not.
const MAX_ANSWER: usize = 64 << 10;

/// Bytes of a bad answer that are told.
const MAX_TOLD: usize = 256;

/// Why a component does not pass its probe.
#[derive(Debug, thiserror::Error)]
pub enum ProbeError {
    /// There is nothing to ask.
    #[error(
        "it exports neither `wasi:http/incoming-handler` nor `wasi:http/handler`, so it cannot answer a probe; hint: \
         start it without one"
    )]
    NoHandler,
    /// There is no such request.
    #[error("`{path}` is not the path of a request")]
    Path {
        /// What it is.
        path: String,
        /// Why not.
        #[source]
        source: http::Error,
    },
    /// The answer is not below 400.
    #[error("its answer to `GET {path}` is {status}{}", told(.answer))]
    Status {
        /// What was asked for.
        path: String,
        /// The status.
        status: StatusCode,
        /// How the body begins.
        answer: String,
    },
    /// There is no answer yet.
    #[error("it has not answered `GET {path}` within {time:?}")]
    Late {
        /// What was asked for.
        path: String,
        /// How long it had.
        time: Duration,
    },
    /// There will be no answer.
    #[error("it did not answer `GET {path}`")]
    Unanswered {
        /// What was asked for.
        path: String,
        /// Why not.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

fn told(answer: &str) -> String {
    match answer.trim() {
        "" => String::new(),
        answer => format!(": {}", answer.escape_debug()),
    }
}

/// Asks a component for a path, and waits for an answer below 400 that is whole.
pub async fn probe(prepared: &Arc<Prepared>, path: &str, time: Duration) -> Result<(), ProbeError> {
    if !handler::answers_http(prepared) {
        return Err(ProbeError::NoHandler);
    }
    let path = path.to_owned();
    let request = Request::get(format!("http://{AUTHORITY}{path}"))
        .header(header::HOST, AUTHORITY)
        .header(header::USER_AGENT, USER_AGENT)
        .body(Empty::<Bytes>::new());
    let request = match request {
        Ok(request) => request,
        Err(source) => return Err(ProbeError::Path { path, source }),
    };
    let time = time.min(prepared.limits().deadline);
    let answer = timeout(time, async {
        let mut begun = handler::begin(prepared, None, Invocation::new(Caller::Host, time)).await?;
        begun.uncounted();
        read(begun.answer(false, request).await?).await
    });
    match answer.await {
        Err(_) | Ok(Err(Unanswered::Call(CallError::Deadline { .. }))) => {
            Err(ProbeError::Late { path, time })
        }
        Ok(Err(error)) => Err(ProbeError::Unanswered {
            path,
            source: error.into(),
        }),
        Ok(Ok((status, _))) if status.as_u16() < 400 => Ok(()),
        Ok(Ok((status, answer))) => Err(ProbeError::Status { path, status, answer }),
    }
}

/// The status, and how the body begins, once it is whole.
async fn read(response: Response<ResponseBody>) -> Result<(StatusCode, String), Unanswered> {
    let status = response.status();
    let mut body = response.into_body();
    let (mut begin, mut len) = (Vec::new(), 0);
    while len < MAX_ANSWER
        && let Some(frame) = Pin::new(&mut body).frame().await
    {
        if let Ok(data) = frame?.into_data() {
            len += data.len();
            begin.extend(data.iter().take(MAX_TOLD - begin.len()));
        }
    }
    Ok((status, String::from_utf8_lossy(&begin).into_owned()))
}
