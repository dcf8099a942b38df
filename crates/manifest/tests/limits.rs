//! The documented limits hold, and hostile text costs no more than it is long.

#![allow(clippy::unwrap_used, reason = "a test that panics has failed")]

mod common;

use common::manifests;
use proptest::prelude::*;
use wasmcloud_manifest::{
    Diagnostics, Level, MAX_BYTES, MAX_DIAGNOSTICS, MAX_NODES, Manifest, ResolveOptions,
};

fn refused(text: &str) -> Diagnostics {
    Manifest::parse("limits.yaml", text).err().unwrap()
}

fn first(text: &str) -> String {
    refused(text).iter().next().unwrap().message.clone()
}

#[test]
fn text_is_limited() {
    let text = format!("a: {}", "x".repeat(MAX_BYTES));
    assert_eq!(
        first(&text),
        "the manifest has 1048579 bytes, the limit is 1048576"
    );
}

#[test]
fn repeated_text_is_limited() {
    let text = format!("a: &a {}\nb: [{}]", "x".repeat(100_000), ["*a"; 60].join(", "));
    assert!(first(&text).contains("bytes of text, that repeated by aliases included"));
}

#[test]
fn values_are_limited() {
    let text = format!("[{}]", "a,".repeat(MAX_NODES));
    assert!(first(&text).starts_with("the manifest has more than 250000 values"));
}

#[test]
fn nested_anchors_are_limited() {
    let open: String = (0..60).map(|level| format!("&a{level} [")).collect();
    let text = format!("{open}{}{}", "x, ".repeat(5_000), "]".repeat(60));
    assert_eq!(first(&text), "anchors name more than 250000 values");
}

#[test]
fn nesting_is_limited_however_it_is_written() {
    for open in ["[", "{a: ", "- ", "? "] {
        let message = first(&open.repeat(MAX_BYTES / open.len()));
        assert_eq!(
            message, "lists and maps are nested deeper than 64 levels",
            "{open}"
        );
    }
}

#[test]
fn problems_are_limited_and_errors_come_first() {
    let component = |index: usize| {
        format!(
            "    - {{ name: c{index}, type: component, properties: {{ image: x, unknown{index}: 1 }} }}\n"
        )
    };
    let components: String = (0..150).map(component).collect();
    let text = format!(
        "apiVersion: core.oam.dev/v1beta1\nkind: Application\nmetadata: {{ name: many }}\nspec:\n  components:\n{components}"
    );
    let problems = refused(&text);
    assert_eq!(problems.iter().count(), MAX_DIAGNOSTICS);
    // 150 errors, and as many warnings that a component has no scaler.
    assert_eq!(problems.left_out(), 200);
    assert!(problems.iter().all(|problem| problem.level == Level::Error));
    assert!(
        problems
            .to_string()
            .ends_with("\n200 more problems are not shown\n")
    );
}

fn reads(text: &str) {
    match Manifest::parse("any.yaml", text) {
        Ok((manifest, warnings)) => {
            assert!(warnings.iter().all(|warning| warning.level == Level::Warning));
            let _ = manifest.to_json();
            let _ = manifest.resolve(&ResolveOptions::default());
        }
        Err(problems) => {
            assert!(problems.errors().count() > 0, "refused without a reason");
            let lines = text.split(['\n', '\r']).count();
            for problem in &problems {
                assert!(problem.at.line >= 1 && problem.at.column >= 1, "{problem:?}");
                assert!(problem.at.line <= lines.max(1) + 1, "{problem:?}");
            }
            assert!(problems.to_string().starts_with(['e', 'w']));
        }
    }
}

/// A manifest that uses everything, in pieces that can be moved about.
fn fixture() -> impl Strategy<Value = String> {
    let mut paths = manifests("ok");
    paths.extend(manifests("bad"));
    let texts: Vec<String> = paths
        .iter()
        .map(|path| std::fs::read_to_string(path).unwrap())
        .collect();
    prop::sample::select(texts)
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_text_is_read_or_refused(text in "\\PC{0,200}") {
        reads(&text);
    }

    #[test]
    fn any_yaml_like_text_is_read_or_refused(
        text in "([a-c]:|- |&a|\\*a|[\\[\\]{},]|\"|'|\n|\r|  |\t|<<: |!!str |---\n|\\||>|#|\\?|%|null|5|\u{feff}|\r\n|\u{85}){0,60}"
    ) {
        reads(&text);
    }

    #[test]
    fn changed_manifests_are_read_or_refused(
        text in fixture(),
        changes in prop::collection::vec((any::<prop::sample::Index>(), 0..8usize, any::<char>(), any::<prop::sample::Index>()), 1..6),
    ) {
        let mut chars: Vec<char> = text.chars().collect();
        for (place, kind, new, other) in changes {
            if chars.is_empty() {
                break;
            }
            let at = place.index(chars.len());
            match kind {
                0 => chars.truncate(at),
                1 => drop(chars.remove(at)),
                2 => chars.insert(at, new),
                3 => chars.insert(at, '\n'),
                4 => chars.insert(at, ':'),
                5 => {
                    let other = other.index(chars.len());
                    chars.swap(at, other);
                }
                6 => {
                    // A piece of the text once more, somewhere else.
                    let end = (at + 40).min(chars.len());
                    let piece: Vec<char> = chars.get(at..end).unwrap_or_default().to_vec();
                    let other = other.index(chars.len());
                    chars.splice(other..other, piece);
                }
                _ => {
                    let end = (at + 20).min(chars.len());
                    chars.drain(at..end);
                }
            }
        }
        reads(&chars.into_iter().collect::<String>());
    }
}
