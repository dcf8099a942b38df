//! Writers of the parts that values are made of, for the codecs of interfaces that are known here.
//!
//! Each appends to the bytes it is given. Nothing fails: a length above `u32::MAX`, which no reader accepts, is
//! written as it is, and no connection carries that much in one value.

use super::leb128;

/// `bool`
pub fn bool(value: bool, out: &mut Vec<u8>) {
    out.push(value.into());
}

/// `u16`, `u32` or `u64`.
pub fn unsigned(value: impl Into<u64>, out: &mut Vec<u8>) {
    leb128::put_unsigned(value.into(), out);
}

/// `s16`, `s32` or `s64`.
pub fn signed(value: impl Into<i64>, out: &mut Vec<u8>) {
    leb128::put_signed(value.into(), out);
}

/// The number of items of a list; the items follow.
pub fn len(len: usize, out: &mut Vec<u8>) {
    leb128::put_unsigned(len as u64, out);
}

/// `string`
pub fn string(text: &str, out: &mut Vec<u8>) {
    bytes(text.as_bytes(), out);
}

/// `list<u8>`
pub fn bytes(bytes: &[u8], out: &mut Vec<u8>) {
    len(bytes.len(), out);
    out.extend_from_slice(bytes);
}

/// `char`
pub fn char(value: char, out: &mut Vec<u8>) {
    out.extend_from_slice(value.encode_utf8(&mut [0; 4]).as_bytes());
}

/// `list<…>`
pub fn list<T>(items: &[T], out: &mut Vec<u8>, mut item: impl FnMut(&T, &mut Vec<u8>)) {
    len(items.len(), out);
    for each in items {
        item(each, out);
    }
}

/// `option<…>`
pub fn option<T>(value: Option<T>, out: &mut Vec<u8>, some: impl FnOnce(T, &mut Vec<u8>)) {
    match value {
        None => out.push(0),
        Some(value) => {
            out.push(1);
            some(value, out);
        }
    }
}

/// `result<…>`
pub fn result<T, E>(
    value: Result<T, E>,
    out: &mut Vec<u8>,
    ok: impl FnOnce(T, &mut Vec<u8>),
    err: impl FnOnce(E, &mut Vec<u8>),
) {
    match value {
        Ok(value) => {
            out.push(0);
            ok(value, out);
        }
        Err(value) => {
            out.push(1);
            err(value, out);
        }
    }
}
