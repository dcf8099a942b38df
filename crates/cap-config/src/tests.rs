//! The capabilities, called as the bindings call them.

use std::io;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use wasmcloud_capability::{
    Caller, ComponentContext, ConfigMap, Endpoint, Handle, InstanceState, Invocation, LinkEntry, LinkTable,
};
use wasmcloud_core::Route;
use wasmtime::component::Resource;

use crate::bus::{CallTarget, lattice_1, lattice_2};
use crate::config::{runtime, store};
use crate::logging::MAX_MESSAGE;
use crate::logging::logging::{self, Level};

fn state() -> InstanceState {
    let context = ComponentContext::new("cart".parse().unwrap());
    let invocation = Invocation::new(Caller::Host, Duration::from_secs(60));
    InstanceState::new(context, invocation, 1 << 20)
}

fn config(pairs: &[(&str, &str)]) -> ConfigMap {
    pairs
        .iter()
        .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
        .collect()
}

#[test]
fn config_is_live_and_sorted() {
    let state = &mut state();
    assert_eq!(store::Host::get(state, "b".into()).unwrap().unwrap(), None);
    state.component().set_config(config(&[("b", "1"), ("a", "2")]));
    assert_eq!(
        store::Host::get(state, "b".into()).unwrap().unwrap().as_deref(),
        Some("1")
    );
    state.component().set_config(config(&[("b", "3"), ("a", "2")]));
    assert_eq!(
        runtime::Host::get(state, "b".into()).unwrap().unwrap().as_deref(),
        Some("3")
    );
    let sorted = [("a".to_owned(), "2".to_owned()), ("b".to_owned(), "3".to_owned())];
    assert_eq!(store::Host::get_all(state).unwrap().unwrap(), sorted);
    assert_eq!(runtime::Host::get_all(state).unwrap().unwrap(), sorted);
}

#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl io::Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn log_lines_say_who_and_are_bounded() {
    let lines = Lines::default();
    let writer = lines.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_ansi(false)
        .with_writer(move || writer.clone())
        .finish();
    let state = &mut state();
    let invocation = state.invocation().id.to_string();
    tracing::subscriber::with_default(subscriber, || {
        let levels = [
            Level::Trace,
            Level::Debug,
            Level::Info,
            Level::Warn,
            Level::Error,
            Level::Critical,
        ];
        for level in levels {
            logging::Host::log(state, level, "orders".into(), "text".into()).unwrap();
        }
        logging::Host::log(state, Level::Info, String::new(), "x".repeat(10 * MAX_MESSAGE)).unwrap();
    });
    let written = String::from_utf8(lines.0.lock().unwrap().clone()).unwrap();
    let written: Vec<&str> = written.lines().collect();
    assert_eq!(written.len(), 7);
    for (line, (event, level)) in written.iter().zip([
        ("TRACE", "trace"),
        ("DEBUG", "debug"),
        ("INFO", "info"),
        ("WARN", "warn"),
        ("ERROR", "error"),
        ("ERROR", "critical"),
    ]) {
        for part in [
            format!("{event} wasmcloud::component: text"),
            "component=cart".to_owned(),
            format!("invocation={invocation}"),
            format!("level=\"{level}\""),
            "context=orders".to_owned(),
        ] {
            assert!(line.contains(&part), "{part} is not in {line}");
        }
    }
    let long = written.last().unwrap();
    assert!(
        long.len() < MAX_MESSAGE + 300 && long.contains("more bytes"),
        "{} bytes",
        long.len()
    );
}

fn linked() -> InstanceState {
    let state = state();
    let entry = |name: &str, interface: &str| LinkEntry {
        interfaces: Box::new([interface.into()]),
        selected: name.parse().unwrap(),
        name: name.parse().unwrap(),
        target: "kv".parse().unwrap(),
        route: Route::Auto,
        endpoint: Endpoint::Component(Arc::new(()) as Handle),
        elsewhere: None,
    };
    state.component().set_links(LinkTable::new(vec![
        entry("default", "wasi:keyvalue/store"),
        entry("cache", "wasi:keyvalue/store"),
        entry("default", "acme:billing/ledger"),
    ]));
    state
}

fn target(state: &mut InstanceState, package: &str, interface: &str) -> Resource<CallTarget> {
    let (namespace, package) = package.split_once(':').unwrap();
    lattice_2::HostCallTargetInterface::new(state, namespace.into(), package.into(), interface.into())
        .unwrap()
}

#[test]
fn a_link_is_chosen_if_all_interfaces_have_it() {
    let state = &mut linked();
    let mut set = |name: &str, interfaces: &[(&str, &str)]| {
        let targets = interfaces
            .iter()
            .map(|(package, interface)| target(state, package, interface))
            .collect();
        let result = lattice_2::Host::set_link_name(state, name.into(), targets).unwrap();
        assert!(state.table.is_empty(), "the handles are used up");
        (
            result,
            state.invocation().link_name("wasi:keyvalue/store").to_owned(),
        )
    };
    let store = ("wasi:keyvalue", "store");
    let ledger = ("acme:billing", "ledger");

    let missing = |interface: &str, link: &str| {
        Err(format!(
            "interface `{interface}` does not have an existing link with name `{link}`"
        ))
    };
    assert_eq!(
        set("none", &[store]),
        (missing("wasi:keyvalue/store", "none"), "default".into())
    );
    assert_eq!(
        set("cache", &[store, ledger]),
        (missing("acme:billing/ledger", "cache"), "default".into())
    );
    assert_eq!(set("cache", &[store]), (Ok(()), "cache".into()));
    let (invalid, kept) = set("not a name", &[store]);
    assert!(invalid.unwrap_err().contains("not a name"));
    assert_eq!(kept, "cache");
    assert_eq!(set("default", &[store]), (Ok(()), "default".into()));
}

#[test]
fn version_1_leaves_the_error_to_the_call() {
    let state = &mut linked();
    let store = target(state, "wasi:keyvalue", "store");
    let unlinked = target(state, "acme:nobody", "linked");
    lattice_1::Host::set_link_name(state, "none".into(), vec![store, unlinked]).unwrap();
    let error = state.link("wasi:keyvalue/store").err().unwrap();
    assert_eq!(error.link, "none");
    assert_eq!(state.invocation().link_name("acme:nobody/linked"), "default");

    let store = target(state, "wasi:keyvalue", "store");
    assert!(lattice_1::Host::set_link_name(state, "not a name".into(), vec![store]).is_err());
}
