//! A component that cannot start says so when it is started, not to its first caller.

use wasmcloud_core::Limits;
use wasmcloud_engine::StartError;

use crate::support::{Bench, FRONT, OPS};

async fn error(wat: &str) -> String {
    Bench::new()
        .start(wat, Limits::default())
        .await
        .err()
        .unwrap()
        .to_string()
}

#[tokio::test]
async fn an_import_that_nobody_offers_is_named_with_the_closest() {
    let wrong_version = r#"(component (import "wasi:cli/environment@0.9.0" (instance (export "f" (func)))))"#;
    assert_eq!(
        error(wrong_version).await,
        "nobody offers `wasi:cli/environment@0.9.0`; the closest that is offered is `wasi:cli/environment@0.3.0`"
    );
    assert_eq!(
        error(FRONT).await,
        "`test:unit/ops@1.0.0` is not part of the host, and there is no link for it; hint: add a `link` trait to the \
         component, with `namespace: test`, `package: unit` and `interfaces: [ops]`"
    );
}

#[tokio::test]
async fn every_interface_we_claim_to_offer_is_there() {
    let bench = Bench::new();
    for name in bench.linkers.offered() {
        let wat = format!(r#"(component (import "{name}" (instance)))"#);
        let mut compiled = bench.compile(wat::parse_str(&wat).unwrap()).await.unwrap();
        if name.to_string().ends_with("@0.3.0") {
            // Only components that use component model async get WASI 0.3.
            let wat =
                format!(r#"(component (import "{name}" (instance)) (core func (canon backpressure.inc)))"#);
            compiled = bench.compile(wat::parse_str(&wat).unwrap()).await.unwrap();
        }
        let linker = bench.linkers.for_component(&compiled).unwrap();
        let linked = linker.instantiate_pre(compiled.component());
        assert!(linked.is_ok(), "{name}: {:#}", linked.err().unwrap());
    }
}

#[tokio::test]
async fn a_trap_in_the_first_instance_is_reported() {
    let wat = r#"(component (core module $m (func $boom unreachable) (start $boom)) (core instance (instantiate $m)))"#;
    let error = Bench::new().start(wat, Limits::default()).await.err().unwrap();
    let StartError::Instantiate(cause) = error else {
        panic!("{error}")
    };
    assert!(cause.to_string().contains("unreachable"), "{cause}");
}

#[tokio::test]
async fn more_initial_memory_than_allowed_is_refused() {
    let limits = Limits {
        memory: 1 << 10,
        ..Limits::default()
    };
    let error = Bench::new().start(OPS, limits).await.err().unwrap().to_string();
    assert!(
        error.contains("needs 65536 bytes of memory to start, its limit is 1024"),
        "{error}"
    );
}

#[tokio::test]
async fn a_preview1_module_is_adapted() {
    let wat = r#"(module
        (import "wasi_snapshot_preview1" "random_get" (func (param i32 i32) (result i32)))
        (memory (export "memory") 1)
        (func (export "_initialize")))"#;
    Bench::new().start(wat, Limits::default()).await.unwrap();
}
