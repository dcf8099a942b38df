//! Components in the text format and the few lines that bring them to life.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use wasmcloud_capability::{
    Caller, Capability, ComponentContext, Endpoint, Handle, InstanceState, Invocation, LinkEntry, LinkTable,
};
use wasmcloud_core::{ComponentId, Limits, LinkName, Route};
use wasmcloud_engine::{
    CallError, CallRoute, CompileError, CompileSource, Compiled, Engine, EngineConfig, Linkers,
    PrepareOptions, Prepared, Remote, RemoteCall, Routed, StartError, Target, Unrouted, call_export,
    link_dynamic_import,
};
use wasmcloud_test_kit::guests::guest;
use wasmtime::component::Val;

/// A component that exports `test:unit/ops@1.0.0`:
/// `count` counts its calls, `spin` never ends, `trap` traps, `grow` asks for that many pages.
pub(crate) const OPS: &str = r#"
(component
  (core module $m
    (memory (export "memory") 1)
    (global $n (mut i32) (i32.const 0))
    (func (export "count") (result i32)
      (global.set $n (i32.add (global.get $n) (i32.const 1)))
      (global.get $n))
    (func $spin (export "spin") (loop $l (br $l)))
    (func $deep (unreachable))
    (func (export "trap") (call $deep))
    (func (export "grow") (param i32) (result i32) (memory.grow (local.get 0))))
  (core instance $i (instantiate $m))
  (func $count (result u32) (canon lift (core func $i "count")))
  (func $spin (canon lift (core func $i "spin")))
  (func $trap (canon lift (core func $i "trap")))
  (func $grow (param "pages" u32) (result u32) (canon lift (core func $i "grow")))
  (instance $ops
    (export "count" (func $count)) (export "spin" (func $spin))
    (export "trap" (func $trap)) (export "grow" (func $grow)))
  (export "test:unit/ops@1.0.0" (instance $ops)))
"#;

/// A component that imports `test:unit/ops@1.0.0` and exports `test:unit/front@1.0.0`, whose functions call it.
pub(crate) const FRONT: &str = r#"
(component
  (import "test:unit/ops@1.0.0" (instance $ops
    (export "count" (func (result u32)))
    (export "spin" (func))
    (export "trap" (func))))
  (core func $count (canon lower (func $ops "count")))
  (core func $spin (canon lower (func $ops "spin")))
  (core func $trap (canon lower (func $ops "trap")))
  (core module $m
    (import "ops" "count" (func $count (result i32)))
    (import "ops" "spin" (func $spin))
    (import "ops" "trap" (func $trap))
    (func (export "count") (result i32) (call $count))
    (func (export "spin") (call $spin))
    (func (export "trap") (call $trap)))
  (core instance $i (instantiate $m (with "ops" (instance
    (export "count" (func $count)) (export "spin" (func $spin)) (export "trap" (func $trap))))))
  (func $fcount (result u32) (canon lift (core func $i "count")))
  (func $fspin (canon lift (core func $i "spin")))
  (func $ftrap (canon lift (core func $i "trap")))
  (instance $front
    (export "count" (func $fcount)) (export "spin" (func $fspin)) (export "trap" (func $ftrap)))
  (export "test:unit/front@1.0.0" (instance $front)))
"#;

pub(crate) const OPS_NAME: &str = "test:unit/ops@1.0.0";
pub(crate) const FRONT_NAME: &str = "test:unit/front@1.0.0";

pub(crate) struct Bench {
    pub(crate) engine: Engine,
    pub(crate) linkers: Linkers,
    /// Who takes calls elsewhere that find no slot.
    pub(crate) elsewhere: Option<Arc<dyn RemoteCall>>,
}

impl Bench {
    pub(crate) fn new() -> Self {
        Self::with(EngineConfig {
            max_instances: 50,
            ..EngineConfig::default()
        })
    }

    pub(crate) fn with(config: EngineConfig) -> Self {
        Self::offering(config, Vec::new())
    }

    pub(crate) fn offering(config: EngineConfig, capabilities: Vec<Arc<dyn Capability>>) -> Self {
        let engine = Engine::new(config).unwrap();
        Self {
            linkers: Linkers::new(engine.clone(), capabilities),
            engine,
            elsewhere: None,
        }
    }

    pub(crate) async fn compile(&self, bytes: impl Into<Bytes>) -> Result<Compiled, CompileError> {
        self.engine
            .compile(CompileSource {
                name: "test".into(),
                bytes: bytes.into(),
            })
            .await
    }

    /// Compiles and starts a component that needs nobody.
    pub(crate) async fn start(&self, wat: &str, limits: Limits) -> Result<Arc<Prepared>, StartError> {
        self.start_linked("unit", wat, limits, LinkTable::default()).await
    }

    pub(crate) async fn start_linked(
        &self,
        id: &str,
        wat: &str,
        limits: Limits,
        links: LinkTable,
    ) -> Result<Arc<Prepared>, StartError> {
        let compiled = self.compile(wat::parse_str(wat).unwrap()).await.unwrap();
        self.start_compiled(id, compiled, limits, links).await
    }

    /// Starts a component of tests/guests under its own name.
    pub(crate) async fn start_guest(&self, name: &str, limits: Limits, links: LinkTable) -> Arc<Prepared> {
        let bytes = std::fs::read(guest(name).unwrap()).unwrap();
        let compiled = self.compile(bytes).await.unwrap();
        self.start_compiled(name, compiled, limits, links).await.unwrap()
    }

    async fn start_compiled(
        &self,
        id: &str,
        compiled: Compiled,
        limits: Limits,
        links: LinkTable,
    ) -> Result<Arc<Prepared>, StartError> {
        let (custom, problems) = self
            .linkers
            .check(&compiled, |interface| links.has_interface(interface));
        if !problems.is_empty() {
            return Err(StartError::Imports(problems));
        }
        let mut linker = self.linkers.for_component(&compiled).unwrap();
        let route: Arc<dyn CallRoute> = Arc::new(ToTarget(self.elsewhere.clone()));
        for import in custom {
            link_dynamic_import(&mut linker, &compiled, &import, &route).unwrap();
        }
        let context = ComponentContext::new(id.parse().unwrap());
        context.set_links(links);
        let (stats, resolvers) = (Arc::default(), &[]);
        Prepared::start(PrepareOptions {
            compiled,
            linker: &linker,
            context,
            limits,
            stats,
            resolvers,
            admit: None,
        })
        .await
    }
}

/// Routes to the `Target` in the caller's link table, as the host does.
struct ToTarget(Option<Arc<dyn RemoteCall>>);

impl CallRoute for ToTarget {
    fn route(
        &self,
        caller: &InstanceState,
        interface: &str,
        serves: &dyn Fn(&Prepared) -> bool,
    ) -> Result<Routed, Unrouted> {
        let link = caller.link(interface).unwrap();
        let Endpoint::Component(handle) = &link.endpoint else {
            panic!("no link")
        };
        let target = Handle::downcast::<Target>(Arc::clone(handle)).ok().unwrap();
        let local = target.choose(serves)?;
        Ok(match link.route {
            Route::Auto => Routed::Overflow { local, link },
            _ => Routed::Local(local),
        })
    }

    fn elsewhere(&self, link: Arc<LinkEntry>) -> Option<Remote> {
        let by = self.0.clone()?;
        Some(Remote { by, link })
    }
}

pub(crate) fn link_to(target: &Arc<Target>) -> LinkTable {
    links(&[(target, "test:unit/ops")])
}

/// Links by which these interfaces are answered.
pub(crate) fn links(to: &[(&Arc<Target>, &str)]) -> LinkTable {
    let link = |(target, interface): &(&Arc<Target>, &str)| LinkEntry {
        interfaces: [(*interface).into()].into(),
        selected: LinkName::default_name(),
        name: LinkName::default_name(),
        target: target.id().clone(),
        route: Route::Auto,
        endpoint: Endpoint::Component(Arc::clone(target) as Handle),
        elsewhere: None,
    };
    LinkTable::new(to.iter().map(link).collect())
}

pub(crate) fn target(id: &str) -> Arc<Target> {
    Target::new(id.parse::<ComponentId>().unwrap(), "it was not started")
}

pub(crate) async fn call(
    prepared: &Arc<Prepared>,
    interface: &str,
    function: &str,
    params: &[Val],
) -> Result<Option<u32>, CallError> {
    let invocation = Invocation::new(Caller::Host, prepared.limits().deadline);
    let returns = matches!(function, "count" | "grow");
    let mut results = vec![Val::Bool(false); usize::from(returns)];
    call_export(prepared, invocation, interface, function, params, &mut results).await?;
    Ok(results.first().map(|value| match value {
        Val::U32(value) => *value,
        other => panic!("{other:?}"),
    }))
}

pub(crate) fn limits(deadline: Duration) -> Limits {
    Limits {
        deadline,
        ..Limits::default()
    }
}
