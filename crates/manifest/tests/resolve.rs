//! What resolving depends on besides the manifest: the folder, the built-in providers, the switch for them.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test that panics has failed"
)]

use wasmcloud_core::ImageRef;
use wasmcloud_manifest::{Desired, Diagnostics, Manifest, ResolveOptions};

const MANIFEST: &str = "
apiVersion: core.oam.dev/v1beta1
kind: Application
metadata: { name: a }
spec:
  components:
    - { name: server, type: capability, properties: { image: ghcr.io/wasmcloud/http-server:0.27.0 } }
    - { name: inside, type: capability, properties: { image: wasmcloud+builtin://ledger } }
    - { name: file, type: capability, properties: { image: file://./ledger.par.gz } }
    - { name: absolute, type: capability, properties: { image: file:///srv/ledger.par.gz } }
";

fn resolve(options: &ResolveOptions) -> Result<Desired, Diagnostics> {
    Manifest::parse("a.yaml", MANIFEST).unwrap().0.resolve(options)
}

fn options(known: &[&str]) -> ResolveOptions {
    ResolveOptions {
        base_dir: "/app".into(),
        builtin_providers: true,
        known_builtins: known.iter().map(ToString::to_string).collect(),
    }
}

fn images(desired: &Desired) -> Vec<String> {
    desired
        .providers
        .iter()
        .map(|provider| provider.image.to_string())
        .collect()
}

#[test]
fn well_known_images_become_built_in_providers() {
    let desired = resolve(&options(&["http-server", "ledger"])).unwrap();
    let expect = [
        "wasmcloud+builtin://http-server",
        "wasmcloud+builtin://ledger",
        "file:///app/ledger.par.gz",
        "file:///srv/ledger.par.gz",
    ];
    assert_eq!(images(&desired), expect);
    let replaced = ImageRef::Oci("ghcr.io/wasmcloud/http-server:0.27.0".to_owned());
    assert_eq!(desired.providers[0].replaced, Some(replaced));
    assert_eq!(desired.providers[1].replaced, None);
    assert_eq!(desired.file, "a.yaml");
}

#[test]
fn the_switch_leaves_images_alone_and_built_in_names_too() {
    let options = ResolveOptions {
        builtin_providers: false,
        ..options(&["ledger"])
    };
    let images = images(&resolve(&options).unwrap());
    assert_eq!(
        images[..2],
        [
            "ghcr.io/wasmcloud/http-server:0.27.0",
            "wasmcloud+builtin://ledger"
        ]
    );
}

#[test]
fn an_image_is_only_replaced_by_what_there_is() {
    let desired = resolve(&options(&["ledger"])).unwrap();
    assert_eq!(images(&desired)[0], "ghcr.io/wasmcloud/http-server:0.27.0");
}

#[test]
fn an_unknown_built_in_name_is_refused() {
    let problems = resolve(&options(&["ledgers"])).unwrap_err();
    let told: Vec<_> = problems
        .iter()
        .map(|problem| (problem.at.line, problem.message.as_str()))
        .collect();
    assert_eq!(
        told,
        [(
            8,
            "there is no built-in provider `ledger`, did you mean `ledgers`?"
        )]
    );
}

#[test]
fn problems_have_fields_for_machines() {
    let problems =
        Manifest::parse("a.yaml", "apiVersion: core.oam.dev/v1beta1\nknid: Application\n").unwrap_err();
    let first = problems
        .iter()
        .find(|problem| problem.message.contains("knid"))
        .unwrap();
    assert_eq!((first.level.name(), first.file.as_str()), ("error", "a.yaml"));
    assert_eq!((first.at.line, first.at.column, first.at.width), (2, 1, 4));
    assert_eq!(first.message, "unknown field `knid`, did you mean `kind`?");
    assert_eq!(first.hint, None);
}
