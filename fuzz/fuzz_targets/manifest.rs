//! Manifests: any text is read, checked and resolved, or refused with a reason and a place.

#![no_main]

use libfuzzer_sys::fuzz_target;
use wasmcloud_manifest::{Manifest, ResolveOptions};

fuzz_target!(|input: &[u8]| {
    // Whoever reads a manifest from a file or a message needs text first.
    let Ok(text) = std::str::from_utf8(input) else {
        return;
    };
    match Manifest::parse("fuzz.yaml", text) {
        Ok((manifest, warnings)) => {
            let json = manifest.to_json().to_string();
            // A manifest is stored as JSON, so that has to be a manifest too, with the same content.
            let (again, _) =
                Manifest::parse("fuzz.json", &json).expect("the JSON of a manifest is a manifest");
            assert_eq!(again.to_json(), manifest.to_json());
            let _ = manifest.resolve(&ResolveOptions::default());
            drop(warnings);
        }
        Err(problems) => {
            assert!(problems.errors().count() > 0, "refused without a reason");
            let lines = text.split(['\n', '\r']).count();
            for problem in &problems {
                assert!(problem.at.line >= 1 && problem.at.column >= 1, "{problem:?}");
                assert!(problem.at.line <= lines + 1, "{problem:?}");
            }
            let _ = problems.to_string();
        }
    }
});
