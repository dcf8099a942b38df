//! Every example does what its README says.

use std::net::SocketAddr;

use anyhow::Result;
use serde_json::{Value, json};
use wasmcloud_test_kit::guests::example_manifest;
use wasmcloud_test_kit::http::{get, request};
use wasmcloud_test_kit::ports::free_address;
use wasmcloud_test_kit::process::{Launch, SOON};

use crate::support::up;

fn launch(example: &str) -> Result<(Launch, SocketAddr)> {
    let address = free_address()?;
    Ok((up(&example_manifest(example, address)?)?, address))
}

fn text(address: SocketAddr, method: &str, path: &str) -> Result<String> {
    Ok(request(address, method, path, &[], b"")?.expect(200)?.text())
}

#[test]
fn hello_world() -> Result<()> {
    let (launch, address) = launch("http-hello-world")?;
    let wash = launch.start()?;
    assert_eq!(wash.wait_ready(SOON)?, [format!("http://{address}/")]);
    assert_eq!(text(address, "GET", "/")?, "Hello from wasmCloud!\n");
    wash.stop()?;
    Ok(())
}

#[test]
fn greeter() -> Result<()> {
    let (launch, address) = launch("greeter")?;
    let wash = launch.ready()?;
    assert_eq!(text(address, "GET", "/?name=Ada")?, "Hello, Ada!\n");
    let two = text(address, "GET", "/?name=Hopper&title=Admiral&name=Linus&marks=3")?;
    assert_eq!(two, "Good day, Admiral Hopper.\nHello, Linus!!!\n");
    wash.stop()?;
    Ok(())
}

#[test]
fn router() -> Result<()> {
    let (launch, address) = launch("http-router")?;
    let wash = launch.ready()?;
    let page = get(address, "/")?.expect(200)?;
    assert!(
        page.header("content-type")
            .is_some_and(|kind| kind.starts_with("text/html")),
        "{page:?}"
    );
    for path in ["/api", "/api/", "/api/orders/7"] {
        let answer: Value = serde_json::from_str(&text(address, "GET", path)?)?;
        assert_eq!(answer, json!({ "component": "api", "path": path }));
    }
    // Below `/api`, not merely beginning with it.
    assert_eq!(
        get(address, "/apis")?.header("content-type"),
        page.header("content-type")
    );
    wash.stop()?;
    Ok(())
}

#[test]
fn counter() -> Result<()> {
    let (launch, address) = launch("http-keyvalue-counter")?;
    let wash = launch.ready()?;
    assert_eq!(text(address, "GET", "/apples")?, "Counter apples: 1\n");
    assert_eq!(text(address, "GET", "/apples")?, "Counter apples: 2\n");
    assert_eq!(text(address, "DELETE", "/apples")?, "Counter apples: 0\n");
    assert_eq!(text(address, "GET", "/apples")?, "Counter apples: 1\n");
    assert_eq!(text(address, "POST", "/apples/reset")?, "Counter apples: 0\n");
    assert_eq!(text(address, "GET", "/")?, "Counter default: 1\n");
    wash.stop()?;
    Ok(())
}

#[test]
fn the_counter_survives_a_kill() -> Result<()> {
    let (launch, address) = launch("http-keyvalue-counter")?;
    let wash = launch.ready()?;
    for count in 1..=5 {
        assert_eq!(
            text(address, "GET", "/apples")?,
            format!("Counter apples: {count}\n")
        );
    }
    // Right after the answer: what was acknowledged is durable.
    wash.kill()?;
    let wash = launch.ready()?;
    assert_eq!(text(address, "GET", "/apples")?, "Counter apples: 6\n");
    wash.stop()?;
    Ok(())
}

#[test]
fn the_counter_says_what_its_config_says() -> Result<()> {
    let address = free_address()?;
    let manifest = example_manifest("http-keyvalue-counter", address)?;
    assert!(manifest.contains("prefix: Counter"));
    let wash = up(&manifest.replace("prefix: Counter", "prefix: Basket"))?.ready()?;
    assert_eq!(text(address, "GET", "/pears")?, "Basket pears: 1\n");
    wash.stop()?;
    Ok(())
}
