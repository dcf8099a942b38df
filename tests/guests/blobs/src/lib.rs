//! The component that uses a blob store, and says what it did not like.

mod everything;

use exports::test::blobs::driver::Guest;
use wasi::blobstore::blobstore;
use wasi::blobstore::container::Container;
use wasi::blobstore::types::{IncomingValue, OutgoingValue};
use wasi::io::streams::{InputStream, OutputStream, StreamError};

wit_bindgen::generate!({ path: "../wit", world: "blobs", generate_all });

/// Bytes that are written or read at once.
const CHUNK: usize = 64 << 10;

struct Blobs;

impl Guest for Blobs {
    fn everything(container: String) -> Result<(), String> {
        everything::everything(&container)
    }

    fn large(container: String, object: String, size: u64) -> Result<(), String> {
        let container = open(&container)?;
        let value = OutgoingValue::new_outgoing_value();
        container.write_data(&object, &value)?;
        let body = body(&value)?;
        let mut written = 0;
        while written < size {
            let chunk = pattern(written, size);
            write(&body, &chunk)?;
            written += chunk.len() as u64;
        }
        drop(body);
        OutgoingValue::finish(value)?;
        let value = container.get_data(&object, 0, u64::MAX)?;
        expect("size", value.size(), size)?;
        let stream = IncomingValue::incoming_value_consume_async(value)?;
        let mut came = 0;
        while let Some(bytes) = read(&stream)? {
            let mut rest = &*bytes;
            while !rest.is_empty() {
                let expected = pattern(came, size);
                let (now, behind) = rest.split_at(rest.len().min(expected.len()));
                if now != &expected[..now.len()] {
                    return Err(format!("other bytes come back from byte {came} on"));
                }
                came += now.len() as u64;
                rest = behind;
            }
        }
        expect("bytes that come back", came, size)
    }

    fn put(container: String, object: String, data: Vec<u8>) -> Result<(), String> {
        put(&open(&container)?, &object, &data)
    }

    fn get(container: String, object: String, start: u64, end: u64) -> Result<Vec<u8>, String> {
        let value = open(&container)?.get_data(&object, start, end)?;
        IncomingValue::incoming_value_consume_sync(value)
    }

    fn leave(container: String, object: String, data: Vec<u8>) -> Result<(), String> {
        let value = OutgoingValue::new_outgoing_value();
        open(&container)?.write_data(&object, &value)?;
        let body = body(&value)?;
        write(&body, &data)?;
        drop(body);
        Ok(())
    }

    fn homeless(size: u64) -> Result<(), String> {
        let value = OutgoingValue::new_outgoing_value();
        let body = body(&value)?;
        for _ in 0..size.div_ceil(CHUNK as u64) {
            write(&body, &[7; CHUNK])?;
        }
        drop(body);
        Ok(())
    }

    fn hoard(container: String, count: u32) -> Result<(), String> {
        let container = open(&container)?;
        let mut values = Vec::new();
        for number in 0..count {
            let value = OutgoingValue::new_outgoing_value();
            container.write_data(&format!("hoard/{number}"), &value)?;
            values.push(value);
        }
        Ok(())
    }
}

export!(Blobs);

/// The bytes of a large object from one on, up to the end of a block that is no multiple of anybody's chunks.
fn pattern(at: u64, size: u64) -> Vec<u8> {
    const BLOCK: u64 = 50_021;
    let (block, from) = (at / BLOCK, at % BLOCK);
    let end = (block * BLOCK + BLOCK).min(size);
    let len = end.saturating_sub(at);
    (from..from + len)
        .map(|place| (block.wrapping_mul(31) + place) as u8)
        .collect()
}

fn open(container: &str) -> Result<Container, String> {
    match blobstore::container_exists(container)? {
        true => blobstore::get_container(container),
        false => blobstore::create_container(container),
    }
}

fn put(container: &Container, object: &str, data: &[u8]) -> Result<(), String> {
    let value = OutgoingValue::new_outgoing_value();
    container.write_data(object, &value)?;
    let body = body(&value)?;
    write(&body, data)?;
    drop(body);
    OutgoingValue::finish(value)
}

fn body(value: &OutgoingValue) -> Result<OutputStream, String> {
    let body = value.outgoing_value_write_body();
    body.map_err(|()| "there is no stream to write".to_owned())
}

/// Writes as fast as the host allows.
fn write(body: &OutputStream, mut data: &[u8]) -> Result<(), String> {
    let ready = body.subscribe();
    while !data.is_empty() {
        ready.block();
        let room = body.check_write().map_err(told)?;
        let (now, rest) = data.split_at(data.len().min(room as usize));
        body.write(now).map_err(told)?;
        data = rest;
    }
    Ok(())
}

fn read(stream: &InputStream) -> Result<Option<Vec<u8>>, String> {
    match stream.blocking_read(CHUNK as u64) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(StreamError::Closed) => Ok(None),
        Err(error) => Err(told(error)),
    }
}

fn told(error: StreamError) -> String {
    match error {
        StreamError::LastOperationFailed(error) => error.to_debug_string(),
        StreamError::Closed => "the stream is closed".to_owned(),
    }
}

fn expect<T: PartialEq + std::fmt::Debug>(what: &str, found: T, expected: T) -> Result<(), String> {
    match found == expected {
        true => Ok(()),
        false => Err(format!("{what}: {found:?} and not {expected:?}")),
    }
}
