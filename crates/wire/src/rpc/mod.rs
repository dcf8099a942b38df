//! stub
#![allow(missing_docs)]
pub mod header {
    pub const RPC: &str = "wasmcloud-rpc";
    pub const RPC_VERSION: &str = "1";
    pub const WINDOW: &str = "wasmcloud-window";
    pub const HOST: &str = "wasmcloud-host";
    pub const STATUS: &str = "wasmcloud-status";
    pub const STATUS_OK: &str = "ok";
    pub const STATUS_ERROR: &str = "error";
    pub const ERROR: &str = "wasmcloud-error";
    pub const MORE: &str = "wasmcloud-more";
    pub const DEADLINE_MS: &str = "wasmcloud-deadline-ms";
}
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct RpcErrorBody { pub code: RpcErrorCode, pub message: String, pub component: Option<String>, pub host: Option<String> }
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub enum RpcErrorCode { Trap, Deadline, Limit, Mismatch, Malformed, NotRunning, Full, Draining, Denied, TooDeep, Internal }
impl RpcErrorCode { pub fn is_refusal(&self) -> bool { matches!(self, Self::NotRunning|Self::Full|Self::Draining|Self::TooDeep) } }
impl RpcErrorBody {
    pub fn new(code: RpcErrorCode, message: impl Into<String>) -> Self { Self { code, message: message.into(), component: None, host: None } }
    pub fn to_header(&self) -> String { serde_json::to_string(self).unwrap_or_default() }
    pub fn from_header(text: &str) -> Self { serde_json::from_str(text).unwrap_or_else(|_| Self::new(RpcErrorCode::Internal, text)) }
}
