//! The interfaces that are known by name, to tell a misspelt one from a new one.

use wasmcloud_core::nearest;

/// Packages with their interfaces. v1's list (wire reference Appendix B) lacked some that v1 itself served, such as
/// `wasi:keyvalue/watcher`; ours has them. What is not listed is allowed and warned about.
const KNOWN: &[(&str, &str, &[&str])] = &[
    ("wasi", "blobstore", &["blobstore", "container", "types"]),
    ("wasi", "config", &["runtime", "store"]),
    (
        "wasi",
        "http",
        &[
            "incoming-handler",
            "outgoing-handler",
            "types",
            "handler",
            "client",
        ],
    ),
    (
        "wasi",
        "keyvalue",
        &["store", "atomics", "batch", "watcher", "watch"],
    ),
    ("wasi", "logging", &["logging"]),
    (
        "wasi",
        "messaging",
        &["producer", "request-reply", "incoming-handler", "types"],
    ),
    ("wasmcloud", "bus", &["lattice"]),
    ("wasmcloud", "identity", &["store"]),
    (
        "wasmcloud",
        "messaging",
        &[
            "consumer",
            "handler",
            "producer",
            "request-reply",
            "incoming-handler",
            "types",
        ],
    ),
    ("wasmcloud", "postgres", &["query", "prepared", "types"]),
    ("wasmcloud", "secrets", &["store", "reveal"]),
    ("wasmcloud", "wadm", &["client", "handler", "types"]),
    ("wrpc", "blobstore", &["blobstore"]),
    ("wrpc", "http", &["incoming-handler", "outgoing-handler", "types"]),
    ("wrpc", "keyvalue", &["store", "atomics", "batch", "watcher"]),
];

/// What is odd about an interface's name.
pub(super) enum Odd {
    /// Nobody knows this package of a known namespace.
    Package(Option<&'static str>),
    /// The known package has no such interface.
    Interface(Option<&'static str>),
}

/// Whether an interface of a namespace we know is one we know; the nearest known name comes with it.
pub(super) fn odd(namespace: &str, package: &str, interface: &str) -> Option<Odd> {
    let mut packages = KNOWN.iter().filter(|(known, ..)| *known == namespace).peekable();
    packages.peek()?;
    let mut names = packages.clone();
    match names.find(|(_, known, _)| *known == package) {
        None => Some(Odd::Package(nearest(
            package,
            packages.map(|(_, known, _)| *known),
        ))),
        Some((.., interfaces)) if interfaces.contains(&interface) => None,
        Some((.., interfaces)) => Some(Odd::Interface(nearest(interface, interfaces.iter().copied()))),
    }
}
