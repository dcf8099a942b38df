//! Which crate may depend on which, and which packages from outside a crate must never know.
//!
//! Only normal and build dependencies count: tests may reach for whatever they need.

use std::path::Path;

use anyhow::{Context as _, Result};
use serde_json::Value;

use super::Findings;
use crate::shell;

/// What one crate may know.
struct Room {
    name: &'static str,
    /// Our own crates it may depend on; `cap-*` means all of them.
    may_know: &'static [&'static str],
    /// Packages from outside it must not depend on. A name stands for its family: `tokio` is also `tokio-util`.
    never: &'static [&'static str],
}

const ROOMS: &[Room] = &[
    // Bottom: names and values, no input or output.
    Room {
        name: "core",
        may_know: &[],
        never: &["async-nats", "hyper", "serde", "tokio", "wasmtime"],
    },
    Room {
        name: "telemetry",
        may_know: &[],
        never: &["async-nats", "serde-saphyr", "wasmtime"],
    },
    Room {
        name: "manifest",
        may_know: &["core"],
        never: &["async-nats", "hyper", "tokio", "wasmtime"],
    },
    Room {
        name: "artifacts",
        may_know: &["core"],
        never: &["async-nats", "wasmtime"],
    },
    Room {
        name: "wire",
        may_know: &["core"],
        never: &["async-nats", "hyper", "tokio", "wasmtime"],
    },
    Room {
        name: "broker",
        may_know: &["core", "wire"],
        never: &["async-nats", "hyper", "serde-saphyr", "wasmtime"],
    },
    Room {
        name: "lattice",
        may_know: &["core", "wire"],
        never: &["hyper", "serde-saphyr", "wasmtime"],
    },
    Room {
        name: "client",
        may_know: &["core", "wire", "lattice"],
        never: &["async-nats", "hyper", "serde-saphyr", "wasmtime"],
    },
    Room {
        name: "provider-sdk",
        may_know: &["core", "wire", "lattice"],
        never: &["async-nats", "hyper", "serde-saphyr", "wasmtime"],
    },
    Room {
        // Not the SDK: it tests providers that are written with anything.
        name: "provider-compliance",
        may_know: &["core", "wire", "lattice"],
        never: &["async-nats", "hyper", "serde-saphyr", "wasmtime"],
    },
    // Middle: how a component runs and what it may ask for.
    Room {
        name: "capability",
        may_know: &["core"],
        never: &["async-nats", "hyper", "serde-saphyr"],
    },
    Room {
        name: "engine",
        may_know: &["core", "capability", "wire"],
        never: &["async-nats", "hyper", "serde-saphyr"],
    },
    Room {
        name: "cap-blobstore",
        // For stores on other hosts.
        may_know: &["core", "capability", "engine", "wire", "lattice"],
        never: &["serde-saphyr"],
    },
    Room {
        name: "cap-config",
        may_know: CAPABILITY,
        never: &["serde-saphyr"],
    },
    Room {
        name: "cap-http",
        // For the trace context in headers, and for requests that go to other hosts.
        may_know: &["core", "capability", "engine", "telemetry", "wire", "lattice"],
        never: &["serde-saphyr"],
    },
    Room {
        name: "cap-keyvalue",
        // For stores on other hosts.
        may_know: &["core", "capability", "engine", "wire", "lattice"],
        never: &["serde-saphyr"],
    },
    Room {
        name: "controller",
        // The plan is pure; who leads, observes and carries out asks the lattice.
        may_know: &["core", "wire", "manifest", "lattice", "client"],
        never: &["async-nats", "hyper", "serde-saphyr", "wasmtime"],
    },
    // Top: who puts it together.
    Room {
        name: "host",
        may_know: &[
            "core",
            "capability",
            "engine",
            "artifacts",
            "telemetry",
            "cap-*",
            "wire",
            "lattice",
        ],
        never: &["serde-saphyr"],
    },
    Room {
        name: "test-nats",
        may_know: &[],
        never: &["async-nats", "tokio", "wasmtime"],
    },
    Room {
        // Of what a host is made of it knows the line that it reads, so that a mistake is not made on both sides.
        name: "test-provider",
        may_know: &["wire"],
        never: &["hyper", "wasmtime"],
    },
    Room {
        name: "test-lattice",
        may_know: &["core", "wire", "broker", "lattice", "test-nats"],
        never: &["wasmtime"],
    },
    Room {
        name: "test-kit",
        may_know: &["core", "capability", "engine", "cap-*", "lattice", "test-nats"],
        never: &[],
    },
    Room {
        name: "wash",
        may_know: &["*"],
        never: &[],
    },
];

/// Capabilities never know each other, nor the host.
const CAPABILITY: &[&str] = &["core", "capability", "engine"];

pub(super) fn check(root: &Path) -> Findings {
    let metadata = shell::output(shell::cargo()?.args(["metadata", "--no-deps", "--format-version=1"]))?;
    let metadata: Value = serde_json::from_str(&metadata).context("parse the metadata of the workspace")?;
    let packages = packages(&metadata, root)?;
    Ok(findings(&packages))
}

/// A crate of ours and the packages it depends on.
struct Package {
    name: String,
    dependencies: Vec<String>,
}

fn packages(metadata: &Value, root: &Path) -> Result<Vec<Package>> {
    let listed = metadata
        .get("packages")
        .and_then(Value::as_array)
        .context("metadata lists packages")?;
    let ours = root.join("crates");
    let text = |value: &Value, key: &str| value.get(key).and_then(Value::as_str).map(str::to_owned);
    let mut packages = Vec::new();
    for package in listed {
        let manifest = text(package, "manifest_path").context("a package has a manifest")?;
        if !Path::new(&manifest).starts_with(&ours) {
            continue;
        }
        let name = text(package, "name").context("a package has a name")?;
        let dependencies = package
            .get("dependencies")
            .and_then(Value::as_array)
            .into_iter()
            .flatten();
        let dependencies = dependencies
            .filter(|dependency| dependency.get("kind").and_then(Value::as_str) != Some("dev"))
            .filter_map(|dependency| text(dependency, "name"));
        packages.push(Package {
            name,
            dependencies: dependencies.collect(),
        });
    }
    Ok(packages)
}

fn findings(packages: &[Package]) -> Vec<String> {
    let mut findings = Vec::new();
    for package in packages {
        let name = short(&package.name);
        let Some(room) = ROOMS.iter().find(|room| room.name == name) else {
            findings.push(format!(
                "{name} is not in the table of xtask/src/tidy/edges.rs: say there what it may know"
            ));
            continue;
        };
        for dependency in &package.dependencies {
            if packages.iter().any(|other| other.name == *dependency) {
                let other = short(dependency);
                if !room.may_know(other) {
                    findings.push(format!(
                        "{name} depends on {other}, it may know {}",
                        list(room.may_know)
                    ));
                }
            } else if room.never.iter().any(|family| is_family(family, dependency)) {
                findings.push(format!(
                    "{name} depends on {dependency}, which it must never know"
                ));
            }
        }
    }
    findings
}

impl Room {
    fn may_know(&self, other: &str) -> bool {
        // Whoever wires everything together is known to nobody.
        other != "wash"
            && self.may_know.iter().any(|known| match known.strip_suffix('*') {
                Some(family) => other.starts_with(family),
                None => *known == other,
            })
    }
}

/// A crate's name without what all of them have in front.
fn short(name: &str) -> &str {
    name.strip_prefix("wasmcloud-").unwrap_or(name)
}

fn is_family(family: &str, package: &str) -> bool {
    package
        .strip_prefix(family)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with(['-', '_']))
}

fn list(names: &[&str]) -> String {
    if names.is_empty() {
        "none of our crates".to_owned()
    } else {
        names.join(", ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(crates: &[(&str, &[&str])], expected: &[&str]) {
        let packages: Vec<Package> = crates
            .iter()
            .map(|(name, dependencies)| Package {
                name: (*name).to_owned(),
                dependencies: dependencies.iter().map(|name| (*name).to_owned()).collect(),
            })
            .collect();
        assert_eq!(findings(&packages), expected);
    }

    #[test]
    fn arrows_point_down_only() {
        check(
            &[
                ("wasmcloud-core", &[]),
                ("wasmcloud-engine", &["wasmcloud-core", "wasmtime"]),
            ],
            &[],
        );
        check(
            &[
                ("wasmcloud-core", &["wasmcloud-engine"]),
                ("wasmcloud-engine", &[]),
            ],
            &["core depends on engine, it may know none of our crates"],
        );
    }

    #[test]
    fn capabilities_do_not_know_each_other_and_the_host_knows_them_all() {
        check(
            &[
                ("wasmcloud-cap-http", &["wasmcloud-cap-keyvalue"]),
                ("wasmcloud-cap-keyvalue", &[]),
                (
                    "wasmcloud-host",
                    &["wasmcloud-cap-http", "wasmcloud-cap-keyvalue"],
                ),
            ],
            &[
                "cap-http depends on cap-keyvalue, it may know core, capability, engine, telemetry, wire, lattice",
            ],
        );
    }

    #[test]
    fn nobody_knows_wash() {
        check(
            &[("wash", &["wasmcloud-core"]), ("wasmcloud-core", &["wash"])],
            &["core depends on wash, it may know none of our crates"],
        );
    }

    #[test]
    fn a_forbidden_package_stands_for_its_family() {
        check(
            &[("wasmcloud-core", &["serde_json"])],
            &["core depends on serde_json, which it must never know"],
        );
        check(&[("wasmcloud-engine", &["wasmtime-wasi"])], &[]);
        assert!(!is_family("tokio", "tokionomics"));
    }

    #[test]
    fn a_new_crate_needs_a_place() {
        check(
            &[("wasmcloud-attic", &[])],
            &["attic is not in the table of xtask/src/tidy/edges.rs: say there what it may know"],
        );
    }
}
