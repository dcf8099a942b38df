//! Why the host did not do what it was asked to: one variant for each thing that can be asked.

use wasmcloud_artifacts::claims::ClaimsError;
use wasmcloud_artifacts::par::ParError;
use wasmcloud_artifacts::{FetchError, OptionsError};
use wasmcloud_cap_http::ProbeError;
use wasmcloud_capability::ProviderError;
use wasmcloud_core::{ComponentId, ConfigName, ImageRef, Link, LinkKey};
use wasmcloud_engine::{CompileError, EngineError, StartError};

/// A failed request to the host.
#[derive(Debug, thiserror::Error)]
pub enum HostError {
    /// The wasm engine cannot be made.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// The settings of registries are wrong.
    #[error(transparent)]
    Artifacts(#[from] OptionsError),
    /// The image of a component cannot be had.
    #[error("start component `{component}`")]
    Fetch {
        /// The component.
        component: ComponentId,
        /// Why not.
        #[source]
        source: FetchError,
    },
    /// The claims in the image are not believed, or do not hold now.
    #[error("start component `{component}`: its claims do not hold")]
    Claims {
        /// The component.
        component: ComponentId,
        /// Why not.
        #[source]
        source: ClaimsError,
    },
    /// The image is not a component that runs here.
    #[error("start component `{component}`")]
    Compile {
        /// The component.
        component: ComponentId,
        /// Why not.
        #[source]
        source: CompileError,
    },
    /// The component does not start.
    #[error("start component `{component}`")]
    Start {
        /// The component.
        component: ComponentId,
        /// Why not.
        #[source]
        source: StartError,
    },
    /// The component started, and does not answer as it should.
    #[error("start component `{component}`: the probe failed")]
    Probe {
        /// The component.
        component: ComponentId,
        /// What was answered.
        #[source]
        source: ProbeError,
    },
    /// An update that would leave a link with nobody to answer it.
    #[error(
        "update component `{component}`: the new one does not export what the link {} calls ({}:{}/{}); hint: delete \
         the link first, or keep the export", link.key(), link.namespace, link.package, link.interfaces.join(",")
    )]
    ExportGone {
        /// The component.
        component: ComponentId,
        /// The link.
        link: Box<Link>,
    },
    /// A component that links call for what it does not have.
    #[error(
        "start component `{component}`: it does not export what the link {} calls ({}:{}/{}); hint: link to a component \
         that does", link.key(), link.namespace, link.package, link.interfaces.join(",")
    )]
    NoExport {
        /// The component.
        component: ComponentId,
        /// The link.
        link: Box<Link>,
    },
    /// The calls of other hosts would not get here.
    #[error("serve `{id}` to other hosts")]
    Serve {
        /// The component or provider.
        id: ComponentId,
        /// Why not.
        #[source]
        source: wasmcloud_lattice::CallError,
    },
    /// The linker could not be set up.
    #[error("link the imports of component `{component}`")]
    Linker {
        /// The component.
        component: ComponentId,
        /// Why not.
        #[source]
        source: wasmtime::Error,
    },
    /// The id belongs to something of the other kind.
    #[error("`{id}` is a {is} on this host, not a {wanted}")]
    Kind {
        /// The id.
        id: ComponentId,
        /// `component` or `provider`.
        is: &'static str,
        /// The other of the two.
        wanted: &'static str,
    },
    /// No component with this id runs here.
    #[error("component `{0}` does not run on this host")]
    NoComponent(ComponentId),
    /// No provider with this id runs here.
    #[error("provider `{0}` does not run on this host")]
    NoProvider(ComponentId),
    /// A provider with this id runs here already.
    #[error("a provider with the id `{0}` runs on this host already")]
    ProviderExists(ComponentId),
    /// The image is not a provider that this host has.
    #[error(
        "`{image}` is not a provider that this host has; built in are {}",
        crate::builtin::BUILTIN_PROVIDERS.join(", ")
    )]
    UnknownProvider {
        /// The image.
        image: ImageRef,
    },
    /// The image of a provider cannot be had.
    #[error("start provider `{provider}`")]
    FetchProvider {
        /// The provider.
        provider: ComponentId,
        /// Why not.
        #[source]
        source: FetchError,
    },
    /// The image of a provider is no archive with a program for this machine.
    #[error("start provider `{provider}`")]
    Archive {
        /// The provider.
        provider: ComponentId,
        /// Why not.
        #[source]
        source: ParError,
    },
    /// The program of a provider cannot be made a file.
    #[error("start provider `{provider}`: keep its program in {}", .dir.display())]
    KeepProgram {
        /// The provider.
        provider: ComponentId,
        /// Where.
        dir: std::path::PathBuf,
        /// Why not.
        #[source]
        source: std::io::Error,
    },
    /// A provider that is a process of its own is reached over a lattice, and this host is part of none.
    #[error(
        "start provider `{provider}`: it runs as a process of its own, which needs a lattice, and this host is part of \
         none; hint: join one, or use a provider that is built in ({})", crate::builtin::BUILTIN_PROVIDERS.join(", ")
    )]
    NoLattice {
        /// The provider.
        provider: ComponentId,
    },
    /// The provider refused its config or could not start.
    #[error("start provider `{provider}`")]
    Provider {
        /// The provider.
        provider: ComponentId,
        /// Why not.
        #[source]
        source: ProviderError,
    },
    /// The provider refused a link.
    #[error("link {link}")]
    Link {
        /// The link.
        link: Box<LinkKey>,
        /// Why not.
        #[source]
        source: ProviderError,
    },
    /// Another link with the same key and interface goes elsewhere. The text is that of v1 (wire reference §3.1).
    #[error(
        "link {link}: link already exists with different target, consider deleting the existing link or using a \
         different link name (it goes to `{}`)", existing.target
    )]
    LinkConflict {
        /// The new link.
        link: Box<LinkKey>,
        /// The existing one.
        existing: Box<Link>,
    },
    /// A named config that does not exist.
    #[error(
        "config `{config}` does not exist, and {user} uses it; hint: put it first, or give it `properties` in the manifest"
    )]
    NoConfig {
        /// The config.
        config: ConfigName,
        /// Who uses it, in words.
        user: String,
    },
    /// A config in use cannot go.
    #[error("config `{config}` is in use by {user}")]
    ConfigInUse {
        /// The config.
        config: ConfigName,
        /// Who uses it, in words.
        user: String,
    },
    /// The host has as many of these as it may have.
    #[error("this host has {limit} {what}, more are not allowed")]
    Full {
        /// What there is too much of.
        what: &'static str,
        /// The limit.
        limit: usize,
    },
    /// The host is stopping.
    #[error("this host is stopping")]
    Stopping,
}

impl HostError {
    /// The link that has what a refused one needs, where it is known.
    pub(crate) fn owner(&self) -> Option<&LinkKey> {
        match self {
            Self::Link {
                source: ProviderError::Conflict { owner, .. },
                ..
            } => owner.as_deref(),
            _ => None,
        }
    }
}
