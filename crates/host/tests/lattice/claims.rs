//! Signed components and providers: their claims are checked when they start, and told wherever v1 tells them (wire
//! reference §2.3, §2.7, §3).

use std::time::{Duration, SystemTime};

use anyhow::{Context as _, Result, ensure};
use nkeys::KeyPair;
use serde_json::{Value, json};
use wasmcloud_artifacts::claims::{ComponentMetadata, UnixTime, Validity, sign_component};
use wasmcloud_artifacts::par::Target as Machine;
use wasmcloud_host::LatticeHost;
use wasmcloud_test_kit::control::Event;
use wasmcloud_test_kit::guests::guest;
use wasmcloud_test_kit::process::SOON;
use wasmcloud_test_nats::example;

use crate::calls_refused::Outsider;
use crate::external::archive;
use crate::on_both_lattices;
use crate::policy::{Service, host};
use crate::support::{Rig, Target, on, scale, until};

on_both_lattices!(
    a_signed_component_says_who_made_it,
    a_signed_provider_says_who_made_it,
    claims_that_do_not_hold_are_refused,
    what_runs_stays_when_its_image_is_tampered_with,
    an_answer_does_not_hold_for_what_another_account_signed,
);

const MATH: &str = "test:calls/math@0.1.0";

/// Who signs, and what is signed.
struct Maker {
    account: KeyPair,
    subject: String,
}

impl Maker {
    fn new() -> Self {
        Self {
            account: KeyPair::new_account(),
            subject: KeyPair::new_module().public_key(),
        }
    }

    fn sign(&self, wasm: &[u8], validity: Validity) -> Result<Vec<u8>> {
        let metadata = ComponentMetadata {
            name: Some("Cart".to_owned()),
            tags: Some(vec!["a".to_owned(), "b".to_owned()]),
            revision: Some(7),
            version: Some("1.2.3".to_owned()),
            ..ComponentMetadata::default()
        };
        Ok(sign_component(
            wasm,
            metadata,
            &self.subject,
            &self.account,
            validity,
        )?)
    }

    fn signed(&self, wasm: &[u8]) -> Result<Vec<u8>> {
        self.sign(
            wasm,
            Validity::from(SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000)),
        )
    }

    /// What the policy service is told.
    fn for_policy(&self) -> Value {
        json!({
            "publicKey": self.subject, "issuer": self.account.public_key(), "issuedAt": "1700000000",
            "expiresAt": null, "expired": false,
        })
    }
}

fn callee() -> Result<Vec<u8>> {
    Ok(std::fs::read(guest("callee")?)?)
}

fn yes(_: &Value) -> Option<Value> {
    Some(json!({ "permitted": true }))
}

/// Scales to `count` and returns what became of it.
async fn attempt(rig: &mut Rig, host: &LatticeHost, image: &str, count: u32) -> Result<Event> {
    let body = scale(host, "cart", image, count);
    rig.client.ok(&on("component.scale", host), &body).await?;
    rig.events.next().await
}

/// Waits until all hosts say so of the claims of the lattice.
async fn known_claims(rig: &Rig, expected: Value) -> Result<()> {
    let mut last = Value::Null;
    until("claims in the state", async || {
        last = rig.client.ok("claims.get", &Value::Null).await?.1;
        Ok(last == expected)
    })
    .await
    .with_context(|| format!("{last} is not {expected}"))
}

async fn a_signed_component_says_who_made_it(target: Target) -> Result<()> {
    let mut rig = Rig::start(target).await?;
    let mut service = Service::start(&rig, yes).await?;
    let host = host(&mut rig, SOON).await?;
    let maker = Maker::new();
    let image = rig.file("cart.wasm", &maker.signed(&callee()?)?)?;
    let event = attempt(&mut rig, &host, &image, 1).await?;
    let claims = json!({
        "call_alias": null, "issuer": maker.account.public_key(), "tags": ["a", "b"], "name": "Cart",
        "version": "1.2.3", "revision": 7, "not_before_human": "never", "expires_human": "never",
    });
    let mut expected = json!({
        "public_key": maker.subject, "claims": claims, "annotations": {}, "host_id": host.id().as_str(),
        "image_ref": image, "max_instances": 1, "component_id": "cart",
    });
    ensure!(event.kind == "component_scaled", "{event:?}");
    ensure!(event.data == expected, "{event:?}");
    let asked = service.asked().await?;
    ensure!(asked["kind"] == "startComponent", "{asked}");
    ensure!(asked["request"]["claims"] == maker.for_policy(), "{asked}");

    let outsider = Outsider::new(&rig).await?;
    ensure!(outsider.call("cart", MATH, "add", vec![1, 2]).await? == [3]);
    let asked = service.asked().await?;
    ensure!(asked["kind"] == "performInvocation", "{asked}");
    ensure!(
        asked["request"]["target"]["claims"] == maker.for_policy(),
        "{asked}"
    );

    let inventory = rig.inventory(&host).await?;
    let described = &inventory["components"][0];
    ensure!(
        described["name"] == "Cart" && described["revision"] == 7,
        "{described}"
    );
    let known = json!([{
        "call_alias": "", "iss": maker.account.public_key(), "issuer": maker.account.public_key(), "name": "Cart",
        "rev": "7", "revision": "7", "sub": maker.subject, "subject": maker.subject, "tags": "a,b",
        "version": "1.2.3",
    }]);
    known_claims(&rig, known).await?;

    let event = attempt(&mut rig, &host, &image, 0).await?;
    expected["max_instances"] = 0.into();
    ensure!(event.data == expected, "{event:?}");
    Ok(())
}

async fn a_signed_provider_says_who_made_it(target: Target) -> Result<()> {
    let mut rig = Rig::start(target).await?;
    let mut service = Service::start(&rig, yes).await?;
    let host = host(&mut rig, SOON).await?;
    let program = std::fs::read(example("host-test-provider")?)?;
    let image = rig.file("test.par", &archive(Machine::here(), program)?)?;
    let event = rig.provide(&host, "p", &image).await?;
    let asked = service.asked().await?;
    ensure!(asked["kind"] == "startProvider", "{asked}");
    let told = &asked["request"]["claims"];
    let (issuer, subject) = (told["issuer"].clone(), told["publicKey"].clone());
    for (key, kind) in [(&issuer, 'A'), (&subject, 'V')] {
        ensure!(key.as_str().is_some_and(|key| key.starts_with(kind)), "{told}");
    }
    let expected = json!({
        "host_id": host.id().as_str(), "image_ref": image, "provider_id": "p", "annotations": {},
        "claims": {
            "issuer": issuer, "tags": null, "name": "test", "version": null, "not_before_human": "never",
            "expires_human": "never",
        },
        "instance_id": "p", "public_key": "p", "link_name": "default",
    });
    ensure!(event.data == expected, "{event:?}");
    let inventory = rig.inventory(&host).await?;
    ensure!(inventory["providers"][0]["name"] == "test", "{inventory}");
    let known = json!([{
        "iss": issuer, "issuer": issuer, "name": "test", "rev": "0", "revision": "0", "sub": subject,
        "subject": subject, "version": "", "config_schema": "",
    }]);
    known_claims(&rig, known).await
}

async fn claims_that_do_not_hold_are_refused(target: Target) -> Result<()> {
    let (mut rig, host) = Rig::with_host(target).await?;
    let maker = Maker::new();
    let plain = wat::parse_str("(component)")?;
    let now = UnixTime::from(SystemTime::now());
    let signed = maker.signed(&plain)?;
    // The same token in another component, and a signature that was changed.
    let other = wat::parse_str("(component (core module))")?;
    let token = signed.get(plain.len()..).context("a token at the end")?;
    let moved = [other.as_slice(), token].concat();
    let mut forged = signed.clone();
    if let Some(of_signature) = forged.iter_mut().rev().nth(20) {
        *of_signature = if *of_signature == b'A' { b'B' } else { b'A' };
    }
    let hour = 3_600;
    let validity = |expires, not_before| Validity {
        issued_at: UnixTime(0),
        expires,
        not_before,
    };
    let expired = maker.sign(&plain, validity(Some(UnixTime(now.0 - hour)), None))?;
    let early = maker.sign(&plain, validity(None, Some(UnixTime(now.0 + hour))))?;
    for (name, bytes, why) in [
        ("moved", moved, "the claims are about content with the hash"),
        ("forged", forged, "the signature is not that of the issuer"),
        ("expired", expired, "the claims expired at"),
        ("early", early, "the claims are not valid before"),
    ] {
        let image = rig.file(&format!("{name}.wasm"), &bytes)?;
        let event = attempt(&mut rig, &host, &image, 1).await?;
        ensure!(event.kind == "component_scale_failed", "{name}: {event:?}");
        let error = event.data["error"].as_str().unwrap_or_default();
        let begin = format!("start component `cart`: its claims do not hold: {why}");
        ensure!(
            error.starts_with(&begin) && error.contains("; hint: "),
            "{name}: {error}"
        );
    }
    ensure!(rig.inventory(&host).await?["components"] == json!([]));
    // Nobody knows what did not start.
    ensure!(rig.client.ok("claims.get", &Value::Null).await?.1 == json!([]));
    Ok(())
}

async fn what_runs_stays_when_its_image_is_tampered_with(target: Target) -> Result<()> {
    let (mut rig, host) = Rig::with_host(target).await?;
    let maker = Maker::new();
    let signed = maker.signed(&callee()?)?;
    let image = rig.file("cart.wasm", &signed)?;
    let event = attempt(&mut rig, &host, &image, 1).await?;
    ensure!(event.kind == "component_scaled", "{event:?}");
    // Something is added after it was signed: an empty custom section `x`.
    rig.file("cart.wasm", &[signed.as_slice(), &[0, 2, 1, b'x']].concat())?;
    let event = attempt(&mut rig, &host, &image, 2).await?;
    ensure!(event.kind == "component_scale_failed", "{event:?}");
    let error = event.data["error"].as_str().unwrap_or_default();
    ensure!(
        error.contains("the claims are about content with the hash"),
        "{error}"
    );
    let outsider = Outsider::new(&rig).await?;
    ensure!(outsider.call("cart", MATH, "add", vec![1, 2]).await? == [3]);
    Ok(())
}

async fn an_answer_does_not_hold_for_what_another_account_signed(target: Target) -> Result<()> {
    let mut rig = Rig::start(target).await?;
    let (ours, theirs) = (Maker::new(), Maker::new());
    let issuer = ours.account.public_key();
    let mut service = Service::start(&rig, move |asked| {
        Some(json!({ "permitted": asked["request"]["claims"]["issuer"] == issuer.as_str() }))
    })
    .await?;
    let host = host(&mut rig, SOON).await?;
    let plain = wat::parse_str("(component)")?;
    let image = rig.file("cart.wasm", &ours.signed(&plain)?)?;
    let event = attempt(&mut rig, &host, &image, 1).await?;
    ensure!(event.kind == "component_scaled", "{event:?}");
    service.asked().await?;
    // The same reference, another maker; and then nobody who says so.
    for bytes in [theirs.signed(&plain)?, plain] {
        rig.file("cart.wasm", &bytes)?;
        let event = attempt(&mut rig, &host, &image, 2).await?;
        ensure!(event.kind == "component_scale_failed", "{event:?}");
        service.asked().await?;
    }
    Ok(())
}
