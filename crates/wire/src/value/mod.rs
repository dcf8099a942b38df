//! The value codec of wRPC 0.0.1: values of component-model types as bytes (wire reference §4.3).
//!
//! | type | bytes |
//! |---|---|
//! | `bool`, `u8`, `s8` | one |
//! | `u16` … `u64`, `s16` … `s64` | LEB128, unsigned or signed |
//! | `f32`, `f64` | little-endian |
//! | `char` | its UTF-8, one to four bytes |
//! | `string`, `list` | the number of bytes or items as LEB128 `u32`, then those |
//! | `record`, `tuple` | the members, one behind the other |
//! | `variant`, `enum` | the number of the case as LEB128 `u32`, then its payload |
//! | `option`, `result` | 0 for none or ok, 1 for some or err, then the payload |
//! | `flags` | one bit for each, little-endian, in ⌈n/8⌉ bytes |
//! | a resource | what its owner calls it, as `list<u8>` |
//!
//! Parameters of a function stand one behind the other like the members of a tuple; so do results. [`encode`],
//! [`encode_params`] and [`Decoder`] are all there is to it. They work on any tree of values for which there is a
//! [`Dynamic`]: on [`Value`], which lives here, and on what a WebAssembly runtime has for values, without a copy in
//! between. [`wave`] is how people write values.
//!
//! Streams and futures have no bytes of their own: they travel on subjects beside the values. The interfaces that
//! have them are in [`rpc`](crate::rpc), written by hand on the primitives of [`Decoder`] and [`put`]; inside a
//! dynamic value they are an error.
//!
//! Bytes come from anybody. How much a message may become in memory is counted while it is read, see [`Limits`], and
//! an error says where in the value it is: `params.0.tags[3]: …`.

mod decode;
mod dynamic;
mod encode;
mod error;
mod leb128;
pub mod put;
#[cfg(test)]
mod tests;
mod types;
pub mod wave;

pub use decode::{Decoder, Limits};
pub(crate) use decode::{invalid, no_case};
pub use dynamic::{Dynamic, NotAByte, Shape, Value, View};
pub use encode::{encode, encode_params, encode_results};
pub use error::{DecodeError, EncodeError, Malformed};
pub use types::{Case, Field, Type};

/// How deep types may be nested in what is read and written. No component has deeper ones: this is the limit of
/// wasmparser too, with which wasmtime checks a component (`MAX_WASM_COMPONENT_TYPE_DEPTH`).
pub const MAX_DEPTH: usize = 100;
