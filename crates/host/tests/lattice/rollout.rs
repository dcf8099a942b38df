//! Two revisions of a component beside each other, and the probe that a component answers before it gets calls.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};
use wasmcloud_host::LatticeHost;
use wasmcloud_test_kit::control::Event;
use wasmcloud_test_kit::guests::{example, guest};
use wasmcloud_test_kit::http::get;
use wasmcloud_test_kit::load::Load;
use wasmtime::component::Val;

use crate::calls::{LONG, drive, link, linked};
use crate::on_both_lattices;
use crate::support::{Rig, Target, hello, on, reference, scale, until};

on_both_lattices!(
    a_candidate_gets_its_share_and_takes_over,
    nobody_who_asks_notices_a_rollout,
    failures_of_a_candidate_are_its_own,
    calls_from_another_host_are_shared,
    what_runs_says_which_revision_it_is,
    a_probe_comes_before_the_first_call,
    what_cannot_be_done_is_refused,
);

const SOON: Duration = Duration::from_secs(30);

/// `hello` behind an HTTP server, and another revision of it, which says `Howdy`.
struct Rollout {
    rig: Rig,
    host: LatticeHost,
    address: SocketAddr,
    hello: String,
    howdy: String,
}

impl Rollout {
    async fn start(target: Target) -> Result<Self> {
        let (mut rig, host) = Rig::with_host(target).await?;
        let address = rig.serve_hello(&host).await?;
        let mut bytes = std::fs::read(example("http-hello-world", "http_hello_world")?)?;
        let at = bytes
            .windows(5)
            .position(|word| word == b"Hello")
            .context("a greeting")?;
        bytes[at..at + 5].copy_from_slice(b"Howdy");
        let howdy = rig.file("howdy.wasm", &bytes)?;
        Ok(Self {
            hello: hello()?,
            rig,
            host,
            address,
            howdy,
        })
    }

    fn body(&self, image: &str, weight: Option<u8>) -> Value {
        let mut body = scale(&self.host, "hello", image, 1);
        body["allow_update"] = true.into();
        if let Some(weight) = weight {
            body["weight"] = weight.into();
        }
        body
    }

    /// Asks for a revision, and waits until it is there.
    async fn put(&mut self, image: &str, weight: Option<u8>) -> Result<Event> {
        let body = self.body(image, weight);
        done(&mut self.rig, &self.host, &body).await
    }

    /// The first words of so many answers.
    async fn answers(&self, count: usize, path: &'static str) -> Result<BTreeMap<String, usize>> {
        let address = self.address;
        let asked = tokio::task::spawn_blocking(move || {
            let mut answers = BTreeMap::new();
            for _ in 0..count {
                let text = get(address, path)?.text();
                let word = text.split_whitespace().next().unwrap_or_default().to_owned();
                *answers.entry(word).or_default() += 1;
            }
            Ok(answers)
        });
        asked.await?
    }

    async fn says(&self, count: usize, expected: &[(&str, usize)]) -> Result<()> {
        let answers = self.answers(count, "/").await?;
        let expected = expected.iter().map(|(word, count)| ((*word).to_owned(), *count));
        ensure!(answers == expected.collect(), "{answers:?}");
        Ok(())
    }

    /// What the inventory says of the component.
    async fn component(&self) -> Result<Value> {
        Ok(self.rig.inventory(&self.host).await?["components"][0].clone())
    }

    async fn revision(&self) -> Result<Value> {
        Ok(self.rig.inventory(&self.host).await?["inventory_revision"].clone())
    }

    /// A call ends when its instance is put away, which may be after its answer.
    async fn counted(&self, what: &str, calls: u64, failures: u64) -> Result<()> {
        until(&format!("{calls} calls of {what}"), async || {
            let component = self.component().await?;
            let of = match what {
                "candidate" => &component["candidate"],
                _ => &component,
            };
            let count = |name: &str| of[name].as_u64().unwrap_or_default();
            Ok((count("calls"), count("failures")) == (calls, failures))
        })
        .await
    }
}

async fn done(rig: &mut Rig, host: &LatticeHost, body: &Value) -> Result<Event> {
    rig.client.ok(&on("component.scale", host), body).await?;
    let fields = json!({ "component_id": body["component_id"], "image_ref": body["component_ref"] });
    rig.events.wait("component_scaled", &fields).await
}

async fn a_candidate_gets_its_share_and_takes_over(target: Target) -> Result<()> {
    let mut rollout = Rollout::start(target).await?;
    let (hello, howdy) = (rollout.hello.clone(), rollout.howdy.clone());
    // One request was made to see whether it answers.
    rollout.counted("hello", 1, 0).await?;
    rollout.put(&howdy, Some(0)).await?;
    rollout.says(100, &[("Hello", 100)]).await?;
    rollout.put(&howdy, Some(30)).await?;
    let revision = rollout.revision().await?;
    rollout.says(100, &[("Hello", 70), ("Howdy", 30)]).await?;
    rollout.counted("hello", 171, 0).await?;
    rollout.counted("candidate", 30, 0).await?;
    ensure!(
        rollout.revision().await? == revision,
        "what is counted is no change"
    );
    let candidate = rollout.component().await?["candidate"].clone();
    let expected = json!({
        "image_ref": howdy, "annotations": {}, "max_instances": 1, "weight": 30, "calls": 30, "failures": 0,
    });
    ensure!(candidate == expected, "{candidate}");

    // No new start: it counts on.
    rollout.put(&howdy, Some(60)).await?;
    ensure!(rollout.revision().await? != revision, "another weight is one");
    rollout.says(100, &[("Hello", 40), ("Howdy", 60)]).await?;
    rollout.counted("candidate", 90, 0).await?;
    // What was there first may also say what it keeps.
    rollout.put(&hello, Some(90)).await?;
    rollout.says(100, &[("Hello", 90), ("Howdy", 10)]).await?;
    rollout.put(&howdy, None).await?;
    rollout.says(50, &[("Howdy", 50)]).await?;
    rollout.counted("howdy", 150, 0).await?;
    let component = rollout.component().await?;
    ensure!(component["image_ref"] == howdy.as_str() && component["candidate"].is_null());

    // And the other way: a candidate that is dropped.
    rollout.put(&hello, Some(50)).await?;
    rollout.says(10, &[("Hello", 5), ("Howdy", 5)]).await?;
    rollout.put(&howdy, None).await?;
    rollout.says(10, &[("Howdy", 10)]).await?;
    rollout.counted("howdy", 165, 0).await?;

    // Nothing of either is left.
    rollout.put(&hello, Some(50)).await?;
    let mut stop = rollout.body(&howdy, None);
    stop["count"] = 0.into();
    done(&mut rollout.rig, &rollout.host, &stop).await?;
    ensure!(rollout.rig.inventory(&rollout.host).await?["components"] == json!([]));
    Ok(())
}

async fn nobody_who_asks_notices_a_rollout(target: Target) -> Result<()> {
    let mut rollout = Rollout::start(target).await?;
    let (hello, howdy) = (rollout.hello.clone(), rollout.howdy.clone());
    let load = Load::start(rollout.address, "/");
    let heard = |word: &'static str| tokio::task::block_in_place(|| load.wait_answer(word, SOON));
    heard("Hello")?;
    rollout.put(&howdy, Some(30)).await?;
    heard("Howdy")?;
    heard("Hello")?;
    rollout.put(&howdy, None).await?;
    rollout.says(50, &[("Howdy", 50)]).await?;
    rollout.put(&hello, Some(50)).await?;
    heard("Hello")?;
    rollout.put(&howdy, None).await?;
    rollout.says(50, &[("Howdy", 50)]).await?;
    let answers = tokio::task::block_in_place(|| load.finish())?;
    ensure!(answers.keys().eq(["Hello", "Howdy"]), "{answers:?}");
    Ok(())
}

async fn failures_of_a_candidate_are_its_own(target: Target) -> Result<()> {
    let mut rollout = Rollout::start(target).await?;
    let image = reference(&guest("http_misbehave")?);
    rollout.put(&image, Some(50)).await?;
    rollout.answers(10, "/trap").await?;
    rollout.counted("candidate", 5, 5).await?;
    rollout.answers(10, "/status?code=503").await?;
    rollout.counted("candidate", 10, 10).await?;
    // It did not answer, which its client takes for an answer with 500.
    rollout.answers(2, "/no-response").await?;
    rollout.counted("candidate", 11, 11).await?;
    rollout.answers(10, "/status?code=404").await?;
    rollout.counted("candidate", 16, 11).await?;
    rollout.counted("hello", 17, 0).await
}

async fn calls_from_another_host_are_shared(target: Target) -> Result<()> {
    let mut rig = Rig::start(target).await?;
    let (here, there) = (rig.host(|_, _| {}).await?, rig.host(|_, _| {}).await?);
    rig.run(&here, "caller", &reference(&guest("caller")?)).await?;
    rig.client.ok("link.put", &link(None)).await?;
    linked(&here, |_| true).await?;
    for (revision, weight) in [("a", None), ("b", Some(30))] {
        let mut body = scale(&there, "callee", &reference(&guest("callee")?), 1);
        body["annotations"] = json!({ "wasmcloud.dev/revision": revision });
        body["weight"] = json!(weight);
        done(&mut rig, &there, &body).await?;
    }
    drive(&here, "run-add", &[Val::U32(100)], LONG).await?;
    let inventory = there.host().inventory();
    let callee = inventory.components.first().context("the callee")?;
    let candidate = callee.candidate.as_ref().context("a candidate")?;
    ensure!(
        (callee.calls, candidate.calls) == (70, 30),
        "{} and {}",
        callee.calls,
        candidate.calls
    );
    // Metrics know the component, not its revisions.
    ensure!(callee.invocations == 100, "{}", callee.invocations);
    Ok(())
}

async fn what_runs_says_which_revision_it_is(target: Target) -> Result<()> {
    let mut rollout = Rollout::start(target).await?;
    let body = |rollout: &Rollout, image: &str, weight: Option<u8>, notes: [&str; 2], count: u32| {
        let mut body = rollout.body(image, weight);
        body["annotations"] = json!({ "wasmcloud.dev/revision": notes[0], "note": notes[1] });
        body["count"] = count.into();
        body
    };
    let (hello, howdy) = (rollout.hello.clone(), rollout.howdy.clone());
    for body in [
        body(&rollout, &hello, None, ["a", "1"], 1),
        body(&rollout, &howdy, Some(50), ["b", "1"], 1),
    ] {
        done(&mut rollout.rig, &rollout.host, &body).await?;
    }
    rollout.says(10, &[("Hello", 5), ("Howdy", 5)]).await?;
    rollout.counted("candidate", 5, 0).await?;
    // Other notes are taken over without a start.
    let noted = body(&rollout, &howdy, Some(50), ["b", "2"], 1);
    done(&mut rollout.rig, &rollout.host, &noted).await?;
    let candidate = rollout.component().await?["candidate"].clone();
    ensure!(
        candidate["annotations"]["note"] == "2" && candidate["calls"] == 5,
        "{candidate}"
    );
    // More instances of the first, which keeps its place; those of the second count on.
    let more = body(&rollout, &hello, Some(50), ["a", "1"], 7);
    done(&mut rollout.rig, &rollout.host, &more).await?;
    let component = rollout.component().await?;
    ensure!(component["max_instances"] == 7, "{component}");
    ensure!(component["candidate"]["calls"] == 5, "{component}");
    // More instances of the second, in its place.
    let more = body(&rollout, &howdy, Some(20), ["b", "2"], 9);
    done(&mut rollout.rig, &rollout.host, &more).await?;
    let component = rollout.component().await?;
    let candidate = &component["candidate"];
    ensure!(component["max_instances"] == 7 && candidate["max_instances"] == 9);
    ensure!(candidate["weight"] == 20, "{candidate}");
    rollout.says(10, &[("Hello", 8), ("Howdy", 2)]).await
}

async fn a_probe_comes_before_the_first_call(target: Target) -> Result<()> {
    let mut rollout = Rollout::start(target).await?;
    let (misbehave, p3) = (
        reference(&guest("http_misbehave")?),
        reference(&guest("http_p3")?),
    );
    let nothing = rollout.rig.nothing()?;
    let host = rollout.host.clone();
    let probed = |id: &str, image: &str, path: &str| {
        let mut body = scale(&host, id, image, 1);
        body["probe"] = json!({ "path": path, "timeout_ms": 2_000 });
        body
    };
    for (id, image, path) in [
        ("a", &rollout.hello, "/"),
        ("b", &misbehave, "/status?code=399"),
        ("c", &p3, "/"),
    ] {
        done(&mut rollout.rig, &host, &probed(id, image, path)).await?;
    }
    // A probe is no call.
    let inventory = rollout.rig.inventory(&host).await?;
    let calls = |at: usize| inventory["components"][at]["calls"].as_u64().unwrap_or_default();
    ensure!((0..3).all(|at| calls(at) == 0), "{inventory}");

    let failed = "start component `x`: the probe failed: ";
    for (image, path, error) in [
        (
            &misbehave,
            "/status?code=503",
            "its answer to `GET /status?code=503` is 503 Service Unavailable: status 503",
        ),
        (
            &p3,
            "/gone",
            "its answer to `GET /gone` is 404 Not Found: / /echo /sleep?ms=",
        ),
        (
            &misbehave,
            "/sleep?ms=60000",
            "it has not answered `GET /sleep?ms=60000` within 2s",
        ),
        (
            &p3,
            "/sleep?ms=60000",
            "it has not answered `GET /sleep?ms=60000` within 2s",
        ),
        (&misbehave, "/loop", "it has not answered `GET /loop` within 2s"),
        (
            &misbehave,
            "/trap",
            "it did not answer `GET /trap`: component `x` trapped",
        ),
        (&misbehave, "/no-response", "it did not answer `GET /no-response`"),
        (
            &nothing,
            "/",
            "it exports neither `wasi:http/incoming-handler` nor `wasi:http/handler`",
        ),
    ] {
        let subject = on("component.scale", &host);
        rollout.rig.client.ok(&subject, &probed("x", image, path)).await?;
        let fields = json!({ "component_id": "x" });
        let event = rollout.rig.events.wait("component_scale_failed", &fields).await?;
        let told = event.data["error"].as_str().context("an error")?;
        ensure!(told.starts_with(&format!("{failed}{error}")), "{told}");
        ensure!(host.host().component_spec(&"x".parse()?).is_none(), "{path}");
    }

    // A candidate that fails leaves everything as it was, and one that passes runs beside.
    for (path, passes) in [("/trap", false), ("/", true)] {
        let mut body = rollout.body(&misbehave, Some(50));
        body["probe"] = json!({ "path": path });
        let subject = on("component.scale", &host);
        rollout.rig.client.ok(&subject, &body).await?;
        let kind = match passes {
            true => "component_scaled",
            false => "component_scale_failed",
        };
        let fields = json!({ "component_id": "hello", "image_ref": misbehave });
        rollout.rig.events.wait(kind, &fields).await?;
        let inventory = host.host().inventory();
        let mut components = inventory.components.iter();
        let runs = components.find(|component| component.id.as_str() == "hello");
        let runs = runs.context("what ran")?;
        ensure!(runs.candidate.is_some() == passes && runs.image_ref == rollout.hello);
    }
    Ok(())
}

async fn what_cannot_be_done_is_refused(target: Target) -> Result<()> {
    let rollout = Rollout::start(target).await?;
    for (field, value, said) in [
        (
            "weight",
            json!(101),
            "field `weight`: it is 101, and may be from 0 to 100",
        ),
        (
            "weight",
            json!(-1),
            "failed to deserialize component scale command: field `weight`",
        ),
        (
            "probe",
            json!({}),
            "failed to deserialize component scale command: field `probe",
        ),
        (
            "probe",
            json!({ "path": "health" }),
            "field `probe.path`: `health` is not the path of a URL, such as `/healthz`",
        ),
        (
            "probe",
            json!({ "path": "/", "timeout_ms": 60_001 }),
            "field `probe.timeout_ms`: it is 60001, and may be from 1 to 60000",
        ),
    ] {
        let mut body = rollout.body(&rollout.howdy, None);
        body[field] = value;
        let subject = on("component.scale", &rollout.host);
        let told = rollout.rig.client.refused(&subject, &body).await?;
        ensure!(told.starts_with(said), "{told}");
    }
    rollout.says(3, &[("Hello", 3)]).await
}
