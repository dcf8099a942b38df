//! What holds for values, their text, and what known interfaces make of them.

use std::mem::size_of;

use proptest::collection::vec;
use proptest::prelude::*;
use wasmcloud_wire::rpc::blobstore::{
    Data, GetContainerData, ListContainerObjects, Listing, Outcome, V01, WriteContainerData,
};
use wasmcloud_wire::rpc::http::{ErrorCode, HandleResult, IncomingHandle, Method, OutgoingHandle, Scheme};
use wasmcloud_wire::rpc::keyvalue::{self, GetMany, ListKeys, OnSet, SetMany};
use wasmcloud_wire::rpc::messaging::{HandleMessage, Request};
use wasmcloud_wire::rpc::stream::{ByteStream, ItemStream, Piece, put_chunk};
use wasmcloud_wire::rpc::{
    Call, InboxPath, IndexPath, InvocationSubject, Payload, RpcErrorBody, RpcErrorCode,
};
use wasmcloud_wire::value::wave::{parse, parse_args};
use wasmcloud_wire::value::{DecodeError, Decoder, Limits, Type, Value, View, encode, encode_params};

use crate::typed::{a_type, list, option, record, result, typed, value, variant};
use crate::values::{name, text};

fn bytes(ty: &Type, value: &Value) -> Vec<u8> {
    let mut out = Vec::new();
    encode::<Value>(ty, value, &mut out).unwrap();
    out
}

/// How many values there are in one, itself included.
fn count(value: &Value) -> usize {
    let of = |value: Option<&Value>| value.map_or(0, count);
    1 + match value.view() {
        View::List(items) | View::Tuple(items) => items.iter().map(count).sum(),
        View::Record(fields) => fields.iter().map(|(_, value)| count(value)).sum(),
        View::Variant(_, value) | View::Option(value) | View::Result(Ok(value) | Err(value)) => of(value),
        _ => 0,
    }
}

/// Whatever the bytes are, what is read of them is written and read as the same.
fn read<T: Payload + PartialEq + std::fmt::Debug>(bytes: &[u8]) {
    match T::from_bytes(bytes) {
        Ok(value) => assert_eq!(T::from_bytes(&value.to_bytes()), Ok(value)),
        Err(error) => assert!(!error.to_string().is_empty()),
    }
}

fn read_call<T: Call<Result: PartialEq + std::fmt::Debug> + PartialEq + std::fmt::Debug>(bytes: &[u8]) {
    read::<T>(bytes);
    read::<T::Result>(bytes);
}

fn read_all(bytes: &[u8]) {
    read_call::<IncomingHandle>(bytes);
    read_call::<OutgoingHandle>(bytes);
    read_call::<GetMany>(bytes);
    read_call::<SetMany>(bytes);
    read_call::<ListKeys>(bytes);
    read_call::<OnSet>(bytes);
    read_call::<ListContainerObjects>(bytes);
    read_call::<GetContainerData>(bytes);
    read_call::<WriteContainerData>(bytes);
    read_call::<V01<WriteContainerData>>(bytes);
    read_call::<HandleMessage>(bytes);
    read_call::<Request>(bytes);
    read::<Outcome>(bytes);
    let mut stream = ByteStream::default();
    let mut message = bytes;
    while let Ok(Some(_)) = stream.next(&mut message) {}
    let _ = ItemStream::new(100).push::<String>(bytes);
}

/// `stream<T>` has the bytes of `list<T>` and `future<T>` those of `option<T>`.
fn fields() -> Type {
    list(Type::Tuple([Type::String, list(list(Type::U8))].into()))
}

fn request() -> Type {
    record(&[
        ("body", list(Type::U8)),
        ("trailers", option(option(fields()))),
        (
            "method",
            named(Method::CASES, |case| (case == "other").then_some(Type::String)),
        ),
        ("path-with-query", option(Type::String)),
        (
            "scheme",
            option(named(Scheme::CASES, |case| {
                (case == "other").then_some(Type::String)
            })),
        ),
        ("authority", option(Type::String)),
        ("headers", fields()),
    ])
}

fn response() -> Type {
    record(&[
        ("body", list(Type::U8)),
        ("trailers", option(option(fields()))),
        ("status", Type::U16),
        ("headers", fields()),
    ])
}

/// As in `wasi:http/types@0.2.0`.
fn error_code() -> Type {
    let size = record(&[
        ("field-name", option(Type::String)),
        ("field-size", option(Type::U32)),
    ]);
    named(ErrorCode::CASES, |case| match case {
        "DNS-error" => Some(record(&[
            ("rcode", option(Type::String)),
            ("info-code", option(Type::U16)),
        ])),
        "TLS-alert-received" => Some(record(&[
            ("alert-id", option(Type::U8)),
            ("alert-message", option(Type::String)),
        ])),
        "HTTP-request-body-size" | "HTTP-response-body-size" => Some(option(Type::U64)),
        "HTTP-request-header-size" => Some(option(size.clone())),
        "HTTP-request-trailer-size" | "HTTP-response-header-size" | "HTTP-response-trailer-size" => {
            Some(size.clone())
        }
        "HTTP-response-transfer-coding" | "HTTP-response-content-coding" | "internal-error" => {
            Some(option(Type::String))
        }
        case if case.ends_with("-section-size") => Some(option(Type::U32)),
        _ => None,
    })
}

fn named(cases: &[&str], payload: impl Fn(&str) -> Option<Type>) -> Type {
    let cases: Vec<(&str, Option<Type>)> = cases.iter().map(|case| (*case, payload(case))).collect();
    variant(&cases)
}

fn keyvalue_error() -> Type {
    named(keyvalue::Error::CASES, |case| {
        (case == "other").then_some(Type::String)
    })
}

/// Bytes of any value of a type.
fn of(ty: Type) -> impl Strategy<Value = Vec<u8>> {
    value(&ty).prop_map(move |value| bytes(&ty, &value))
}

/// The struct says the same as the type of WIT.
fn agrees<T: Payload + PartialEq + std::fmt::Debug>(wire: &[u8]) {
    assert_eq!(T::from_bytes(wire).unwrap().to_bytes(), wire);
    for end in 0..wire.len() {
        let cut = T::decode(&mut Decoder::new(wire.get(..end).unwrap()));
        assert!(matches!(cut, Err(DecodeError::Incomplete { .. })), "{cut:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn values_are_read_as_they_were((ty, value) in typed(true)) {
        let wire = bytes(&ty, &value);
        let mut decoder = Decoder::new(&wire);
        prop_assert_eq!(&decoder.value::<Value>(&ty).unwrap(), &value);
        prop_assert!(decoder.is_empty());
        // What is cut off is never taken for something else, nor for needing more than is missing.
        for end in 0..wire.len() {
            match Decoder::new(&wire[..end]).value::<Value>(&ty) {
                Err(DecodeError::Incomplete { needed }) => {
                    prop_assert!((1..=wire.len() - end).contains(&needed));
                }
                other => prop_assert!(false, "{other:?}"),
            }
        }
    }

    #[test]
    fn parameters_stand_one_behind_the_other(values in vec(typed(true), 0..4)) {
        let (types, values): (Vec<Type>, Vec<Value>) = values.into_iter().unzip();
        let mut wire = Vec::new();
        encode_params::<Value>(&types, &values, &mut wire).unwrap();
        prop_assert_eq!(&wire, &types.iter().zip(&values).flat_map(|(ty, value)| bytes(ty, value)).collect::<Vec<_>>());
        prop_assert_eq!(Decoder::new(&wire).sequence::<Value>("params", &types).unwrap(), values);
    }

    #[test]
    fn any_bytes_of_any_type(ty in a_type(true), wire in vec(any::<u8>(), 0..200)) {
        let limits = Limits { memory: 4 << 10, ..Limits::default() };
        let mut decoder = Decoder::with_limits(&wire, limits);
        if let Ok(value) = decoder.value::<Value>(&ty) {
            prop_assert!(count(&value) * size_of::<Value>() <= limits.memory);
            let again = bytes(&ty, &value);
            prop_assert_eq!(Decoder::new(&again).value::<Value>(&ty).unwrap(), value);
        }
    }

    #[test]
    fn texts_of_values((ty, value) in typed(false), more in text()) {
        let shown = value.to_string();
        prop_assert_eq!(&parse(&ty, &shown).unwrap(), &value);
        prop_assert_eq!(parse_args(std::slice::from_ref(&ty), &shown).unwrap(), [value]);
        let _ = parse(&ty, &more);
        let _ = parse(&ty, &format!("{shown}{more}"));
        let half = shown.floor_char_boundary(shown.len() / 2);
        let _ = parse(&ty, &shown[..half]);
    }

    #[test]
    fn any_text_of_any_type(ty in a_type(true), text in "[\\[\\](){}:,a-c%0-9\"'\\\\.\\n -]{0,20}") {
        if let Err(error) = parse(&ty, &text) {
            prop_assert!(error.place.line <= text.lines().count() + 1);
        }
    }

    #[test]
    fn any_bytes_for_known_interfaces(wire in vec(any::<u8>(), 0..100)) {
        read_all(&wire);
        // Small numbers are lengths, cases and flags more often.
        read_all(&wire.iter().map(|byte| byte % 3).collect::<Vec<_>>());
    }

    #[test]
    fn known_interfaces_are_those_of_wit(
        incoming in of(request()),
        outgoing in of(Type::Tuple([
            request(),
            option(record(&[("c", option(Type::U64)), ("f", option(Type::U64)), ("b", option(Type::U64))])),
        ].into())),
        handled in of(result(Some(response()), Some(error_code()))),
        many in of(result(
            Some(list(option(Type::Tuple([Type::String, list(Type::U8)].into())))),
            Some(keyvalue_error()),
        )),
        keys in of(result(
            Some(record(&[("keys", list(Type::String)), ("cursor", option(Type::U64))])),
            Some(keyvalue_error()),
        )),
        message in of(record(&[
            ("subject", Type::String), ("body", list(Type::U8)), ("reply-to", option(Type::String)),
        ])),
        listing in of(Type::Tuple([list(Type::String), option(result(None, Some(Type::String)))].into())),
        data in of(Type::Tuple([list(Type::U8), option(result(None, Some(Type::String)))].into())),
        write in of(Type::Tuple([Type::String, Type::String, list(Type::U8)].into())),
    ) {
        agrees::<IncomingHandle>(&incoming);
        agrees::<OutgoingHandle>(&outgoing);
        agrees::<HandleResult>(&handled);
        agrees::<<GetMany as Call>::Result>(&many);
        agrees::<<ListKeys as Call>::Result>(&keys);
        agrees::<HandleMessage>(&message);
        agrees::<Listing>(&listing);
        agrees::<Data>(&data);
        agrees::<WriteContainerData>(&write);
    }

    #[test]
    fn streams_arrive_in_messages_of_any_size(
        chunks in vec(vec(any::<u8>(), 0..200), 0..5),
        sizes in vec(1..50_usize, 1..5),
    ) {
        let mut wire = Vec::new();
        chunks.iter().for_each(|chunk| put_chunk(chunk, &mut wire));
        wire.push(0);
        let (mut stream, mut data, mut rest) = (ByteStream::default(), Vec::new(), wire.as_slice());
        for size in sizes.iter().cycle() {
            let (mut message, more) = rest.split_at(rest.len().min(*size));
            rest = more;
            while let Some(piece) = stream.next(&mut message).unwrap() {
                if let Piece::Data(bytes) = piece {
                    data.extend_from_slice(bytes);
                }
            }
            if rest.is_empty() {
                break;
            }
        }
        prop_assert!(stream.is_ended());
        prop_assert_eq!(data, chunks.concat());
    }

    #[test]
    fn subjects_of_calls(
        lattice in name(),
        component in name(),
        instance in prop::option::of("[a-z]{1,4}:[a-z]{1,4}/[a-z]{1,4}(@[0-9]\\.[0-9]{1,2}\\.0(-rc(\\.[0-9])?)?)?"),
        function in "(\\[(method|static)\\])?[a-z]{1,5}(-[a-z]{1,3})?",
        other in "[a-z.@\\[\\]:/*> 0-9-]{0,30}",
    ) {
        let subject = InvocationSubject {
            lattice,
            component,
            instance: instance.map(|name| name.parse().unwrap()),
            function: function.parse().unwrap(),
        };
        prop_assert_eq!(&subject.to_string().parse::<InvocationSubject>().unwrap(), &subject);
        let odd = format!("a.b.wrpc.0.0.1.{other}");
        if let Ok(read) = odd.parse::<InvocationSubject>() {
            prop_assert_eq!(read.to_string(), odd);
        }
    }

    #[test]
    fn paths_of_calls(indices in vec(any::<u32>(), 0..16), other in "(params|results)?[.0-9x]{0,12}") {
        let path = indices.into_iter().try_fold(IndexPath::ROOT, IndexPath::child).unwrap();
        for path in [InboxPath::Params(path), InboxPath::Results(path)] {
            prop_assert_eq!(path.to_string().parse(), Ok(path));
            prop_assert_eq!(InboxPath::of("_INBOX.a", &path.under("_INBOX.a")), Ok(path));
        }
        if let Ok(read) = other.parse::<InboxPath>() {
            prop_assert_eq!(read.to_string(), other);
        }
    }

    #[test]
    fn failures_in_headers(
        code in prop_oneof![
            prop::sample::select(RpcErrorCode::NAMES.to_vec()).prop_map(|(_, code)| code),
            ".{1,70}".prop_map(|text| RpcErrorCode::from(text.as_str())),
        ],
        message in prop_oneof![any::<String>(), "é{1000,1400}"],
        component in prop::option::of(text()),
        host in prop::option::of(text()),
        other in any::<String>(),
    ) {
        let body = RpcErrorBody { code, message, component, host };
        let header = body.to_header();
        prop_assert!(header.bytes().all(|byte| (b' '..=b'~').contains(&byte)));
        let read = RpcErrorBody::from_header(&header);
        prop_assert_eq!(&read.code, &body.code);
        prop_assert!(read == body || body.message.len() > 2048);
        prop_assert_eq!(RpcErrorBody::from_header(&read.to_header()), read);
        let any = RpcErrorBody::from_header(&other);
        prop_assert_eq!(RpcErrorBody::from_header(&any.to_header()), any);
    }
}
