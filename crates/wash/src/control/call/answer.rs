//! The answer to an HTTP request: status and headers, and the body as it arrives.

use std::io::{self, IsTerminal as _, Write as _};

use anyhow::Context as _;
use bytes::Bytes;
use serde_json::{Map, Value, json};
use wasmcloud_client::printable;
use wasmcloud_lattice::rpc::{Call, Receiver, RpcError};
use wasmcloud_wire::rpc::http::{RESPONSE_BODY, RESPONSE_TRAILERS, Response};
use wasmcloud_wire::rpc::stream::{ByteStream, Piece};
use wasmcloud_wire::value::DecodeError;

use super::Calling;
use crate::control::args::HttpArgs;
use crate::control::table::one_line;
use crate::exit::{FAILURE, Failure, HTTP_STATUS};
use crate::output::Output;

/// Longest body that is held: as JSON, and to be read as JSON. As text a body is printed as it arrives.
const MAX_HELD: usize = 16 << 20;

/// Why a body is not printed to its end.
#[derive(Debug, thiserror::Error)]
enum BrokenOff {
    #[error("the body of the answer breaks off")]
    Call(#[from] RpcError),
    #[error("the body of the answer has not its form")]
    Form(#[from] DecodeError),
    #[error("the body of the answer ends early")]
    Early,
    #[error("the body of the answer is longer than {MAX_HELD} bytes; hint: as text it may have any length")]
    TooLong,
    #[error("print the body of the answer")]
    Print(#[source] io::Error),
}

/// Prints it. A status that is not 2xx is told by the exit code, after the body.
pub(super) async fn print(
    calling: &Calling<'_>,
    call: &Call,
    response: Response,
    http: &HttpArgs,
    output: &Output,
) -> Result<(), Failure> {
    let good = (200..300).contains(&response.status);
    let body = Body {
        data: call.receiver(&RESPONSE_BODY.to_string()),
        form: ByteStream::default(),
    };
    let printed = match (output.is_json(), http.http_response_extract_json) {
        (true, extract) => held(body, &response, extract, good, output).await,
        (false, true) => held(body, &response, true, good, output).await,
        (false, false) => streamed(body, &response, http.include, output).await,
    };
    match printed {
        Ok(()) => {}
        Err(Broken::Off(BrokenOff::Call(error))) => return Err(calling.failed(error, Some(call)).await),
        // A reader that went away (`| head`) is no failure of the command.
        Err(Broken::Off(BrokenOff::Print(error))) if error.kind() == io::ErrorKind::BrokenPipe => {
            return Ok(());
        }
        Err(Broken::Off(error)) => return Err(Failure::new(FAILURE, "bad-answer", error)),
        Err(Broken::NotJson(error)) => return Err(Failure::new(FAILURE, "not-json", error)),
    }
    finish(call).await;
    match good {
        true => Ok(()),
        false => Err(Failure::told(HTTP_STATUS)),
    }
}

enum Broken {
    Off(BrokenOff),
    NotJson(anyhow::Error),
}

impl From<BrokenOff> for Broken {
    fn from(error: BrokenOff) -> Self {
        Self::Off(error)
    }
}

/// The body as it arrives.
struct Body {
    data: Receiver,
    form: ByteStream,
}

impl Body {
    /// Hands on the pieces until there are no more.
    async fn each(&mut self, mut take: impl FnMut(&[u8]) -> Result<(), BrokenOff>) -> Result<(), BrokenOff> {
        while !self.form.is_ended() {
            let message: Bytes = self.data.next().await?.ok_or(BrokenOff::Early)?;
            let mut rest: &[u8] = &message;
            while let Some(piece) = self.form.next(&mut rest)? {
                match piece {
                    Piece::Data(bytes) => take(bytes)?,
                    Piece::End => break,
                }
            }
        }
        Ok(())
    }
}

async fn streamed(mut body: Body, response: &Response, include: bool, output: &Output) -> Result<(), Broken> {
    let mut to = Stdout {
        // What a terminal would obey stays away from it; a file gets every byte.
        harmless: io::stdout().is_terminal(),
        before: 0,
    };
    match include {
        true => {
            let mut head = format!("HTTP {}\n", response.status);
            for (name, value) in lines(response) {
                head.push_str(&format!("{name}: {value}\n"));
            }
            head.push('\n');
            to.write(head.as_bytes())?;
        }
        false => output.note(&format!("HTTP {}", response.status)),
    }
    body.each(|piece| to.write(piece)).await?;
    Ok(())
}

async fn held(
    mut body: Body,
    response: &Response,
    extract: bool,
    good: bool,
    output: &Output,
) -> Result<(), Broken> {
    let mut whole = Vec::new();
    body.each(|piece| {
        if whole.len() + piece.len() > MAX_HELD {
            return Err(BrokenOff::TooLong);
        }
        whole.extend_from_slice(piece);
        Ok(())
    })
    .await?;
    let shown = match extract {
        true => serde_json::from_slice(&whole)
            .with_context(|| {
                format!(
                    "the body of the answer, with status {}, is not JSON",
                    response.status
                )
            })
            .map_err(Broken::NotJson)?,
        false => Value::String(String::from_utf8_lossy(&whole).into_owned()),
    };
    let text = match &shown {
        Value::String(text) => printable(text).into_owned(),
        other => format!("{other:#}"),
    };
    let mut headers: Map<String, Value> = Map::new();
    for (name, value) in lines(response) {
        let values = headers.entry(name).or_insert_with(|| json!([]));
        if let Value::Array(values) = values {
            values.push(Value::String(value));
        }
    }
    let value = json!({
        "status": response.status,
        "headers": headers,
        "response": shown,
        "success": good,
    });
    output.data(&text, &value);
    Ok(())
}

/// The headers, one value at a time.
fn lines(response: &Response) -> impl Iterator<Item = (String, String)> {
    response.headers.iter().flat_map(|(name, values)| {
        let name = one_line(name);
        let text = |value: &Vec<u8>| one_line(&String::from_utf8_lossy(value));
        values.iter().map(move |value| (name.clone(), text(value)))
    })
}

/// Reads the trailers, for a call that is left before its end is cancelled. Nobody needs them.
async fn finish(call: &Call) {
    if !call.is_ours() {
        return;
    }
    let mut trailers = call.receiver(&RESPONSE_TRAILERS.to_string());
    // What goes wrong here comes after everything that was asked for.
    while let Ok(Some(_)) = trailers.next().await {}
}

struct Stdout {
    harmless: bool,
    before: u8,
}

impl Stdout {
    fn write(&mut self, bytes: &[u8]) -> Result<(), BrokenOff> {
        let mut stdout = io::stdout().lock();
        let written = match self.harmless {
            true => stdout.write_all(&self.tamed(bytes)),
            false => stdout.write_all(bytes),
        };
        written.and_then(|()| stdout.flush()).map_err(BrokenOff::Print)
    }

    /// The same without control characters: those of ASCII, and those of Unicode, which have two bytes in UTF-8.
    fn tamed(&mut self, bytes: &[u8]) -> Vec<u8> {
        let tame = |byte: &u8| {
            let obeyed = match byte {
                b'\n' | b'\t' => false,
                0x00..=0x1f | 0x7f => true,
                0x80..=0x9f => self.before == 0xc2,
                _ => false,
            };
            self.before = *byte;
            match (obeyed, byte) {
                (false, byte) => *byte,
                (true, 0x80..) => 0xbf,
                (true, _) => b'?',
            }
        };
        bytes.iter().map(tame).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::Stdout;

    #[test]
    fn terminals_are_told_nothing() {
        let mut to = Stdout {
            harmless: true,
            before: 0,
        };
        let tamed = to.tamed("a\tb\n\u{1b}[2Jé\u{9b}".as_bytes());
        assert_eq!(String::from_utf8(tamed).unwrap(), "a\tb\n?[2Jé¿");
        // The two bytes of a character may come apart.
        assert_eq!(to.tamed(&[0xc2]), [0xc2]);
        assert_eq!(to.tamed(&[0x9b]), [0xbf]);
    }
}
