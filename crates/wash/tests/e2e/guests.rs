//! A guest can hurt only itself: traps, loops, memory and silence each end in an answer, and the host goes on.

use std::net::SocketAddr;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, anyhow, ensure};
use wasmcloud_test_kit::guests::guest;
use wasmcloud_test_kit::http::{Connection, get, request};
use wasmcloud_test_kit::manifest::Manifest;
use wasmcloud_test_kit::ports::free_address;
use wasmcloud_test_kit::process::{SOON, Wash};

use crate::support::{misbehave, run_misbehave, up};

/// The time that a response took.
fn timed<T>(ask: impl FnOnce() -> Result<T>) -> Result<(T, Duration)> {
    let begun = Instant::now();
    Ok((ask()?, begun.elapsed()))
}

fn still_serves(address: SocketAddr) -> Result<()> {
    get(address, "/")?.expect(200).map(|_| ())
}

#[test]
fn a_trap_is_500_with_an_id_that_the_log_explains() -> Result<()> {
    let (wash, address) = run_misbehave(&[], &[])?;
    let response = get(address, "/trap")?.expect(500)?;
    let id = response.error_id()?;
    wash.wait_log(&[&id, "[test-guest]", "unreachable"], SOON)?;
    // The backtrace stands below its line, innermost frame first. (The guest is built without names.)
    wash.wait_log(&["    0: ", "!"], SOON)?;
    assert!(
        !response.text().contains("wasm"),
        "the client learns nothing about the inside: {response:?}"
    );
    still_serves(address)?;
    wash.stop()?;
    Ok(())
}

#[test]
fn a_trap_after_the_head_breaks_the_response() -> Result<()> {
    let (wash, address) = run_misbehave(&[], &[])?;
    let mut connection = Connection::open(address)?;
    connection.request("GET", "/trap-after-head", &[], b"")?;
    // Either nothing of it was sent yet, then it is a 500, or it ends without the last chunk.
    let response = connection.response("GET")?;
    ensure!(
        response.status == 500 || !response.complete,
        "it looks complete: {response:?}"
    );
    wash.wait_log(&["[test-guest]", "unreachable"], SOON)?;
    still_serves(address)?;
    wash.stop()?;
    Ok(())
}

#[test]
fn no_response_is_500() -> Result<()> {
    let (wash, address) = run_misbehave(&[], &[])?;
    let id = get(address, "/no-response")?.expect(500)?.error_id()?;
    wash.wait_log(&[&id, "returned without a response"], SOON)?;
    still_serves(address)?;
    wash.stop()?;
    Ok(())
}

#[test]
fn silence_ends_at_the_deadline() -> Result<()> {
    let (wash, address) = run_misbehave(&[("deadline", "400ms")], &[])?;
    let (response, took) = timed(|| get(address, "/never"))?;
    let id = response.expect(504)?.error_id()?;
    assert!(
        (Duration::from_millis(400)..Duration::from_millis(1500)).contains(&took),
        "{took:?}"
    );
    wash.wait_log(&[&id, "did not finish in 400ms"], SOON)?;
    still_serves(address)?;
    wash.stop()?;
    Ok(())
}

#[test]
fn the_server_may_set_a_shorter_deadline() -> Result<()> {
    let (wash, address) = run_misbehave(&[("deadline", "20s")], &[("timeout_ms", "300")])?;
    let (response, took) = timed(|| get(address, "/never"))?;
    let id = response.expect(504)?.error_id()?;
    assert!(took < Duration::from_secs(5), "{took:?}");
    wash.wait_log(&[&id, "did not finish in 300ms"], SOON)?;
    get(address, "/sleep?ms=10")?.expect(200)?;
    wash.stop()?;
    Ok(())
}

#[test]
fn a_loop_ends_at_the_deadline_and_holds_nobody_up() -> Result<()> {
    let address = free_address()?;
    // One worker thread: the loop and everybody else share it.
    let manifest = misbehave(address, &[("deadline", "2s")], &[])?.text();
    let wash = up(&manifest)?.env("TOKIO_WORKER_THREADS", "1").ready()?;
    let looping = thread::spawn(move || timed(|| get(address, "/loop")));
    let mut times = Vec::new();
    while !looping.is_finished() {
        let (response, took) = timed(|| get(address, "/"))?;
        response.expect(200)?;
        times.push(took);
    }
    let (response, took) = looping.join().map_err(|_| anyhow!("the thread panicked"))??;
    response.expect(504)?;
    assert!(
        (Duration::from_secs(2)..Duration::from_secs(4)).contains(&took),
        "{took:?}"
    );
    // An epoch is 10 ms: at worst each request waits for a few of them. Were the thread blocked, one request would
    // take all of the two seconds.
    times.sort();
    let median = times.get(times.len() / 2).copied().unwrap_or_default();
    assert!(
        times.len() > 10 && median < Duration::from_millis(200),
        "{} requests, p50 {median:?}",
        times.len()
    );
    wash.stop()?;
    Ok(())
}

#[test]
fn a_memory_bomb_ends_at_its_limit() -> Result<()> {
    let (wash, address) = run_misbehave(&[("memory", "16MiB")], &[])?;
    still_serves(address)?;
    let (_, before) = wash.memory()?;
    for _ in 0..3 {
        let bombs: Vec<_> = (0..8)
            .map(|_| thread::spawn(move || get(address, "/alloc")))
            .collect();
        for bomb in bombs {
            let response = bomb
                .join()
                .map_err(|_| anyhow!("the thread panicked"))??
                .expect(500)?;
            let id = response.error_id()?;
            wash.wait_log(&[&id, "[test-guest]", "memory"], SOON)?;
        }
    }
    let (_, after) = wash.memory()?;
    // Eight at once of 16 MiB, and what the host itself needs for eight connections and their logs.
    assert!(
        after.saturating_sub(before) < 192 << 20,
        "from {before} to {after} bytes"
    );
    still_serves(address)?;
    wash.stop()?;
    Ok(())
}

#[test]
fn what_a_guest_prints_is_in_the_log_under_its_name() -> Result<()> {
    let (wash, address) = run_misbehave(&[], &[])?;
    get(address, "/stdout")?.expect(200)?;
    for line in [
        "a line on stdout",
        "a line on stderr",
        "a line on stdout without an end",
    ] {
        wash.wait_log(&[&format!("[test-guest] {line} invocation=")], SOON)?;
    }
    wash.stop()?;
    Ok(())
}

fn count(wash: &Wash, address: SocketAddr) -> Result<u32> {
    let text = get(address, "/memory")?.expect(200)?.text();
    text.trim()
        .parse()
        .map_err(|_| anyhow!("{text:?}; {:?}", wash.log()))
}

#[test]
fn a_fresh_instance_remembers_nothing() -> Result<()> {
    let (wash, address) = run_misbehave(&[], &[])?;
    for _ in 0..5 {
        assert_eq!(count(&wash, address)?, 1);
    }
    wash.stop()?;
    Ok(())
}

#[test]
fn a_reused_instance_remembers_until_it_is_replaced() -> Result<()> {
    let (wash, address) = run_misbehave(&[("instance", "reuse"), ("maxReuse", "3")], &[])?;
    let counts = (0..7)
        .map(|_| count(&wash, address))
        .collect::<Result<Vec<_>>>()?;
    assert_eq!(counts, [1, 2, 3, 1, 2, 3, 1]);
    wash.stop()?;
    Ok(())
}

#[test]
fn an_instance_that_failed_is_not_reused() -> Result<()> {
    let (wash, address) = run_misbehave(&[("instance", "reuse"), ("deadline", "500ms")], &[])?;
    assert_eq!(count(&wash, address)?, 1);
    assert_eq!(count(&wash, address)?, 2);
    for (path, status) in [
        ("/trap", 500),
        ("/never", 504),
        ("/loop", 504),
        ("/no-response", 500),
    ] {
        get(address, path)?.expect(status)?;
    }
    assert_eq!(count(&wash, address)?, 1);
    wash.stop()?;
    Ok(())
}

#[test]
fn a_component_for_wasi_0_3_answers_and_streams() -> Result<()> {
    let address = free_address()?;
    let file = guest("http_p3")?;
    let manifest = Manifest::of("guest", &file).http("guest", address, &[]);
    let wash = up(&manifest.text())?.start()?;
    wash.wait_ready(SOON)?;
    assert_eq!(get(address, "/")?.expect(200)?.text(), "Hello from WASI 0.3!\n");
    let body = vec![b'z'; 1 << 20];
    let echo = request(address, "POST", "/echo", &[], &body)?.expect(200)?;
    ensure!(
        echo.body == body,
        "{} of {} bytes came back",
        echo.body.len(),
        body.len()
    );
    assert_eq!(get(address, "/sleep?ms=5")?.expect(200)?.text(), "slept 5 ms\n");
    wash.stop()?;
    Ok(())
}
