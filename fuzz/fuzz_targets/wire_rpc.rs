//! Calls: the first line is a subject, a path behind an inbox and the header of a failure in one; the rest is read as
//! parameters and results of every interface that is known, and as streams.

#![no_main]

use std::fmt::Debug;

use libfuzzer_sys::fuzz_target;
use wasmcloud_wire::rpc::blobstore::{
    CopyObject, DeleteObjects, GetContainerData, GetObjectInfo, ListContainerObjects, Outcome, V01,
    WriteContainerData,
};
use wasmcloud_wire::rpc::http::{IncomingHandle, OutgoingHandle, Trailers};
use wasmcloud_wire::rpc::keyvalue::{
    DeleteMany, Exists, Get, GetMany, Increment, ListKeys, OnDelete, OnSet, Set, SetMany,
};
use wasmcloud_wire::rpc::messaging::{HandleMessage, Publish, Request};
use wasmcloud_wire::rpc::stream::{ByteStream, ItemStream};
use wasmcloud_wire::rpc::{Call, InboxPath, InvocationSubject, Payload, RpcErrorBody, Terms, header};

fuzz_target!(|input: &[u8]| {
    let mut parts = input.splitn(2, |byte| *byte == b'\n');
    let line = parts.next().unwrap_or_default();
    let payload = parts.next().unwrap_or_default();
    if let Ok(line) = std::str::from_utf8(line) {
        names(line);
    }
    both::<IncomingHandle>(payload);
    both::<OutgoingHandle>(payload);
    both::<Get>(payload);
    both::<Set>(payload);
    both::<Exists>(payload);
    both::<ListKeys>(payload);
    both::<Increment>(payload);
    both::<GetMany>(payload);
    both::<SetMany>(payload);
    both::<DeleteMany>(payload);
    both::<OnSet>(payload);
    both::<OnDelete>(payload);
    both::<ListContainerObjects>(payload);
    both::<GetContainerData>(payload);
    both::<GetObjectInfo>(payload);
    both::<CopyObject>(payload);
    both::<DeleteObjects>(payload);
    both::<WriteContainerData>(payload);
    both::<V01<ListContainerObjects>>(payload);
    both::<V01<GetContainerData>>(payload);
    both::<V01<WriteContainerData>>(payload);
    both::<HandleMessage>(payload);
    both::<Publish>(payload);
    both::<Request>(payload);
    again::<Trailers>(payload);
    again::<Outcome>(payload);
    streams(payload);
});

fn names(line: &str) {
    if let Ok(subject) = line.parse::<InvocationSubject>() {
        assert_eq!(subject.to_string(), line);
    }
    if let Ok(path) = line.parse::<InboxPath>() {
        assert_eq!(path.to_string(), line);
    }
    let failure = RpcErrorBody::from_header(line);
    let header = failure.to_header();
    assert!(header.bytes().all(|byte| (b' '..=b'~').contains(&byte)));
    assert_eq!(RpcErrorBody::from_header(&header), failure);
    let _ = header::status(line);
    if let Ok(terms) = Terms::read(line) {
        if let Some(behind) = terms.behind() {
            let reply = format!("_INBOX.a.1{behind}");
            let (inbox, said) = Terms::beside(&reply);
            assert_eq!(
                (inbox, said.map(Terms::read)),
                ("_INBOX.a.1", Some(Ok(terms.clone())))
            );
        }
        assert_eq!(Terms::read(&terms.to_string()), Ok(terms));
    }
}

/// A stream is the same whether it comes in one message or byte by byte.
fn streams(payload: &[u8]) {
    let read = |size: usize| {
        let (mut stream, mut pieces) = (ByteStream::default(), Vec::new());
        for mut message in payload.chunks(size) {
            while let Ok(Some(piece)) = stream.next(&mut message) {
                if let wasmcloud_wire::rpc::stream::Piece::Data(data) = piece {
                    pieces.extend_from_slice(data);
                }
            }
            if stream.is_ended() {
                break;
            }
        }
        (pieces, stream.is_ended())
    };
    let whole = read(payload.len().max(1));
    assert_eq!(read(1), whole);
    assert_eq!(read(3), whole);
    let mut items = ItemStream::new(1 << 10);
    for message in payload.chunks(5) {
        if items.push::<String>(message).is_err() {
            break;
        }
    }
}

fn both<T: Call<Result: PartialEq + Debug> + PartialEq + Debug>(payload: &[u8]) {
    again::<T>(payload);
    again::<T::Result>(payload);
}

fn again<T: Payload + PartialEq + Debug>(payload: &[u8]) {
    if let Ok(value) = T::from_bytes(payload) {
        assert_eq!(
            T::from_bytes(&value.to_bytes()).expect("what we write we read"),
            value
        );
    }
}
