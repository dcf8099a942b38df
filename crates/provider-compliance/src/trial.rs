//! What is tested, and with what.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use wasmcloud_core::{ComponentId, LatticeName};
use wasmcloud_wire::provider::{InterfaceLinkDefinition, SecretValue};
use wasmcloud_wire::rpc::{Call, Payload as _};

use crate::bench::Bench;
use crate::checks::{CHECKS, Check};
use crate::report::{Finding, Report};

/// Longest wait for anything, if nobody says otherwise. A provider that is one never needs it.
const PATIENCE: Duration = Duration::from_secs(30);

/// The component that is linked to the provider, and calls it.
pub(crate) const COMPONENT: &str = "compliance-component";

/// A program, and what a test knows of it.
#[derive(Clone)]
pub struct Trial {
    pub(crate) program: PathBuf,
    pub(crate) url: String,
    pub(crate) lattice: LatticeName,
    pub(crate) provider: ComponentId,
    pub(crate) config: BTreeMap<String, String>,
    pub(crate) secrets: BTreeMap<String, SecretValue>,
    pub(crate) link: InterfaceLinkDefinition,
    pub(crate) link_secrets: BTreeMap<String, SecretValue>,
    pub(crate) samples: Vec<Sample>,
    pub(crate) only_linked: bool,
    pub(crate) patience: Duration,
}

/// Says whether results are right; if not, why.
type Judge = Arc<dyn Fn(&[u8]) -> Result<(), String> + Send + Sync>;

/// A call, and how its results are told from others.
#[derive(Clone)]
pub(crate) struct Sample {
    pub(crate) instance: String,
    pub(crate) function: String,
    pub(crate) params: Bytes,
    pub(crate) right: Judge,
}

impl Trial {
    /// A program, and where NATS is. The lattice is `default`; nobody else should be on it.
    pub fn new(program: impl Into<PathBuf>, nats_url: &str) -> Self {
        let name = |text: &str| text.parse().expect("it is a name");
        let provider: ComponentId = name("provider-on-trial");
        Self {
            program: program.into(),
            url: nats_url.to_owned(),
            lattice: "default".parse().expect("it is a name"),
            link: InterfaceLinkDefinition {
                source_id: COMPONENT.to_owned(),
                target: provider.to_string(),
                name: "default".to_owned(),
                wit_namespace: "test".to_owned(),
                wit_package: "compliance".to_owned(),
                ..InterfaceLinkDefinition::default()
            },
            provider,
            config: BTreeMap::new(),
            secrets: BTreeMap::new(),
            link_secrets: BTreeMap::new(),
            samples: Vec::new(),
            only_linked: false,
            patience: PATIENCE,
        }
    }

    /// On another lattice than `default`.
    #[must_use]
    pub fn lattice(mut self, lattice: LatticeName) -> Self {
        self.lattice = lattice;
        self
    }

    /// With a key in the config of the provider.
    #[must_use]
    pub fn config(mut self, key: &str, value: &str) -> Self {
        self.config.insert(key.to_owned(), value.to_owned());
        self
    }

    /// With a secret of the provider.
    #[must_use]
    pub fn secret(mut self, name: &str, value: &str) -> Self {
        self.secrets
            .insert(name.to_owned(), SecretValue::String(value.to_owned()));
        self
    }

    /// With another WIT package and interfaces in the link than `test:compliance` and none.
    #[must_use]
    pub fn linked(mut self, namespace: &str, package: &str, interfaces: &[&str]) -> Self {
        self.link.wit_namespace = namespace.to_owned();
        self.link.wit_package = package.to_owned();
        self.link.interfaces = interfaces.iter().map(|name| (*name).to_owned()).collect();
        self
    }

    /// With a key in the link's config.
    #[must_use]
    pub fn link_config(mut self, key: &str, value: &str) -> Self {
        self.link.source_config.insert(key.to_owned(), value.to_owned());
        self.link.target_config.insert(key.to_owned(), value.to_owned());
        self
    }

    /// With a secret of the link, which travels sealed.
    #[must_use]
    pub fn link_secret(mut self, name: &str, value: &str) -> Self {
        self.link_secrets
            .insert(name.to_owned(), SecretValue::String(value.to_owned()));
        self
    }

    /// The provider calls the component, and not the other way round.
    #[must_use]
    pub fn as_source(mut self) -> Self {
        self.link.source_id = self.provider.to_string();
        self.link.target = COMPONENT.to_owned();
        self
    }

    /// Makes this call, and again after each thing that is done to the provider. It should not depend on those before
    /// it.
    #[must_use]
    pub fn call<C: Call>(
        mut self,
        call: &C,
        right: impl Fn(&C::Result) -> bool + Send + Sync + 'static,
    ) -> Self {
        let function = C::FUNCTION;
        self.samples.push(Sample {
            instance: C::INSTANCE.to_owned(),
            function: function.to_owned(),
            params: call.to_bytes().into(),
            right: Arc::new(move |bytes| match C::Result::from_bytes(bytes) {
                Ok(results) if right(&results) => Ok(()),
                Ok(_) => Err(format!("`{function}` returned something else than expected")),
                Err(error) => Err(format!("read what `{function}` returned: {error}")),
            }),
        });
        self
    }

    /// The same for any interface, with bytes. `instance` is the name of the interface with its version.
    #[must_use]
    pub fn call_bytes(
        mut self,
        instance: &str,
        function: &str,
        params: impl Into<Bytes>,
        right: impl Fn(&[u8]) -> bool + Send + Sync + 'static,
    ) -> Self {
        let name = function.to_owned();
        self.samples.push(Sample {
            instance: instance.to_owned(),
            function: function.to_owned(),
            params: params.into(),
            right: Arc::new(move |bytes| match right(bytes) {
                true => Ok(()),
                false => Err(format!("`{name}` returned something else than expected")),
            }),
        });
        self
    }

    /// The provider answers linked components only: without the link, the results of the calls are others.
    #[must_use]
    pub fn only_linked(mut self) -> Self {
        self.only_linked = true;
        self
    }

    /// Another longest wait for anything than 30 s.
    #[must_use]
    pub fn patience(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }

    /// Makes all checks. Those after one that failed are made too, with the program started again if it has ended;
    /// where it does not become healthy at all, only those of a program that should not run.
    pub async fn run(self) -> Report {
        let mut report = Report::default();
        let mut bench = match Bench::new(self).await {
            Ok(bench) => bench,
            Err(why) => {
                report.findings.push(Finding {
                    check: "the NATS server can be reached",
                    outcome: Err(why),
                });
                return report;
            }
        };
        let mut starts = true;
        for check in CHECKS {
            if !starts && check.needs_it_running() {
                continue;
            }
            let began = Instant::now();
            let outcome = check.run(&mut bench).await.map_err(|why| bench.with_end(why));
            starts &= check != Check::Starts || outcome.is_ok();
            report.findings.push(Finding {
                check: check.name(),
                outcome: outcome.map(|()| began.elapsed()),
            });
        }
        bench.close().await;
        report
    }
}
