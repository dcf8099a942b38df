//! Two versions of an application compared: what counts as a change, and what is only written differently.

#![allow(clippy::unwrap_used, reason = "a test that panics has failed")]

use wasmcloud_manifest::{Change, Desired, Manifest, ResolveOptions};

const SHOP: &str = r#"
apiVersion: core.oam.dev/v1beta1
kind: Application
metadata:
  name: shop
  annotations: { version: v1, description: sells }
spec:
  components:
    - name: cart
      type: component
      properties:
        image: file://./cart.wasm
        config:
          - { name: prices, properties: { eur: "1" } }
      traits:
        - { type: spreadscaler, properties: { instances: 2 } }
        - type: link
          properties: { namespace: wasi, package: keyvalue, interfaces: [store, atomics], target: { name: kv } }
    - name: kv
      type: capability
      properties: { image: ghcr.io/acme/kv:1 }
"#;

fn desired(text: &str) -> Desired {
    let (manifest, _) = Manifest::parse("shop.yaml", text).unwrap();
    let options = ResolveOptions {
        base_dir: "/app".into(),
        builtin_providers: true,
        known_builtins: vec!["http-server".to_owned()],
    };
    manifest.resolve(&options).unwrap()
}

fn told(changes: &[Change]) -> String {
    let mut lines = Vec::new();
    for change in changes {
        lines.push(format!("{} {} {}", change.kind.name(), change.part, change.name));
        for field in &change.fields {
            let side = |side: &Option<String>| side.clone().unwrap_or_else(|| "-".to_owned());
            lines.push(format!(
                "  {}: {} => {}",
                field.field,
                side(&field.from),
                side(&field.to)
            ));
        }
    }
    lines.join("\n")
}

/// Replaces pieces of the text, all of which must be there, and compares.
fn check(pieces: &[(&str, &str)], expect: &str) {
    let text = pieces.iter().fold(SHOP.to_owned(), |text, (old, new)| {
        assert!(text.contains(old), "{old:?} is not in the manifest");
        text.replace(old, new)
    });
    let changes = desired(SHOP).changes(&desired(&text));
    assert_eq!(told(&changes), expect, "{pieces:?}");
    // The other way round the same parts differ.
    let back = desired(&text).changes(&desired(SHOP));
    let parts = |changes: &[Change]| -> Vec<_> {
        changes
            .iter()
            .map(|change| (change.part, change.name.clone()))
            .collect()
    };
    assert_eq!(parts(&changes), parts(&back), "{pieces:?}");
}

#[test]
fn what_is_only_written_differently_is_no_change() {
    check(&[], "");
    check(&[("file://./cart.wasm", "file:///app/cart.wasm")], "");
    check(&[("[store, atomics]", "[atomics, store]")], "");
    check(&[("description: sells", "description: \"sells\"")], "");
    check(&[("version: v1, ", "")], "");
    // What holds anyway.
    let usual = "kv:1 }\n      traits: [{ type: spreadscaler, properties: { instances: 1 } }]";
    check(&[("kv:1 }", usual)], "");
}

#[test]
fn each_field_that_means_something_else_is_named() {
    check(
        &[("cart.wasm", "cart2.wasm"), ("instances: 2", "instances: 3")],
        "changed component cart\n  image: file:///app/cart.wasm => file:///app/cart2.wasm\n  instances: 2 => 3",
    );
    check(
        &[("eur: \"1\"", "eur: \"2\", usd: \"3\"")],
        "changed config shop-prices\n  eur: 1 => 2\n  usd: - => 3",
    );
    check(
        &[("version: v1, description: sells", "version: v2")],
        "changed application shop\n  description: sells => -\n  version: v1 => v2",
    );
    check(
        &[(
            "instances: 2 }",
            "instances: 2, spread: [{ name: east, requirements: { zone: east } }] }",
        )],
        "changed component cart\n  spread.east.requirements.zone: - => east\n  spread.east.weight: - => 100",
    );
    check(
        &[("type: spreadscaler", "type: daemonscaler")],
        "changed component cart\n  scaler: spreadscaler => daemonscaler",
    );
    check(
        &[("[store, atomics]", "[store]")],
        "changed link cart -(wasi:keyvalue)-> kv\n  interfaces: atomics, store => store",
    );
    check(
        &[(
            "target: { name: kv }",
            "target: { name: kv, config: [{ name: b, properties: { bucket: x } }] }",
        )],
        "changed link cart -(wasi:keyvalue)-> kv\n  target.config: - => shop-b\nadded config shop-b\n  bucket: - => x",
    );
    check(
        &[(
            "- { type: spreadscaler",
            "- { type: runtime, properties: { memory: 64MiB } }\n        - { type: spreadscaler",
        )],
        "changed component cart\n  runtime.memory: - => 67108864 bytes",
    );
    check(
        &[(
            "type: spreadscaler, properties: { instances: 2",
            "type: autoscaler, properties: { min: 0, max: 9",
        )],
        "changed component cart\n  cooldown: - => 60s\n  instances: 2 => -\n  max: - => 9\n  min: - => 1\n  \
         queueTime: - => 100ms\n  runtime.idle: - => 300s\n  scaler: spreadscaler => autoscaler\n  utilization: - => 70",
    );
}

#[test]
fn parts_come_and_go() {
    check(
        &[("name: kv", "name: redis")],
        "removed provider kv\n\
         added provider redis\n  id: - => shop-redis\n  image: - => ghcr.io/acme/kv:1\n  instances: - => 1\n  \
         scaler: - => spreadscaler\n\
         removed link cart -(wasi:keyvalue)-> kv\n\
         added link cart -(wasi:keyvalue)-> redis\n  interfaces: - => atomics, store",
    );
}

#[test]
fn a_link_of_another_name_is_another_link() {
    check(
        &[("package: keyvalue,", "package: keyvalue, name: second,")],
        "removed link cart -(wasi:keyvalue)-> kv\n\
         added link cart -(wasi:keyvalue)-> kv named `second`\n  interfaces: - => atomics, store",
    );
}
