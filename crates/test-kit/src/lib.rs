//! What tests share: guests compiled from this repository, a real `wash` process, compliance suites.

pub mod guests;
pub mod http;
pub mod keyvalue;
pub mod manifest;
pub mod ports;
pub mod process;
