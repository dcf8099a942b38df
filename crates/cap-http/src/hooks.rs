//! What `wasi:http` asks its embedder: which headers are off limits, how much is buffered, how requests go out.

use std::sync::Arc;
use std::time::Instant;

use http::Request;
use http::header::HeaderName;
use wasmcloud_capability::{ComponentContext, InstanceState};
use wasmtime_wasi_http::{
    Error, ForbiddenHeaderFilter, RequestOptions, WasiBody, WasiHttpCtx, WasiHttpHooks,
};

use crate::egress::{self, Outgoing};
use crate::headers::is_forbidden;
use crate::trace;

/// Largest headers of one message that a guest can build, in bytes of host memory. wasmtime's default.
const MAX_FIELDS: usize = 128 << 10;

/// Of a response body, at most this much waits in the host for the client to read: 16 writes of 64 KiB. More than one
/// write, so that a guest that writes a short answer and returns never has to be resumed.
const BODY_CHUNKS: usize = 16;
const BODY_CHUNK: usize = 64 << 10;

/// The `wasi:http` state of one instance.
pub(crate) struct HttpSlot {
    pub(crate) ctx: WasiHttpCtx,
    pub(crate) hooks: Hooks,
}

impl HttpSlot {
    pub(crate) fn new(component: &Arc<ComponentContext>) -> Self {
        let mut ctx = WasiHttpCtx::new();
        ctx.set_field_size_limit(MAX_FIELDS);
        let component = Arc::clone(component);
        Self {
            ctx,
            hooks: Hooks {
                component,
                deadline: None,
                depth: 0,
                link: None,
                alive: Arc::new(()),
            },
        }
    }
}

pub(crate) struct Hooks {
    component: Arc<ComponentContext>,
    deadline: Option<Instant>,
    depth: u16,
    link: Option<String>,
    /// Goes with the store, so that a request body which ends because of that can be told from one that is complete.
    alive: Arc<()>,
}

impl Hooks {
    /// Notes what a request that goes out now needs of the invocation.
    pub(crate) fn refresh(&mut self, deadline: Instant, depth: u16, link: &str) {
        self.deadline = Some(deadline);
        self.depth = depth;
        if self.link.as_deref() != Some(link) {
            self.link = Some(link.to_owned());
        }
    }
}

/// The state's invocation as the hooks want it, without borrowing the state twice.
pub(crate) fn outgoing_context(state: &InstanceState) -> (Instant, u16, String) {
    let invocation = state.invocation();
    // A guest chooses by the name of the interface that it imports, and imports one of the two.
    let link = match invocation.link_name(egress::INTERFACE) {
        "default" => invocation.link_name(egress::INTERFACE_P3),
        chosen => chosen,
    };
    let depth = invocation.depth.saturating_add(1);
    (invocation.deadline, depth, link.to_owned())
}

type Sent = Result<
    (
        http::Response<WasiBody>,
        Box<dyn Future<Output = Result<(), Error>> + Send>,
    ),
    Error,
>;

impl WasiHttpHooks for Hooks {
    fn is_forbidden_header(&mut self, name: &HeaderName) -> bool {
        is_forbidden(name)
    }

    fn forbidden_header_filter(&mut self) -> ForbiddenHeaderFilter {
        Arc::new(is_forbidden)
    }

    fn p2_outgoing_body_buffer_chunks(&mut self) -> usize {
        BODY_CHUNKS
    }

    fn p2_outgoing_body_chunk_size(&mut self) -> usize {
        BODY_CHUNK
    }

    fn p3_outgoing_body_chunk_size(&mut self) -> usize {
        BODY_CHUNK
    }

    fn send_request(
        &mut self,
        mut request: Request<WasiBody>,
        options: Option<RequestOptions>,
        _processed: Box<dyn Future<Output = Result<(), Error>> + Send>,
    ) -> Box<dyn Future<Output = Sent> + Send> {
        // Here and not in the future: this runs inside the guest's call.
        trace::propagate(request.headers_mut());
        let outgoing = Outgoing {
            component: Arc::clone(&self.component),
            link: self.link.clone().unwrap_or_else(|| "default".to_owned()),
            deadline: self.deadline,
            depth: self.depth,
            options: options.unwrap_or_default(),
            guest: Arc::downgrade(&self.alive),
        };
        Box::new(async move {
            let response = egress::send(outgoing, request).await?;
            let done: Box<dyn Future<Output = Result<(), Error>> + Send> = Box::new(async { Ok(()) });
            Ok((response, done))
        })
    }
}
