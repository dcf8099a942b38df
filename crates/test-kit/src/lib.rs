//! What tests share: guests compiled from this repository, a real `wash` process, compliance suites.

pub mod keyvalue;
