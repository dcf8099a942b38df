//! HTTP on the wire: what is malformed is refused before it reaches a guest, what is odd but allowed works, and a
//! connection that is cut takes with it only itself.

use std::net::SocketAddr;

use anyhow::{Context as _, Result, anyhow, ensure};
use bytes::Bytes;
use http_body_util::{BodyExt as _, Empty};
use hyper_util::rt::{TokioExecutor, TokioIo};
use wasmcloud_test_kit::http::{Connection, Response, get, request};
use wasmcloud_test_kit::process::SOON;

use crate::support::run_misbehave;

/// What stands behind each malformed request: were the first understood differently than it is meant, this would be
/// answered as a second one.
const SMUGGLED: &str = "GET /status?code=299 HTTP/1.1\r\nhost: a\r\n\r\n";

/// Sends a malformed head and body, with another request hidden behind. There must be one answer, 400 or another
/// refusal, and then the end of the connection.
fn malformed(address: SocketAddr, what: &str, bytes: &[u8]) -> Result<Response> {
    let mut connection = Connection::open(address)?;
    connection.send(&[bytes, SMUGGLED.as_bytes()].concat())?;
    let response = connection
        .response("GET")
        .map_err(|error| error.context(what.to_owned()))?;
    ensure!((400..500).contains(&response.status), "{what}: {response:?}");
    let rest = connection.rest()?;
    ensure!(
        rest.is_empty(),
        "{what}: after the refusal came {:?}",
        String::from_utf8_lossy(&rest)
    );
    Ok(response)
}

#[test]
fn requests_that_can_be_read_in_two_ways_are_refused() -> Result<()> {
    let (wash, address) = run_misbehave(&[], &[])?;
    let chunked = "transfer-encoding: chunked\r\n";
    let cases = [
        (
            "two different content-lengths",
            "POST /upload HTTP/1.1\r\nhost: a\r\ncontent-length: 4\r\ncontent-length: 5\r\n\r\nabcd"
                .to_owned(),
        ),
        (
            "a list of different content-lengths",
            "POST /upload HTTP/1.1\r\nhost: a\r\ncontent-length: 4, 5\r\n\r\nabcd".to_owned(),
        ),
        (
            "a content-length with a sign",
            "POST /upload HTTP/1.1\r\nhost: a\r\ncontent-length: +4\r\n\r\nabcd".to_owned(),
        ),
        (
            "a negative content-length",
            "POST /upload HTTP/1.1\r\nhost: a\r\ncontent-length: -1\r\n\r\nabcd".to_owned(),
        ),
        (
            "a content-length that is too large",
            "POST /upload HTTP/1.1\r\nhost: a\r\ncontent-length: 99999999999999999999999\r\n\r\nabcd"
                .to_owned(),
        ),
        (
            "two hosts",
            "GET / HTTP/1.1\r\nhost: a\r\nhost: b\r\n\r\n".to_owned(),
        ),
        ("no host", "GET / HTTP/1.1\r\n\r\n".to_owned()),
        (
            "a host that is none",
            "GET / HTTP/1.1\r\nhost: a/b\r\n\r\n".to_owned(),
        ),
        (
            "a folded header",
            "GET / HTTP/1.1\r\nhost: a\r\nx-fold: one\r\n two\r\n\r\n".to_owned(),
        ),
        (
            "a space before the colon",
            "POST /upload HTTP/1.1\r\nhost: a\r\ncontent-length : 4\r\n\r\nabcd".to_owned(),
        ),
        (
            "identity after chunked",
            "POST /upload HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked, identity\r\n\r\n0\r\n\r\n"
                .to_owned(),
        ),
        (
            "an unknown transfer-encoding",
            "POST /upload HTTP/1.1\r\nhost: a\r\ntransfer-encoding: xchunked\r\n\r\n0\r\n\r\n".to_owned(),
        ),
        (
            "transfer-encoding in HTTP/1.0",
            format!("POST /upload HTTP/1.0\r\nhost: a\r\n{chunked}\r\n0\r\n\r\n"),
        ),
        (
            "a bare carriage return",
            "GET / HTTP/1.1\r\nhost: a\r\nx-a: b\rc: d\r\n\r\n".to_owned(),
        ),
        (
            "a zero byte",
            "GET / HTTP/1.1\r\nhost: a\r\nx-a: b\0c\r\n\r\n".to_owned(),
        ),
        (
            "a method that is none",
            "G(T / HTTP/1.1\r\nhost: a\r\n\r\n".to_owned(),
        ),
        (
            "an unknown version",
            "GET / HTTP/3.7\r\nhost: a\r\n\r\n".to_owned(),
        ),
        ("CONNECT", "CONNECT a:1 HTTP/1.1\r\nhost: a:1\r\n\r\n".to_owned()),
    ];
    let mut wrong = Vec::new();
    for (what, bytes) in cases {
        if let Err(error) = malformed(address, what, bytes.as_bytes()) {
            wrong.push(format!("{error:#}"));
        }
    }
    ensure!(wrong.is_empty(), "{}", wrong.join("\n"));
    get(address, "/")?.expect(200)?;
    wash.stop()?;
    Ok(())
}

#[test]
fn transfer_encoding_wins_over_content_length_and_ends_the_connection() -> Result<()> {
    // RFC 9112 §6.1 lets a server do this or refuse. What it must not do is answer what is hidden behind.
    let (wash, address) = run_misbehave(&[], &[])?;
    let (length, chunked) = ("content-length: 4", "transfer-encoding: chunked");
    for headers in [[length, chunked], [chunked, length]] {
        let mut connection = Connection::open(address)?;
        let head = format!(
            "POST /upload HTTP/1.1\r\nhost: a\r\n{}\r\n\r\n",
            headers.join("\r\n")
        );
        connection.send(format!("{head}0\r\n\r\n{SMUGGLED}").as_bytes())?;
        let response = connection.response("POST")?;
        if response.status != 400 {
            let response = response.expect(200)?;
            assert_eq!(response.text(), "0\n");
            assert_eq!(response.header("connection"), Some("close"));
        }
        assert_eq!(String::from_utf8_lossy(&connection.rest()?), "");
    }
    wash.stop()?;
    Ok(())
}

#[test]
fn a_broken_chunk_ends_the_connection() -> Result<()> {
    let (wash, address) = run_misbehave(&[("deadline", "3s")], &[])?;
    for chunk in [
        "zz\r\nabc\r\n0\r\n\r\n",
        "-1\r\nabc\r\n0\r\n\r\n",
        "3\r\nabcX\r\n0\r\n\r\n",
        "fffffffffffffffff\r\nabc\r\n",
    ] {
        let mut connection = Connection::open(address)?;
        let head = "POST /upload HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n";
        connection.send(format!("{head}{chunk}{SMUGGLED}").as_bytes())?;
        let all = connection.rest()?;
        let text = String::from_utf8_lossy(&all);
        ensure!(
            !text.contains("299"),
            "{chunk:?}: the hidden request was answered: {text}"
        );
        ensure!(!text.starts_with("HTTP/1.1 200"), "{chunk:?}: {text}");
    }
    get(address, "/")?.expect(200)?;
    wash.stop()?;
    Ok(())
}

#[test]
fn the_target_of_a_request_says_which_host_is_meant() -> Result<()> {
    let (wash, address) = run_misbehave(&[], &[])?;
    // RFC 9112 §3.2.2: with an absolute target the Host header is ignored, and the guest must not see it either.
    let mut connection = Connection::open(address)?;
    connection.send(b"GET http://target.example/info HTTP/1.1\r\nhost: other.example\r\n\r\n")?;
    let text = connection.response("GET")?.expect(200)?.text();
    assert!(text.contains("authority: target.example"), "{text}");
    assert!(!text.contains("other.example"), "{text}");
    wash.stop()?;
    Ok(())
}

#[test]
fn hop_by_hop_headers_stay_outside() -> Result<()> {
    let (wash, address) = run_misbehave(&[], &[])?;
    let headers = [
        ("connection", "keep-alive, x-secret"),
        ("keep-alive", "timeout=5"),
        ("x-secret", "1"),
        ("te", "trailers"),
        ("proxy-authorization", "Basic eA=="),
        ("upgrade", "h2c"),
        ("x-kept", "yes"),
    ];
    let text = request(address, "GET", "/info?q=1", &headers, b"")?
        .expect(200)?
        .text();
    for name in [
        "connection",
        "keep-alive",
        "x-secret",
        "te",
        "proxy-authorization",
        "upgrade",
        "host",
    ] {
        assert!(
            !text.contains(&format!("header {name}:")),
            "{name} reached the guest\n{text}"
        );
    }
    for line in [
        "method: GET",
        "path: /info?q=1",
        "scheme: http",
        "authority: test.example",
        "header x-kept: yes",
    ] {
        assert!(text.lines().any(|known| known == line), "no {line:?} in\n{text}");
    }
    wash.stop()?;
    Ok(())
}

#[test]
fn large_heads_are_refused() -> Result<()> {
    let (wash, address) = run_misbehave(&[], &[])?;
    let mut connection = Connection::open(address)?;
    let large = "v".repeat(1 << 20);
    // The answer may come, and the connection go, before all of it is sent.
    let _ = connection.request("GET", "/", &[("x-large", &large)], b"");
    let head = String::from_utf8_lossy(&connection.rest()?).into_owned();
    ensure!(
        head.is_empty() || head.starts_with("HTTP/1.1 431") || head.starts_with("HTTP/1.1 400"),
        "{head}"
    );
    // Many small ones.
    let mut connection = Connection::open(address)?;
    let many: String = (0..2000).map(|n| format!("x-{n}: v\r\n")).collect();
    connection.send(format!("GET / HTTP/1.1\r\nhost: a\r\n{many}\r\n").as_bytes())?;
    let response = connection.response("GET")?;
    ensure!([400, 431].contains(&response.status), "{response:?}");
    get(address, "/")?.expect(200)?;
    wash.stop()?;
    Ok(())
}

#[test]
fn large_heads_of_a_guest_are_refused() -> Result<()> {
    let (wash, address) = run_misbehave(&[], &[])?;
    // WASI 0.2.2 has no error for this, so the guest traps before the host keeps what it made.
    let id = get(address, "/headers?n=100000")?.expect(500)?.error_id()?;
    wash.wait_log(&[&id, "size of fields exceeds limit"], SOON)?;
    get(address, "/headers?n=20")?.expect(200)?;
    get(address, "/")?.expect(200)?;
    wash.stop()?;
    Ok(())
}

#[test]
fn a_guest_cannot_smuggle_headers() -> Result<()> {
    let (wash, address) = run_misbehave(&[], &[])?;
    let response = get(address, "/bad-header")?.expect(200)?;
    let text = response.text();
    ensure!(!text.contains("accepted"), "{text}");
    ensure!(
        response.header("x-smuggled").is_none() && response.header("x-bad").is_none(),
        "{response:?}"
    );
    wash.stop()?;
    Ok(())
}

#[test]
fn head_has_the_headers_of_get_and_no_body() -> Result<()> {
    let (wash, address) = run_misbehave(&[], &[])?;
    let mut connection = Connection::open(address)?;
    connection.request("HEAD", "/info", &[], b"")?;
    let response = connection.response("HEAD")?;
    assert_eq!(response.status, 200);
    assert_eq!(response.header("content-type"), Some("text/plain; charset=utf-8"));
    // Nothing in between: the next response begins right there.
    connection.request("GET", "/status?code=204", &[], b"")?;
    let response = connection.response("GET")?;
    assert_eq!(response.status, 204);
    assert_eq!(response.header("content-length"), None);
    connection.request("GET", "/status?code=404", &[], b"")?;
    assert_eq!(connection.response("GET")?.expect(404)?.text(), "status 404\n");
    wash.stop()?;
    Ok(())
}

#[test]
fn a_body_is_asked_for_with_100_continue() -> Result<()> {
    let (wash, address) = run_misbehave(&[], &[])?;
    let mut connection = Connection::open(address)?;
    connection.request(
        "POST",
        "/upload",
        &[("expect", "100-continue"), ("content-length", "5")],
        b"",
    )?;
    assert_eq!(connection.head()?.status, 100);
    connection.send(b"12345")?;
    assert_eq!(connection.response("POST")?.expect(200)?.text(), "5\n");
    wash.stop()?;
    Ok(())
}

#[test]
fn bodies_and_trailers_pass_both_ways() -> Result<()> {
    let (wash, address) = run_misbehave(&[], &[])?;
    let response = request(address, "GET", "/trailers", &[("te", "trailers")], b"")?.expect(200)?;
    assert_eq!(response.text(), "one\ntwo\n");
    let trailers = [
        ("x-parts".to_owned(), "2".to_owned()),
        ("x-verdict".to_owned(), "complete".to_owned()),
    ];
    assert_eq!(response.trailers, trailers);
    let echo = request(address, "POST", "/echo", &[("content-type", "x/y")], b"ping")?.expect(200)?;
    assert_eq!(
        (echo.text().as_str(), echo.header("content-type")),
        ("ping", Some("x/y"))
    );
    // More than fits into any buffer on the way.
    let mut connection = Connection::open(address)?;
    connection.send(b"POST /upload HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n")?;
    for _ in 0..3 {
        connection.send(&[b"100000\r\n".as_slice(), &vec![b'y'; 1 << 20], b"\r\n"].concat())?;
    }
    connection.send(b"0\r\n\r\n")?;
    assert_eq!(
        connection.response("POST")?.expect(200)?.text(),
        format!("{}\n", 3 << 20)
    );
    wash.stop()?;
    Ok(())
}

#[test]
fn requests_in_a_row_are_answered_in_order() -> Result<()> {
    let (wash, address) = run_misbehave(&[], &[])?;
    let mut connection = Connection::open(address)?;
    for n in [30, 0, 20] {
        connection.request("GET", &format!("/sleep?ms={n}"), &[], b"")?;
    }
    for n in [30, 0, 20] {
        assert_eq!(
            connection.response("GET")?.expect(200)?.text(),
            format!("slept {n} ms\n")
        );
    }
    wash.stop()?;
    Ok(())
}

#[test]
fn a_client_that_goes_away_frees_its_place() -> Result<()> {
    let (wash, address) = run_misbehave(&[("concurrency", "1"), ("queue", "0"), ("deadline", "60s")], &[])?;
    let cases: [(&str, &[u8]); 4] = [
        ("before the answer", b"GET /never HTTP/1.1\r\nhost: a\r\n\r\n"),
        (
            "in the middle of its request",
            b"POST /upload HTTP/1.1\r\nhost: a\r\ncontent-length: 100\r\n\r\nhalf",
        ),
        (
            "in the middle of the answer",
            b"GET /endless-body HTTP/1.1\r\nhost: a\r\n\r\n",
        ),
        (
            "while the guest computes",
            b"GET /loop HTTP/1.1\r\nhost: a\r\n\r\n",
        ),
    ];
    for (what, bytes) in cases {
        let mut connection = None;
        until(|| {
            drop(connection.take());
            free(address)?;
            let mut new = Connection::open(address)?;
            new.send(bytes)?;
            connection = Some(new);
            // If this finds the place taken, the request above has it. If not, this may have come before.
            Ok(get(address, "/")?.status == 503)
        })
        .context(what)?;
        drop(connection);
        free(address).with_context(|| format!("{what}: the place stays taken"))?;
    }
    wash.stop()?;
    Ok(())
}

/// Waits until the only place is free.
fn free(address: SocketAddr) -> Result<()> {
    until(|| Ok(get(address, "/")?.status == 200))
}

fn until(mut holds: impl FnMut() -> Result<bool>) -> Result<()> {
    let begun = std::time::Instant::now();
    while !holds()? {
        ensure!(begun.elapsed() < SOON, "it did not come about within {SOON:?}");
        std::thread::yield_now();
    }
    Ok(())
}

#[test]
fn what_is_too_much_is_told_to_come_back() -> Result<()> {
    let (wash, address) = run_misbehave(&[("concurrency", "1"), ("queue", "2")], &[])?;
    let clients: Vec<_> = (0..12)
        .map(|_| std::thread::spawn(move || get(address, "/sleep?ms=500")))
        .collect();
    let mut counts = [0; 2];
    for client in clients {
        let response = client.join().map_err(|_| anyhow!("a client panicked"))??;
        match response.status {
            200 => counts[0] += 1,
            503 => {
                ensure!(response.header("retry-after").is_some(), "{response:?}");
                ensure!(response.text().contains("busy"), "{response:?}");
                counts[1] += 1;
            }
            _ => return Err(anyhow!("{response:?}")),
        }
    }
    // One runs, two wait; the others were refused unless they came after one of these had ended.
    ensure!(
        counts[0] >= 3 && counts[1] >= 1,
        "{counts:?} answered and refused"
    );
    get(address, "/")?.expect(200)?;
    wash.stop()?;
    Ok(())
}

#[test]
fn an_upload_that_never_ends_is_cut_at_the_deadline() -> Result<()> {
    let (wash, address) = run_misbehave(&[("deadline", "1s")], &[])?;
    get(address, "/")?.expect(200)?;
    let (_, before) = wash.memory()?;
    let mut connection = Connection::open(address)?;
    connection.send(b"POST /upload HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n")?;
    let chunk = [b"10000\r\n".as_slice(), &vec![b'x'; 1 << 16], b"\r\n"].concat();
    // Ends with an error when the host has closed the connection.
    while connection.send(&chunk).is_ok() {}
    wash.wait_log(&["did not finish in 1s"], SOON)?;
    let (_, after) = wash.memory()?;
    ensure!(after - before < 32 << 20, "from {before} to {after} bytes");
    get(address, "/")?.expect(200)?;
    wash.stop()?;
    Ok(())
}

#[test]
fn a_reader_that_stops_holds_up_only_its_guest() -> Result<()> {
    let (wash, address) = run_misbehave(&[("deadline", "1s")], &[])?;
    get(address, "/")?.expect(200)?;
    let (_, before) = wash.memory()?;
    let mut readers = Vec::new();
    for _ in 0..8 {
        let mut connection = Connection::open(address)?;
        connection.request("GET", "/endless-body", &[], b"")?;
        assert_eq!(connection.head()?.status, 200);
        readers.push(connection);
    }
    // Nobody reads on. All guests end at their deadline.
    wash.wait_for("eight lines about the deadline", SOON, |_, stderr| {
        let ended = stderr.iter().filter(|line| line.contains("did not finish in 1s"));
        (ended.count() == 8).then_some(())
    })?;
    let (_, after) = wash.memory()?;
    ensure!(after - before < 64 << 20, "from {before} to {after} bytes");
    for mut reader in readers {
        let mut response = Response {
            headers: vec![("transfer-encoding".into(), "chunked".into())],
            status: 200,
            ..Response::default()
        };
        reader.body("GET", &mut response)?;
        ensure!(!response.complete, "an endless body came to an end");
    }
    get(address, "/")?.expect(200)?;
    wash.stop()?;
    Ok(())
}

#[test]
fn http2_with_prior_knowledge() -> Result<()> {
    let (wash, address) = run_misbehave(&[], &[])?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let stream = tokio::net::TcpStream::connect(address).await?;
        let io = TokioIo::new(stream);
        let (mut sender, connection) =
            hyper::client::conn::http2::handshake(TokioExecutor::new(), io).await?;
        tokio::spawn(connection);
        let ask = |path: &str| {
            let uri = format!("http://test.example{path}");
            hyper::Request::get(uri).body(Empty::<Bytes>::new())
        };
        // Many at once on one connection.
        let mut answers = Vec::new();
        for _ in 0..20 {
            answers.push(sender.send_request(ask("/info")?));
        }
        for answer in answers {
            let response = answer.await?;
            assert_eq!(response.status(), 200);
            let body = response.into_body().collect().await?.to_bytes();
            let text = String::from_utf8_lossy(&body).into_owned();
            assert!(text.contains("authority: test.example"), "{text}");
        }
        // Trailers need no announcement here.
        let body = sender
            .send_request(ask("/trailers")?)
            .await?
            .into_body()
            .collect()
            .await?;
        assert!(
            body.trailers()
                .is_some_and(|trailers| trailers.contains_key("x-verdict"))
        );
        // A stream that breaks is reset, the connection goes on.
        let broken = sender.send_request(ask("/trap-after-head")?).await?;
        ensure!(
            broken.status() == 500 || broken.into_body().collect().await.is_err(),
            "it looks complete"
        );
        assert_eq!(sender.send_request(ask("/")?).await?.status(), 200);
        anyhow::Ok(())
    })?;
    wash.stop()?;
    Ok(())
}
