//! What most tests begin with: a lattice with a store, applications, and somebody who asks the API.

use std::sync::Arc;

use anyhow::{Context as _, Result, bail};
use tokio::sync::watch;
use tokio::time::Instant;
use wasmcloud_controller::api::{Api, Sources, Told};
use wasmcloud_controller::store::{Catalogue, Snapshot, Store};
use wasmcloud_core::AppName;
use wasmcloud_lattice::{
    Bucket, Connection, HeaderMap, Lattice, LatticeOptions, Message, NatsOptions, State,
};
use wasmcloud_test_lattice::{SOON, TestLattice, soon};
use wasmcloud_test_nats::NatsServer;
use wasmcloud_wire::Message as _;
use wasmcloud_wire::app::{AppRecord, app_bucket, app_key};
use wasmcloud_wire::message::chain;

pub(crate) use wasmcloud_test_lattice::{Target, for_all_servers};

/// The id of the host that leads.
pub(crate) const LEADER: &str = "NLEADER";

/// A lattice with a controller that answers and does nothing.
pub(crate) struct World {
    pub(crate) server: TestLattice,
    pub(crate) lattice: Lattice,
    pub(crate) store: Store,
    pub(crate) catalogue: Catalogue,
}

impl World {
    pub(crate) async fn new(target: Target) -> Result<Self> {
        let server = match target {
            Target::Embedded => TestLattice::embedded().await?,
            Target::Nats(version) => TestLattice::nats_with(NatsServer::version(version).jetstream()).await?,
        };
        let lattice = connect(&server).await?;
        let store = Store::open(&lattice).await?;
        let catalogue = Catalogue::open(&store).await?;
        Ok(Self {
            server,
            lattice,
            store,
            catalogue,
        })
    }

    /// The bucket beneath the store.
    pub(crate) async fn lattice_state(&self) -> Result<Box<dyn State>> {
        let bucket = Bucket::new(&app_bucket(&self.lattice.name))?;
        Ok(self.lattice.open_state(bucket).await?)
    }

    /// Writes a record beside the store.
    pub(crate) async fn write(&self, app: &str, record: &AppRecord) -> Result<()> {
        let state = self.lattice_state().await?;
        state.put(&app_key(&name(app)), record.encode().into()).await?;
        Ok(())
    }

    /// Puts an application and answers its version.
    pub(crate) async fn put(&self, text: &str) -> Result<String> {
        Ok(self.store.put(text, None).await?.version)
    }

    /// Deploys the newest version and waits until the catalogue knows. Answers the generation.
    pub(crate) async fn deploy(&self, app: &str) -> Result<u64> {
        let others = self.snapshot();
        let deployed = self.store.deploy(&name(app), None, &others).await?;
        self.known(app, deployed.generation).await?;
        Ok(deployed.generation)
    }

    /// Waits until the catalogue knows a generation of an application.
    pub(crate) async fn known(&self, app: &str, generation: u64) -> Result<Arc<Snapshot>> {
        let app = name(app);
        self.until("generation in the catalogue", |snapshot| {
            snapshot
                .records
                .get(&app)
                .is_some_and(|record| record.generation >= generation)
        })
        .await
    }

    pub(crate) async fn until(
        &self,
        what: &str,
        mut is: impl FnMut(&Snapshot) -> bool,
    ) -> Result<Arc<Snapshot>> {
        let mut snapshots = self.catalogue.snapshots();
        let found = soon(what, snapshots.wait_for(|snapshot| is(snapshot))).await?;
        let found = Arc::clone(&*found.context("the catalogue has ended")?);
        Ok(found)
    }

    pub(crate) fn snapshot(&self) -> Arc<Snapshot> {
        Arc::clone(&self.catalogue.snapshots().borrow())
    }

    /// Answers questions, with what the leader says.
    pub(crate) async fn serve(&self) -> Result<Served> {
        let (told, plans) = watch::channel(None);
        let sources = Sources {
            store: self.store.clone(),
            snapshots: self.catalogue.snapshots(),
            told: plans,
        };
        let control = self.lattice.control.clone();
        let api = Api::serve(control, &self.lattice.name, LEADER.parse()?, sources).await?;
        Ok(Served {
            _api: api,
            told,
            asker: Asker {
                connection: self.server.connect().await?,
            },
        })
    }
}

/// An API that answers until this is dropped.
pub(crate) struct Served {
    _api: Api,
    pub(crate) told: watch::Sender<Option<Arc<Told>>>,
    pub(crate) asker: Asker,
}

impl Served {
    /// Asks and answers the reply as text.
    pub(crate) async fn ask(&self, operation: &str, payload: &str) -> Result<String> {
        self.asker.text(operation, payload).await
    }
}

/// Somebody who asks.
pub(crate) struct Asker {
    pub(crate) connection: Connection,
}

impl Asker {
    pub(crate) async fn message(
        &self,
        subject: &str,
        headers: Option<HeaderMap>,
        payload: impl Into<Vec<u8>>,
    ) -> Result<Message> {
        let payload: Vec<u8> = payload.into();
        let deadline = Instant::now() + SOON;
        Ok(self
            .connection
            .request(subject, headers, payload.into(), deadline)
            .await?)
    }

    /// `deploy.shop` and a payload; the reply as text.
    pub(crate) async fn text(&self, operation: &str, payload: &str) -> Result<String> {
        let subject = format!("wadm.api.default.model.{operation}");
        let reply = self.message(&subject, None, payload).await?;
        Ok(String::from_utf8(reply.payload.to_vec())?)
    }
}

/// A connection of its own, as each host has one.
pub(crate) async fn connect(server: &TestLattice) -> Result<Lattice> {
    let mut nats = NatsOptions::new(server.url())?;
    // Shorter than any wait of a test: a server that was just restarted may not answer the first request.
    nats.request_timeout = SOON / 6;
    nats.connect_deadline = SOON;
    Ok(Lattice::connect(&LatticeOptions::new(server.name(), nats)).await?)
}

pub(crate) fn name(app: &str) -> AppName {
    app.parse().unwrap()
}

/// A manifest with one component; `version` and what else is in its annotations, `more` in the component's properties.
pub(crate) fn manifest(app: &str, version: &str, image: &str) -> String {
    with(
        app,
        &format!("version: \"{version}\""),
        &format!("image: {image}"),
    )
}

pub(crate) fn with(app: &str, annotations: &str, properties: &str) -> String {
    format!(
        "apiVersion: core.oam.dev/v1beta1\nkind: Application\nmetadata:\n  name: {app}\n  annotations: {{ {annotations} }}\n\
         spec:\n  components:\n  - name: cart\n    type: component\n    properties: {{ {properties} }}\n    traits:\n    - type: spreadscaler\n      properties: {{ instances: 1 }}\n"
    )
}

/// What is said of something that does not work, as people see it.
pub(crate) fn refused<T: std::fmt::Debug>(
    done: Result<T, wasmcloud_controller::store::StoreError>,
) -> Result<String> {
    match done {
        Err(error) => Ok(chain(&error)),
        Ok(done) => bail!("it was done: {done:?}"),
    }
}
