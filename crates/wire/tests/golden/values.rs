//! Every recorded call is read with the types of what was called, and written back as the same bytes.

use std::sync::Arc;

use wasmcloud_wire::rpc::header::{LINK_NAME, SOURCE_ID, TARGET_ID};
use wasmcloud_wire::rpc::http::{
    HandleResult, IncomingHandle, REQUEST_BODY, REQUEST_TRAILERS, RESPONSE_BODY, RESPONSE_TRAILERS, Trailers,
};
use wasmcloud_wire::rpc::keyvalue::Increment;
use wasmcloud_wire::rpc::stream::{ByteStream, Piece};
use wasmcloud_wire::rpc::{Call, InboxPath, IndexPath, Payload};
use wasmcloud_wire::value::{Case, DecodeError, Decoder, Field, Type, Value, encode_params, encode_results};

use crate::calls::{FILES, Recorded, calls};

fn list(item: Type) -> Type {
    Type::List(Arc::new(item))
}

fn option(some: Type) -> Type {
    Type::Option(Arc::new(some))
}

fn result(ok: Option<Type>, err: Option<Type>) -> Type {
    Type::Result {
        ok: ok.map(Arc::new),
        err: err.map(Arc::new),
    }
}

fn tuple(items: &[Type]) -> Type {
    Type::Tuple(items.into())
}

fn point() -> Type {
    let field = |(name, ty): (&str, Type)| Field {
        name: name.into(),
        ty,
    };
    let fields = [
        ("x", Type::S32),
        ("y", Type::S64),
        ("label", Type::String),
        ("tags", list(Type::String)),
    ];
    Type::Record(fields.map(field).into())
}

fn shape() -> Type {
    let case = |(name, ty): (&str, Option<Type>)| Case {
        name: name.into(),
        ty,
    };
    let cases = [
        ("dot", None),
        ("circle", Some(Type::Float64)),
        ("poly", Some(list(point()))),
        ("named", Some(tuple(&[Type::String, Type::U8]))),
    ];
    Type::Variant(cases.map(case).into())
}

fn color() -> Type {
    Type::Enum(["red", "green", "blue"].map(Into::into).into())
}

fn perms() -> Type {
    Type::Flags(
        ["read", "write", "exec", "a4", "a5", "a6", "a7", "a8", "a9"]
            .map(Into::into)
            .into(),
    )
}

/// The parameters and results of a function of `golden:types/all@1.2.3`; README.md has them in WIT.
fn types(function: &str) -> (Vec<Type>, Vec<Type>) {
    let ints = [
        Type::U8,
        Type::S8,
        Type::U16,
        Type::S16,
        Type::U32,
        Type::S32,
        Type::U64,
        Type::S64,
    ];
    let floats = [Type::Float32, Type::Float64];
    let text = [Type::Bool, Type::Char, Type::String];
    let opt = [option(Type::U32), option(Type::String)];
    let flagged = [perms(), color()];
    let nested = option(result(Some(list(option(point()))), Some(color())));
    match function {
        "ints" => (ints.to_vec(), vec![tuple(&ints)]),
        "floats" => (floats.to_vec(), vec![tuple(&floats)]),
        "text" => (text.to_vec(), vec![tuple(&text)]),
        "rec" => (vec![point()], vec![point()]),
        "shapes" => (vec![list(shape())], vec![list(shape())]),
        "opt" => (opt.to_vec(), vec![tuple(&opt)]),
        "res" => (
            vec![result(Some(Type::String), Some(Type::U32))],
            vec![result(Some(Type::U64), Some(Type::String))],
        ),
        "nothing" | "traps" => (vec![], vec![]),
        "fails" => (vec![], vec![result(None, Some(Type::String))]),
        "flagged" => (flagged.to_vec(), vec![tuple(&flagged)]),
        "bytes" => (vec![list(Type::U8)], vec![list(Type::U8)]),
        "nested" => (vec![nested.clone()], vec![nested]),
        other => panic!("`{other}` is not in the interface"),
    }
}

/// The values as text, those of a long list cut off.
fn shown(values: &[Value]) -> String {
    let texts: Vec<String> = values
        .iter()
        .map(|value| {
            let text = value.to_string();
            match text.strip_prefix("[7, 7, 7, 7") {
                Some(sevens) => format!("[{} sevens]", sevens.matches('7').count() + 4),
                None => text,
            }
        })
        .collect();
    texts.join(", ")
}

fn read(what: &str, types: &[Type], bytes: &[u8], place: &str) -> Vec<Value> {
    let mut decoder = Decoder::new(bytes);
    let values = decoder
        .sequence::<Value>(what, types)
        .unwrap_or_else(|error| panic!("{place}: {error}"));
    assert!(decoder.is_empty(), "{place}");
    values
}

#[test]
fn values_of_every_type_are_read_and_written_back() {
    const A_POINT: &str = r#"{x: -7, y: 1000000007, label: "p1 é", tags: ["a", ""]}"#;
    let shapes = format!(
        r#"[dot, circle(2.5), poly([{A_POINT}, {{x: -14, y: 2000000014, label: "p2 é", tags: ["a", ""]}}]), named(("n", 9))]"#
    );
    let rec = r#"{x: -21, y: 3000000021, label: "p3 é", tags: ["a", ""]}"#;
    let nested = format!("some(ok([some({A_POINT}), none]))");
    let expected = [
        // v1 could not read its own -32768, so there are no results.
        (
            "ints",
            "0, -1, 65535, -32768, 4294967295, -2147483648, 18446744073709551615, -9223372036854775808",
            None,
        ),
        ("floats", "1.5, -0.1", Some("(1.5, -0.1)")),
        ("text", r#"true, 'é', "héllo""#, Some(r#"(true, 'é', "héllo")"#)),
        ("rec", rec, Some(rec)),
        ("shapes", &shapes, Some(&shapes)),
        ("opt", "some(7), none", Some("(some(7), none)")),
        ("opt", r#"none, some("x")"#, Some(r#"(none, some("x"))"#)),
        ("res", r#"ok("bad")"#, Some(r#"err("bad")"#)),
        ("res", "err(5)", Some("ok(5000)")),
        ("nothing", "", Some("")),
        ("fails", "", Some(r#"err("no")"#)),
        (
            "flagged",
            "{read, exec, a9}, blue",
            Some("({read, exec, a9}, blue)"),
        ),
        ("bytes", "[300 sevens]", Some("[300 sevens]")),
        ("nested", &nested, Some(&nested)),
        ("nested", "some(err(green))", Some("some(err(green))")),
        ("nested", "none", Some("none")),
        ("traps", "", Some("")),
        ("bytes", "[2500000 sevens]", Some("[2500000 sevens]")),
    ];
    let found: Vec<Recorded> = calls("values")
        .into_iter()
        .filter(|call| {
            let instance = call.subject.instance.as_ref().map(|instance| instance.as_str());
            instance == Some("golden:types/all@1.2.3")
        })
        .collect();
    assert_eq!(found.len(), expected.len());
    for (call, (function, params, results)) in found.iter().zip(expected) {
        assert_eq!(call.subject.function.as_str(), function);
        let (params_types, results_types) = types(function);

        let bytes = call.params();
        let values = read("params", &params_types, &bytes, &call.place);
        assert_eq!(shown(&values), params, "{}", call.place);
        let mut again = Vec::new();
        encode_params::<Value>(&params_types, &values, &mut again).unwrap();
        assert!(again == bytes, "{}", call.place);

        let bytes = call.results();
        let Some(results) = results else {
            assert_eq!(bytes.len(), 0);
            continue;
        };
        let values = read("results", &results_types, &bytes, &call.place);
        assert_eq!(shown(&values), results, "{}", call.place);
        let mut again = Vec::new();
        encode_results::<Value>(&results_types, &values, &mut again).unwrap();
        assert!(again == bytes, "{}", call.place);
    }
}

#[test]
fn a_value_in_several_messages_is_incomplete_until_the_last() {
    let big = calls("values").pop().unwrap();
    let bytes = big.results();
    let first = &bytes[..1 << 20];
    match Decoder::new(first).value::<Value>(&list(Type::U8)) {
        Err(DecodeError::Incomplete { needed }) => assert_eq!(first.len() + needed, bytes.len()),
        other => panic!("{other:?}"),
    }
}

/// All of a body, and whether it ended.
fn body(bytes: &[u8]) -> (Vec<u8>, bool) {
    let (mut stream, mut rest, mut body) = (ByteStream::default(), bytes, Vec::new());
    while let Some(piece) = stream.next(&mut rest).unwrap() {
        match piece {
            Piece::Data(data) => body.extend_from_slice(data),
            Piece::End => assert!(rest.is_empty()),
        }
    }
    (body, stream.is_ended())
}

fn handle(call: &Recorded) {
    let place = &call.place;
    let bytes = call.params();
    let params = IncomingHandle::from_bytes(&bytes).unwrap_or_else(|error| panic!("{place}: {error}"));
    assert_eq!(params.to_bytes(), bytes, "{place}");
    assert_eq!(
        params
            .request
            .authority
            .as_deref()
            .map(|authority| authority.starts_with("127.0.0.1:")),
        Some(true)
    );
    let trailers = call.bytes(InboxPath::Params(REQUEST_TRAILERS));
    assert_eq!(Trailers::from_bytes(&trailers), Ok(None), "{place}");

    let bytes = call.results();
    if bytes.is_empty() {
        let got = call.got.as_deref().unwrap();
        assert!(
            got.starts_with("500 ") && got.contains("incomplete results"),
            "{place}: {got}"
        );
        return;
    }
    let results = HandleResult::from_bytes(&bytes).unwrap_or_else(|error| panic!("{place}: {error}"));
    assert_eq!(results.to_bytes(), bytes, "{place}");
    assert_eq!(results.unwrap().status, 200, "{place}");
    let (text, ended) = body(&call.bytes(InboxPath::Results(RESPONSE_BODY)));
    assert!(ended, "{place}");
    if let Some(got) = &call.got {
        assert_eq!(String::from_utf8(text).unwrap(), *got, "{place}");
    }
    let trailers = call.bytes(InboxPath::Results(RESPONSE_TRAILERS));
    assert_eq!(Trailers::from_bytes(&trailers), Ok(None), "{place}");
    // v1 ends what is in between as well.
    assert!(call.ended(InboxPath::Results(IndexPath::of([0]))), "{place}");
}

#[test]
fn every_recorded_call_is_read_and_written_back() {
    let mut found = [0; 3];
    for call in FILES.iter().flat_map(|(file, _)| calls(file)) {
        assert!(call.ended(InboxPath::Params(IndexPath::ROOT)), "{}", call.place);
        assert!(call.ended(InboxPath::Results(IndexPath::ROOT)), "{}", call.place);
        let mut headers: Vec<&str> = call.headers.keys().map(String::as_str).collect();
        headers.sort_unstable();
        let instance = call.subject.instance.as_ref().unwrap().as_str();
        match (instance, call.subject.function.as_str()) {
            (IncomingHandle::INSTANCE, IncomingHandle::FUNCTION) => {
                assert_eq!(headers, [SOURCE_ID, TARGET_ID]);
                assert_eq!(call.headers[TARGET_ID], call.subject.component.as_str());
                handle(&call);
                found[0] += 1;
            }
            (Increment::INSTANCE, Increment::FUNCTION) => {
                assert_eq!(headers, [LINK_NAME, SOURCE_ID]);
                let bytes = call.params();
                let params = Increment::from_bytes(&bytes).unwrap();
                assert_eq!(
                    (params.bucket.as_str(), params.key.as_str(), params.delta),
                    ("default", "/c1", 1)
                );
                assert_eq!(params.to_bytes(), bytes);
                found[1] += 1;
                let results = call.results();
                let sum = <Increment as Call>::Result::from_bytes(&results).unwrap();
                assert_eq!(sum, Ok(found[1]));
                assert_eq!(sum.to_bytes(), results);
            }
            ("golden:types/all@1.2.3", _) => found[2] += 1,
            other => panic!("{}: {other:?} belongs to no interface", call.place),
        }
    }
    assert_eq!(found, [18, 2, 18]);
}

#[test]
fn a_recorded_body_arrives_as_chunks() {
    let post = &calls("http")[1];
    assert_eq!(post.params()[2], 2, "it is a `post`");
    // 5,000 times the same byte, which were not all recorded, and the end.
    let mut bytes = post.bytes(InboxPath::Params(REQUEST_BODY));
    assert_eq!(bytes.len(), 2 + 5_000 + 1);
    *bytes.last_mut().unwrap() = 0;
    assert_eq!(body(&bytes), (vec![b'z'; 5_000], true));
}
