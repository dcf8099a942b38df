//! wasmtime's values as the codec sees them: looked at and made, never copied in between.

use wasmcloud_wire::value::{Decoder, Dynamic, Limits, NotAByte, Shape, View};
use wasmtime::component::Val;

use crate::error::CallError;
use crate::signature::Signature;

/// What the values of one message may take in memory. wasmtime holds each byte of a `list<u8>` as a value of 40 bytes,
/// and 16 MiB should travel.
const MAX_MEMORY: usize = 1 << 30;

/// Names wasmtime's values for the codec.
pub(crate) enum Vals {}

impl Dynamic for Vals {
    type Value = Val;

    fn view(value: &Val) -> View<'_, Val> {
        match value {
            Val::Bool(value) => View::Bool(*value),
            Val::U8(value) => View::U8(*value),
            Val::U16(value) => View::U16(*value),
            Val::U32(value) => View::U32(*value),
            Val::U64(value) => View::U64(*value),
            Val::S8(value) => View::S8(*value),
            Val::S16(value) => View::S16(*value),
            Val::S32(value) => View::S32(*value),
            Val::S64(value) => View::S64(*value),
            Val::Float32(value) => View::Float32(*value),
            Val::Float64(value) => View::Float64(*value),
            Val::Char(value) => View::Char(*value),
            Val::String(text) => View::String(text),
            Val::List(items) => View::List(items),
            Val::Record(fields) => View::Record(fields),
            Val::Tuple(items) => View::Tuple(items),
            Val::Variant(case, payload) => View::Variant(case, payload.as_deref()),
            Val::Enum(case) => View::Enum(case),
            Val::Option(some) => View::Option(some.as_deref()),
            Val::Result(Ok(ok)) => View::Result(Ok(ok.as_deref())),
            Val::Result(Err(err)) => View::Result(Err(err.as_deref())),
            Val::Flags(set) => View::Flags(set),
            _ => View::Foreign,
        }
    }

    fn make(shape: Shape<Val>) -> Val {
        match shape {
            Shape::Bool(value) => Val::Bool(value),
            Shape::U8(value) => Val::U8(value),
            Shape::U16(value) => Val::U16(value),
            Shape::U32(value) => Val::U32(value),
            Shape::U64(value) => Val::U64(value),
            Shape::S8(value) => Val::S8(value),
            Shape::S16(value) => Val::S16(value),
            Shape::S32(value) => Val::S32(value),
            Shape::S64(value) => Val::S64(value),
            Shape::Float32(value) => Val::Float32(value),
            Shape::Float64(value) => Val::Float64(value),
            Shape::Char(value) => Val::Char(value),
            Shape::String(text) => Val::String(text),
            Shape::List(items) => Val::List(items),
            Shape::Record(fields) => Val::Record(fields),
            Shape::Tuple(items) => Val::Tuple(items),
            Shape::Variant(case, payload) => Val::Variant(case, payload),
            Shape::Enum(case) => Val::Enum(case),
            Shape::Option(some) => Val::Option(some),
            Shape::Result(result) => Val::Result(result),
            Shape::Flags(set) => Val::Flags(set),
            // No signature has resources, so this is made of none; wasmtime refuses it where it is passed on.
            Shape::Resource(bytes) => Self::from_bytes(&bytes),
        }
    }

    fn append_bytes(list: &[Val], out: &mut Vec<u8>) -> Result<(), NotAByte> {
        out.reserve(list.len());
        for (at, item) in list.iter().enumerate() {
            match item {
                Val::U8(byte) => out.push(*byte),
                _ => return Err(NotAByte(at)),
            }
        }
        Ok(())
    }

    fn from_bytes(bytes: &[u8]) -> Val {
        Val::List(bytes.iter().copied().map(Val::U8).collect())
    }
}

/// What went wrong between values and bytes, before anybody says whose they are.
pub(crate) type Unfit = String;

/// The bytes of parameters.
pub(crate) fn encode_params(signature: &Signature, params: &[Val]) -> Result<Vec<u8>, Unfit> {
    let mut out = Vec::new();
    wasmcloud_wire::value::encode_params::<Vals>(&signature.params, params, &mut out)
        .map_err(|error| error.to_string())?;
    Ok(out)
}

/// The bytes of results.
pub(crate) fn encode_results(signature: &Signature, results: &[Val]) -> Result<Vec<u8>, Unfit> {
    let mut out = Vec::new();
    wasmcloud_wire::value::encode_results::<Vals>(&signature.results, results, &mut out)
        .map_err(|error| error.to_string())?;
    Ok(out)
}

/// Parameters from bytes, all of which belong to them.
pub(crate) fn decode_params(signature: &Signature, bytes: &[u8]) -> Result<Vec<Val>, Unfit> {
    decode("params", &signature.params, bytes)
}

/// Results from bytes, all of which belong to them.
pub(crate) fn decode_results(signature: &Signature, bytes: &[u8]) -> Result<Vec<Val>, Unfit> {
    decode("results", &signature.results, bytes)
}

fn decode(what: &str, types: &[wasmcloud_wire::value::Type], bytes: &[u8]) -> Result<Vec<Val>, Unfit> {
    let limits = Limits {
        memory: MAX_MEMORY,
        ..Limits::default()
    };
    let mut decoder = Decoder::with_limits(bytes, limits);
    let values = decoder
        .sequence::<Vals>(what, types)
        .map_err(|error| error.to_string())?;
    decoder.finish().map_err(|error| error.to_string())?;
    Ok(values)
}

/// An error of one side of a call that names it.
pub(crate) fn mismatch(component: &wasmcloud_core::ComponentId, reason: impl Into<String>) -> CallError {
    CallError::Mismatch {
        component: component.clone(),
        reason: reason.into(),
    }
}
