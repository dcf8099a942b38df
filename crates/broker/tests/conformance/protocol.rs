//! The protocol itself, byte by byte, without a client library.

use anyhow::{Result, ensure};

use crate::for_all_servers;
use crate::support::raw::{CONNECT, Raw};
use crate::support::{Server, Target};

for_all_servers!(
    every_input_has_its_answer,
    input_may_come_in_any_pieces,
    arguments_that_make_no_sense_end_the_connection,
    garbage_harms_nobody_else,
    nobody_receives_is_said_to_who_asked,
    headers_are_for_those_who_understand_them,
);

/// What is sent after `CONNECT`, what comes back, and whether the connection is closed then.
const CASES: &[(&str, &str, bool)] = &[
    ("PING\r\n", "PONG\r\n", false),
    ("ping\r\nPing  \r\n", "PONG\r\nPONG\r\n", false),
    ("PONG\r\nPING\r\n", "PONG\r\n", false),
    ("INFO {}\r\nPING\r\n", "PONG\r\n", false),
    (
        "SUB foo 1\r\nPUB foo 2\r\nab\r\nPING\r\n",
        "MSG foo 1 2\r\nab\r\nPONG\r\n",
        false,
    ),
    (
        "sub foo abc-1\r\npub foo 2\r\nab\r\nPING\r\n",
        "MSG foo abc-1 2\r\nab\r\nPONG\r\n",
        false,
    ),
    (
        "SUB\tfoo\t  1 \r\nPUB   foo \t 2  \r\nab\r\nPING\r\n",
        "MSG foo 1 2\r\nab\r\nPONG\r\n",
        false,
    ),
    // A line feed alone ends a line.
    (
        "SUB foo 1\nPUB foo 2\nab\r\nPING\n",
        "MSG foo 1 2\r\nab\r\nPONG\r\n",
        false,
    ),
    (
        "SUB foo 1\r\nPUB foo bar 0\r\n\r\nPING\r\n",
        "MSG foo 1 bar 0\r\n\r\nPONG\r\n",
        false,
    ),
    // A payload may hold what looks like protocol.
    (
        "SUB foo 1\r\nPUB foo 8\r\nPING\r\n\r\n\r\nPING\r\n",
        "MSG foo 1 8\r\nPING\r\n\r\n\r\nPONG\r\n",
        false,
    ),
    (
        "SUB foo 1\r\nHPUB foo re 12 13\r\nNATS/1.0\r\n\r\nx\r\nPING\r\n",
        "HMSG foo 1 re 12 13\r\nNATS/1.0\r\n\r\nx\r\nPONG\r\n",
        false,
    ),
    (
        "SUB foo 1\r\nHPUB foo 0 5\r\nabcde\r\nPING\r\n",
        "MSG foo 1 5\r\nabcde\r\nPONG\r\n",
        false,
    ),
    // The first subscription of a name stays.
    (
        "SUB foo 1\r\nSUB bar 1\r\nPUB bar 1\r\na\r\nPUB foo 1\r\nb\r\nPING\r\n",
        "MSG foo 1 1\r\nb\r\nPONG\r\n",
        false,
    ),
    (
        "SUB foo 1\r\nUNSUB 1\r\nUNSUB 1\r\nPUB foo 1\r\na\r\nPING\r\n",
        "PONG\r\n",
        false,
    ),
    (
        "SUB foo 1\r\nUNSUB 1 2\r\nPUB foo 1\r\na\r\nPUB foo 1\r\nb\r\nPUB foo 1\r\nc\r\nPING\r\n",
        "MSG foo 1 1\r\na\r\nMSG foo 1 1\r\nb\r\nPONG\r\n",
        false,
    ),
    (
        "SUB foo 1\r\nPUB foo 1\r\na\r\nPUB foo 1\r\nb\r\nUNSUB 1 1\r\nPUB foo 1\r\nc\r\nPING\r\n",
        "MSG foo 1 1\r\na\r\nMSG foo 1 1\r\nb\r\nPONG\r\n",
        false,
    ),
    // A number that is none means now.
    (
        "SUB foo 1\r\nUNSUB 1 x\r\nPUB foo 1\r\na\r\nPING\r\n",
        "PONG\r\n",
        false,
    ),
    (
        "SUB foo..bar 1\r\nPING\r\n",
        "-ERR 'Invalid Subject'\r\nPONG\r\n",
        false,
    ),
    (
        "SUB .foo 1\r\nPING\r\n",
        "-ERR 'Invalid Subject'\r\nPONG\r\n",
        false,
    ),
    (
        "SUB foo.>.x 1\r\nPING\r\n",
        "-ERR 'Invalid Subject'\r\nPONG\r\n",
        false,
    ),
    // A message to a subject with empty tokens reaches nobody.
    (
        "SUB > 1\r\nPUB foo..x 1\r\nb\r\nPUB .x 1\r\nc\r\nPUB x. 1\r\nc\r\nPING\r\n",
        "PONG\r\n",
        false,
    ),
    ("BOGUS\r\nPING\r\n", "-ERR 'Unknown Protocol Operation'\r\n", true),
    ("\r\nPING\r\n", "-ERR 'Unknown Protocol Operation'\r\n", true),
    (
        "MSG foo 1 1\r\na\r\nPING\r\n",
        "-ERR 'Unknown Protocol Operation'\r\n",
        true,
    ),
    (
        "SUB foo 1\r\nPUB foo 2\r\nabcd\r\nPING\r\n",
        "-ERR 'Unknown Protocol Operation'\r\n",
        true,
    ),
    (
        "PUB foo 1048577\r\n\r\nPING\r\n",
        "-ERR 'Maximum Payload Violation'\r\n",
        true,
    ),
    (
        "CONNECT {\"verbose\":true,\"pedantic\":true}\r\nSUB foo 1\r\nPUB foo 1\r\na\r\nUNSUB 1\r\nUNSUB 9\r\nPING\r\n",
        "+OK\r\n+OK\r\n+OK\r\nMSG foo 1 1\r\na\r\n+OK\r\n+OK\r\nPONG\r\n",
        false,
    ),
    (
        "CONNECT {\"verbose\":false,\"pedantic\":true}\r\nPUB foo.* 1\r\na\r\nPUB foo..x 1\r\nb\r\nPING\r\n",
        "-ERR 'Invalid Publish Subject'\r\n-ERR 'Invalid Publish Subject'\r\nPONG\r\n",
        false,
    ),
];

/// The same without a `CONNECT` before. (A second one changes only what it mentions in nats-server, and all in ours.)
const CASES_ALONE: &[(&str, &str, bool)] = &[
    (
        "CONNECT {\"verbose\":false,\"no_responders\":true}\r\nPING\r\n",
        "-ERR 'no responders requires headers support'\r\n",
        true,
    ),
    // Without any, everything is acknowledged.
    ("SUB foo 1\r\nPING\r\n", "+OK\r\nPONG\r\n", false),
];

async fn every_input_has_its_answer(target: Target) -> Result<()> {
    let server = Server::start(target).await?;
    let cases = CASES.iter().map(|case| (CONNECT, case));
    let alone = CASES_ALONE.iter().map(|case| ("", case));
    for (first, (input, answer, closed)) in cases.chain(alone) {
        let mut raw = Raw::connect(server.address).await?;
        raw.send(format!("{first}{input}")).await?;
        // Some inputs have several PINGs: the transcript ends with the last.
        let mut got = raw.transcript().await?;
        while got.0.len() < answer.len() && !got.1 {
            let (more, closed) = raw.transcript().await?;
            got = (got.0 + &more, closed);
        }
        ensure!(
            got == ((*answer).to_owned(), *closed),
            "{input:?} was answered {got:?}"
        );
    }
    let too_long = [
        format!("PUB {} 1\r\na\r\nPING\r\n", "a".repeat(5_000)),
        format!("PUB {}", "a".repeat(5_000)),
        format!("CONNECT {{\"name\":\"{}\"}}\r\nPING\r\n", "a".repeat(5_000)),
    ];
    for input in too_long {
        let mut raw = Raw::connect(server.address).await?;
        raw.send(format!("{CONNECT}{input}")).await?;
        let got = raw.transcript().await?;
        ensure!(
            got == ("-ERR 'maximum control line exceeded'\r\n".to_owned(), true),
            "{got:?}"
        );
    }
    Ok(())
}

async fn input_may_come_in_any_pieces(target: Target) -> Result<()> {
    let server = Server::start(target).await?;
    let input = format!(
        "{CONNECT}SUB foo.* 1\r\nPUB foo.a 3\r\nabc\r\nHPUB foo.b r 12 14\r\nNATS/1.0\r\n\r\nde\r\nPING\r\n"
    );
    let answer = "MSG foo.a 1 3\r\nabc\r\nHMSG foo.b 1 r 12 14\r\nNATS/1.0\r\n\r\nde\r\nPONG\r\n".to_owned();
    // Byte by byte, and cut in two at every place.
    let mut raw = Raw::connect(server.address).await?;
    for byte in input.as_bytes() {
        raw.send([*byte]).await?;
    }
    ensure!(raw.transcript().await? == (answer.clone(), false));
    for cut in 1..input.len() {
        let mut raw = Raw::connect(server.address).await?;
        let (front, back) = input.split_at(cut);
        raw.send(front).await?;
        tokio::task::yield_now().await;
        raw.send(back).await?;
        let got = raw.transcript().await?;
        ensure!(got == (answer.clone(), false), "cut at {cut}: {got:?}");
    }
    Ok(())
}

async fn arguments_that_make_no_sense_end_the_connection(target: Target) -> Result<()> {
    let server = Server::start(target).await?;
    for input in [
        "SUB a b c d\r\n",
        "SUB a\r\n",
        "PUB foo -1\r\n\r\n",
        "PUB foo abc\r\n\r\n",
        "PUB foo +1\r\na\r\n",
        "PUB foo\r\n\r\n",
        "PUB foo 99999999999999999999\r\n\r\n",
        "PUB foo a b 1\r\nx\r\n",
        "HPUB foo 14 13\r\nNATS/1.0\r\n\r\nx\r\n",
        "HPUB foo -2 13\r\nNATS/1.0\r\n\r\nx\r\n",
        "CONNECT {\"verbose\":\r\n",
    ] {
        let mut raw = Raw::connect(server.address).await?;
        raw.send(format!("{CONNECT}{input}PING\r\n")).await?;
        let (said, closed) = raw.transcript().await?;
        // nats-server says nothing here; we say what its documentation has for it.
        let expected = match target {
            Target::Broker => "-ERR 'Parser Error'\r\n",
            Target::Nats(_) => "",
        };
        ensure!(closed && said == expected, "{input:?} was answered {said:?}");
    }
    Ok(())
}

async fn garbage_harms_nobody_else(target: Target) -> Result<()> {
    let server = Server::start(target).await?;
    let mut witness = Raw::connect(server.address).await?;
    witness.send(CONNECT).await?;
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    for round in 0..100 {
        let bytes: Vec<u8> = (0..200)
            .map(|_| {
                state ^= state << 13;
                state ^= state >> 7;
                state ^= state << 17;
                (state >> 32) as u8
            })
            .collect();
        let mut raw = Raw::connect(server.address).await?;
        raw.send(bytes).await?;
        raw.send("\r\n\r\n").await.ok();
        raw.read_to_end().await?;
        if round % 10 == 0 {
            ensure!(witness.barrier().await? == "PONG\r\n");
        }
    }
    Ok(())
}

async fn nobody_receives_is_said_to_who_asked(target: Target) -> Result<()> {
    let server = Server::start(target).await?;
    let mut raw = Raw::connect(server.address).await?;
    raw.send(CONNECT).await?;
    raw.send("SUB inbox.* 7\r\nPUB nobody inbox.1 1\r\na\r\nPING\r\n")
        .await?;
    let (said, _) = raw.transcript().await?;
    // nats-server names the subject since 2.12, and so do we.
    let expected = match target {
        Target::Nats("2.11.11") => "HMSG inbox.1 7 16 16\r\nNATS/1.0 503\r\n\r\n\r\nPONG\r\n",
        _ => "HMSG inbox.1 7 38 38\r\nNATS/1.0 503\r\nNats-Subject: nobody\r\n\r\n\r\nPONG\r\n",
    };
    ensure!(said == expected, "{said:?}");
    Ok(())
}

async fn headers_are_for_those_who_understand_them(target: Target) -> Result<()> {
    let server = Server::start(target).await?;
    let mut old = Raw::connect(server.address).await?;
    old.send("CONNECT {\"verbose\":false}\r\nSUB foo 1\r\n").await?;
    old.barrier().await?;
    let mut new = Raw::connect(server.address).await?;
    new.send(CONNECT).await?;
    new.send("HPUB foo 12 13\r\nNATS/1.0\r\n\r\nx\r\n").await?;
    new.barrier().await?;
    ensure!(old.barrier().await? == "MSG foo 1 1\r\nx\r\nPONG\r\n");
    Ok(())
}
