//! Streams of the host that a component passes on to another.

use std::sync::Arc;

use wasmcloud_capability::{Caller, Capability, InstanceState, Invocation, LinkTable};
use wasmcloud_core::Limits;
use wasmcloud_engine::{CallError, EngineConfig, Prepared, call_export};
use wasmtime::StoreContextMut;
use wasmtime::component::{Linker, Resource};
use wasmtime_wasi::p2::pipe::{MemoryInputPipe, MemoryOutputPipe};
use wasmtime_wasi::p2::{DynInputStream, DynOutputStream};

use crate::support::{Bench, links, target};

/// Offers streams to a guest: some that have a text, and one that keeps what is written.
#[derive(Clone)]
struct Source(MemoryOutputPipe);

impl Capability for Source {
    fn link(&self, linker: &mut Linker<InstanceState>) -> wasmtime::Result<()> {
        let mut instance = linker.instance("test:resources/source@0.1.0")?;
        instance.func_wrap(
            "open",
            |mut store: StoreContextMut<'_, InstanceState>, (text,): (String,)| {
                let stream: DynInputStream = Box::new(MemoryInputPipe::new(text));
                let stream: Resource<DynInputStream> = store.data_mut().table.push(stream)?;
                Ok((stream,))
            },
        )?;
        let sink = self.0.clone();
        instance.func_wrap(
            "sink",
            move |mut store: StoreContextMut<'_, InstanceState>, (): ()| {
                let stream: DynOutputStream = Box::new(sink.clone());
                let stream: Resource<DynOutputStream> = store.data_mut().table.push(stream)?;
                Ok((stream,))
            },
        )
    }

    fn interfaces(&self) -> &'static [&'static str] {
        &["test:resources/source@0.1.0"]
    }
}

/// A component that passes streams on to another, that one, and what was written to the sink.
async fn piper() -> (Arc<Prepared>, Arc<Prepared>, MemoryOutputPipe) {
    let sink = MemoryOutputPipe::new(1 << 10);
    let source: Arc<dyn Capability> = Arc::new(Source(sink.clone()));
    let bench = Bench::offering(EngineConfig::default(), vec![source]);
    let place = target("keeper");
    let keeper = bench.start_guest("keeper", Limits::default(), LinkTable::default());
    let keeper = keeper.await;
    place.set(Arc::clone(&keeper));
    let links = links(&[(&place, "test:resources/pipes")]);
    let piper = bench.start_guest("piper", Limits::default(), links).await;
    (piper, keeper, sink)
}

async fn drive(piper: &Arc<Prepared>, function: &str) -> Result<(), CallError> {
    let invocation = Invocation::new(Caller::Host, piper.limits().deadline);
    let driver = "test:resources/pipe-driver@0.1.0";
    call_export(piper, invocation, driver, function, &[], &mut []).await
}

#[tokio::test]
async fn a_stream_moves_and_the_other_goes_on_where_one_was() {
    let (piper, keeper, sink) = piper().await;
    assert_eq!(drive(&piper, "run-pipes").await, Ok(()));
    assert_eq!(sink.contents(), "one, two, three, four");
    assert_eq!(keeper.in_use(), (0, 0));
    assert_eq!(keeper.stats().snapshot().invocations, 6);
}

#[tokio::test]
async fn a_stream_that_cannot_move_is_refused_with_the_reason() {
    let (piper, keeper, _) = piper().await;
    for (function, reason) in [
        (
            "run-peek",
            "`peek` of `test:resources/pipes@0.1.0`: it lends an `input-stream`, and only one that is given away can go \
             to another component",
        ),
        (
            "run-polled",
            "it passes a stream on of which it still has a pollable; hint: drop the pollable first",
        ),
    ] {
        let error = drive(&piper, function).await.unwrap_err().to_string();
        assert!(error.contains(reason), "{error}");
    }
    assert_eq!(keeper.stats().snapshot().invocations, 0);
    assert_eq!(keeper.in_use(), (0, 0));
}
