//! A folder is a test: every manifest in `fixtures/ok` can be used and says what it warns of and what it resolves to;
//! every one in `fixtures/bad` is refused with exactly the text beside it.
//!
//! `UPDATE_GENERATED=1` writes the expected texts anew; read the difference before you commit it.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test that panics has failed"
)]

mod common;

use std::fmt::Write as _;
use std::path::Path;

use common::{compare, manifests};
use wasmcloud_manifest::{Desired, Manifest, ResolveOptions, Rollout, Scaler};

#[test]
fn good_manifests_resolve() {
    for path in manifests("ok") {
        let text = std::fs::read_to_string(&path).unwrap();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let (manifest, warnings) =
            Manifest::parse(&name, &text).unwrap_or_else(|problems| panic!("{name} is refused:\n{problems}"));
        let options = ResolveOptions {
            base_dir: "/app".into(),
            ..ResolveOptions::default()
        };
        let desired = manifest
            .resolve(&options)
            .unwrap_or_else(|problems| panic!("{name}:\n{problems}"));
        let mut out = show(&desired);
        for warning in &warnings {
            write!(out, "\n{warning}").unwrap();
        }
        compare(&with_extension(&path, "expect"), &out);
    }
}

#[test]
fn bad_manifests_are_refused_with_all_their_problems() {
    for path in manifests("bad") {
        let text = std::fs::read_to_string(&path).unwrap();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let problems = match Manifest::parse(&name, &text) {
            Err(problems) => problems,
            Ok((manifest, _)) => match manifest.resolve(&ResolveOptions::default()) {
                Err(problems) => problems,
                Ok(_) => panic!("{name} is accepted"),
            },
        };
        assert!(problems.errors().count() > 0, "{name}");
        compare(&with_extension(&path, "expect"), &problems.to_string());
    }
}

/// What was read as JSON and is written as JSON again is the same manifest.
#[test]
fn json_form_is_the_same_manifest() {
    for path in manifests("ok") {
        let text = std::fs::read_to_string(&path).unwrap();
        let (manifest, _) = Manifest::parse("a", &text).unwrap();
        let json = manifest.to_json();
        let (again, _) = Manifest::parse("a", &json.to_string()).unwrap();
        assert_eq!(again.to_json(), json, "{}", path.display());
        if path.extension().is_some_and(|extension| extension == "json") {
            assert_eq!(
                serde_json::from_str::<serde_json::Value>(&text).unwrap(),
                json,
                "{}",
                path.display()
            );
        }
        let options = ResolveOptions::default();
        let show = |manifest: &Manifest| show(&manifest.resolve(&options).unwrap());
        // Positions are those of another text.
        let without_places = |text: String| {
            text.lines()
                .map(|line| line.split(" at ").next().unwrap().to_owned())
                .collect::<Vec<_>>()
        };
        assert_eq!(
            without_places(show(&again)),
            without_places(show(&manifest)),
            "{}",
            path.display()
        );
    }
}

/// What we give people to copy is beyond reproach.
#[test]
fn examples_have_nothing_to_warn_about() {
    let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples");
    for example in std::fs::read_dir(examples).unwrap() {
        let example = example.unwrap();
        let path = example.path().join("wadm.yaml");
        if !path.is_file() {
            continue;
        }
        let text = std::fs::read_to_string(&path).unwrap();
        let name = path.display().to_string();
        let (manifest, warnings) =
            Manifest::parse(&name, &text).unwrap_or_else(|problems| panic!("{problems}"));
        assert!(
            warnings.is_empty(),
            "{}",
            warnings.iter().map(ToString::to_string).collect::<String>()
        );
        manifest
            .resolve(&ResolveOptions::default())
            .unwrap_or_else(|problems| panic!("{problems}"));
    }
}

/// A byte order mark and the line ends of Windows change nothing but the bytes.
#[test]
fn windows_text_is_the_same_manifest() {
    for path in manifests("bad") {
        let text = std::fs::read_to_string(&path).unwrap();
        let windows = format!("\u{feff}{}", text.replace('\n', "\r\n"));
        let places = |text: &str| {
            let problems = Manifest::parse("a", text).err().map(IntoIterator::into_iter);
            problems
                .into_iter()
                .flatten()
                .map(|one| (one.message, one.at.line, one.at.column))
                .collect::<Vec<_>>()
        };
        assert_eq!(places(&windows), places(&text), "{}", path.display());
    }
}

fn with_extension(path: &Path, extension: &str) -> std::path::PathBuf {
    path.with_file_name(format!(
        "{}.{extension}",
        path.file_name().unwrap().to_string_lossy()
    ))
}

/// Desired state in few lines.
fn show(desired: &Desired) -> String {
    let mut out = String::new();
    let Desired {
        app,
        version,
        description,
        shared,
        ..
    } = desired;
    writeln!(
        out,
        "application {app} version {version:?} description {description:?} shared {shared}"
    )
    .unwrap();
    for (what, pairs) in [("annotation", &desired.annotations), ("label", &desired.labels)] {
        for (key, value) in pairs {
            writeln!(out, "{what} {key}={value}").unwrap();
        }
    }
    for one in &desired.components {
        writeln!(
            out,
            "component {} ({}) {} at {}",
            one.id, one.name, one.image, one.at
        )
        .unwrap();
        writeln!(out, "  {:?}", one.limits).unwrap();
        let scaler = one.scaler.as_ref().map_or("not started".to_owned(), scaler);
        writeln!(
            out,
            "  {scaler} config {:?} secrets {:?}",
            one.config, one.secrets
        )
        .unwrap();
        for cron in &one.triggers {
            writeln!(
                out,
                "  cron {} calls {} missed {:?} deadline {:?} overlap {:?} at {}",
                cron.schedule, cron.function, cron.missed, cron.deadline, cron.overlap, cron.at
            )
            .unwrap();
        }
    }
    for one in &desired.providers {
        let replaced = one
            .replaced
            .as_ref()
            .map(|image| format!(" in place of {image}"))
            .unwrap_or_default();
        writeln!(
            out,
            "provider {} ({}) {}{replaced} at {}",
            one.id, one.name, one.image, one.at
        )
        .unwrap();
        writeln!(
            out,
            "  {} config {:?} secrets {:?}",
            scaler(&one.scaler),
            one.config,
            one.secrets
        )
        .unwrap();
    }
    for one in &desired.references {
        let what = if one.provider { "provider" } else { "component" };
        let (id, name, component, application) = (&one.id, &one.name, &one.component, &one.application);
        writeln!(
            out,
            "shared {what} {id} ({name}) is {component} of {application} at {}",
            one.at
        )
        .unwrap();
    }
    for one in &desired.links {
        let link = &one.link;
        writeln!(
            out,
            "link {link} {:?} route {} at {}",
            link.interfaces, link.route, one.at
        )
        .unwrap();
        writeln!(
            out,
            "  source config {:?} secrets {:?}",
            link.source_config, one.source_secrets
        )
        .unwrap();
        writeln!(
            out,
            "  target config {:?} secrets {:?}",
            link.target_config, one.target_secrets
        )
        .unwrap();
    }
    for (name, properties) in &desired.configs {
        writeln!(out, "config {name} {properties:?}").unwrap();
    }
    for (name, at) in &desired.external_configs {
        writeln!(out, "external config {name} at {at}").unwrap();
    }
    for (name, secret) in &desired.secrets {
        writeln!(out, "secret {name} {secret:?}").unwrap();
    }
    if desired.rollout != Rollout::default() {
        writeln!(out, "{:?}", desired.rollout).unwrap();
    }
    out
}

fn scaler(scaler: &Scaler) -> String {
    let spread: Vec<String> = scaler
        .spread
        .iter()
        .map(|one| format!("{}={} {:?}", one.name, one.weight, one.requirements))
        .collect();
    let auto = scaler.auto.map_or_else(String::new, |auto| format!(" {auto:?}"));
    format!(
        "{:?} {}{auto} over {}",
        scaler.kind,
        scaler.instances,
        spread.join(", ")
    )
}
