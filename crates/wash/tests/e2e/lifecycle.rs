//! From start to end of a host: when it says `ready`, how it leaves, and what it leaves behind.

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, anyhow};
use wasmcloud_test_kit::http::{Connection, Response, get};
use wasmcloud_test_kit::ports::free_address;
use wasmcloud_test_kit::process::{SOON, Wash};

use crate::support::{hello, run_misbehave, up};

/// A request whose answer nobody has read yet.
fn ask(address: SocketAddr, path: &str) -> Result<Connection> {
    let mut connection = Connection::open(address)?;
    connection.request("GET", path, &[], b"")?;
    Ok(connection)
}

/// Waits until nobody listens any more. Now and then: whoever connects without a pause keeps the listener busy.
fn refused(address: SocketAddr) {
    while TcpStream::connect(address).is_ok() {
        thread::park_timeout(Duration::from_millis(2));
    }
}

fn join<T>(thread: thread::JoinHandle<Result<T>>) -> Result<T> {
    thread.join().map_err(|_| anyhow!("a thread panicked"))?
}

#[test]
fn ready_means_that_requests_are_answered() -> Result<()> {
    let address = free_address()?;
    let launch = up(&hello(address)?.text())?;
    for _ in 0..3 {
        let wash = launch.ready()?;
        get(address, "/")?.expect(200)?;
        wash.stop()?;
    }
    Ok(())
}

#[test]
fn a_request_under_way_ends_while_new_ones_are_refused() -> Result<()> {
    leaves_in_order(Wash::interrupt)
}

#[test]
fn sigterm_is_like_ctrl_c() -> Result<()> {
    leaves_in_order(Wash::terminate)
}

fn leaves_in_order(signal: fn(&Wash) -> Result<()>) -> Result<()> {
    let (wash, address) = run_misbehave(&[], &[])?;
    let slow = thread::spawn(move || get(address, "/sleep?ms=1500"));
    in_flight(address)?;
    signal(&wash)?;
    wash.wait_event("stopping", 1, SOON)?;
    refused(address);
    assert!(!wash.has_ended(), "it left while a request was under way");
    let response: Response = join(slow)?.expect(200)?;
    assert_eq!(response.text(), "slept 1500 ms\n");
    let ended = wash.wait_exit(SOON)?;
    assert_eq!(ended.code, 0, "{}", ended.text());
    wash.wait_event("stopped", 1, SOON)?;
    TcpListener::bind(address).context("the port is free again")?;
    Ok(())
}

/// Returns when a request that was sent before from another thread must have arrived: requests that came after it
/// have been answered.
fn in_flight(address: SocketAddr) -> Result<()> {
    for _ in 0..20 {
        get(address, "/")?.expect(200)?;
    }
    Ok(())
}

#[test]
fn a_second_signal_leaves_at_once() -> Result<()> {
    let (wash, address) = run_misbehave(&[], &[])?;
    let mut never = ask(address, "/never")?;
    in_flight(address)?;
    wash.interrupt()?;
    wash.wait_event("stopping", 1, SOON)?;
    assert!(!wash.has_ended());
    wash.interrupt()?;
    let ended = wash.wait_exit(SOON)?;
    assert_eq!(ended.code, 130, "{}", ended.text());
    assert!(never.rest().is_ok());
    Ok(())
}

#[test]
fn what_does_not_end_is_cut_after_the_drain_time() -> Result<()> {
    let address = free_address()?;
    let manifest = crate::support::misbehave(address, &[], &[])?;
    let wash = up(&manifest.text())?.arg("--drain").arg("300ms").ready()?;
    let mut never = ask(address, "/never")?;
    in_flight(address)?;
    wash.interrupt()?;
    assert_eq!(wash.wait_exit(SOON)?.code, 0);
    never.rest()?;
    wash.wait_log(&["connections cut"], SOON)?;
    Ok(())
}

#[test]
fn an_idle_connection_does_not_hold_up_the_end() -> Result<()> {
    let (wash, address) = run_misbehave(&[], &[])?;
    let mut idle = Connection::open(address)?;
    idle.request("GET", "/", &[], b"")?;
    idle.response("GET")?.expect(200)?;
    // One that never sends anything, too.
    let silent = TcpStream::connect(address)?;
    wash.stop()?;
    assert_eq!(idle.rest()?, b"");
    drop(silent);
    Ok(())
}

#[test]
fn a_kept_connection_is_told_of_the_end_before_it_is_closed() -> Result<()> {
    for _ in 0..10 {
        let (wash, address) = run_misbehave(&[], &[])?;
        let mut connection = ask(address, "/")?;
        let first = connection.response("GET")?.expect(200)?;
        assert_eq!(first.header("connection"), None);
        let begun = Instant::now();
        wash.interrupt()?;
        refused(address);
        // It may have been on its way before.
        connection.request("GET", "/", &[], b"")?;
        let last = connection.response("GET");
        // Half a second is what it has, of which a busy machine may leave nothing.
        if last.is_err() && begun.elapsed() > Duration::from_millis(400) {
            continue;
        }
        let last = last?.expect(200)?;
        assert_eq!(last.header("connection"), Some("close"));
        assert_eq!(connection.rest()?, b"");
        assert_eq!(wash.wait_exit(SOON)?.code, 0);
        return Ok(());
    }
    anyhow::bail!("this machine is too busy to see what is said in half a second")
}

#[test]
fn without_a_manifest_the_host_is_empty_and_ready() -> Result<()> {
    let launch = crate::support::wash(&["-o", "json", "up", "--no-cache", "--data-dir", "data"])?;
    let wash = launch.start()?;
    assert!(wash.wait_ready(SOON)?.is_empty());
    wash.stop()?;
    Ok(())
}
