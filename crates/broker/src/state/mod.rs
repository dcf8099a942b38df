//! Stub.
use std::path::PathBuf;
use std::sync::Arc;
use crate::config::StateLimits;
use crate::protocol::Publish;
use crate::router::Router;
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Taken { No, Yes, Refused }
#[derive(Debug, thiserror::Error)]
#[error("x")]
pub struct StateError;
#[derive(Debug)]
pub(crate) struct State;
impl State {
    pub(crate) async fn open(_: PathBuf, _: StateLimits, _: Arc<Router>) -> Result<Self, StateError> { Ok(Self) }
    pub(crate) fn offer(&self, _: &Publish) -> Taken { let _ = Taken::Yes; let _ = Taken::Refused; Taken::No }
    pub(crate) async fn close(&self) {}
    pub(crate) fn abandon(&self) {}
}
