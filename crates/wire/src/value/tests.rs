//! What the codec says of values that are wrong; what it does with good ones is in `tests/`.

use std::sync::Arc;

use super::*;

fn list(item: Type) -> Type {
    Type::List(Arc::new(item))
}

fn point() -> Type {
    let field = |name: &str, ty| Field {
        name: name.into(),
        ty,
    };
    Type::Record([field("label", Type::String), field("tags", list(Type::U16))].into())
}

fn make(shape: Shape<Value>) -> Value {
    Value::from(shape)
}

fn a_point(label: Value, tags: Value) -> Value {
    make(Shape::Record(vec![
        ("label".to_owned(), label),
        ("tags".to_owned(), tags),
    ]))
}

fn text(text: &str) -> Value {
    make(Shape::String(text.to_owned()))
}

fn refused(ty: &Type, value: &Value) -> String {
    let mut out = b"before".to_vec();
    let error = encode::<Value>(ty, value, &mut out).unwrap_err();
    assert_eq!(out, b"before");
    error.to_string()
}

fn unread(ty: &Type, bytes: &[u8]) -> String {
    let mut decoder = Decoder::new(bytes);
    decoder.value::<Value>(ty).unwrap_err().to_string()
}

#[test]
fn errors_of_values_say_where_and_what() {
    let tags = |items| make(Shape::List(items));
    let wrong_item = a_point(text("a"), tags(vec![make(Shape::U16(1)), make(Shape::U8(1))]));
    let mut out = Vec::new();
    assert_eq!(
        encode_params::<Value>(
            &[Type::Bool, point()],
            &[make(Shape::Bool(true)), wrong_item],
            &mut out
        )
        .unwrap_err()
        .to_string(),
        "params.1.tags[1]: expected u16, found u8"
    );
    assert!(out.is_empty());
    assert_eq!(
        encode_params::<Value>(&[Type::Bool], &[], &mut out)
            .unwrap_err()
            .to_string(),
        "params: expected 1 values, found 0"
    );
    let swapped = make(Shape::Record(vec![
        ("tags".to_owned(), tags(vec![])),
        ("label".to_owned(), text("")),
    ]));
    assert_eq!(
        refused(&point(), &swapped),
        "value: expected field `label`, found `tags`"
    );
    assert_eq!(
        refused(&list(Type::U8), &tags(vec![make(Shape::U8(0)), text("")])),
        "value[1]: expected u8, found string"
    );
    let colour = Type::Enum(["red".into(), "green".into()].into());
    assert_eq!(
        refused(&colour, &make(Shape::Enum("blue".to_owned()))),
        "value: `blue` is not in enum { red, green }"
    );
    let result = Type::Result {
        ok: Some(Arc::new(colour)),
        err: None,
    };
    assert_eq!(
        refused(&result, &make(Shape::Result(Ok(None)))),
        "value: case `ok` needs a payload"
    );
    assert_eq!(
        refused(&result, &make(Shape::Result(Err(Some(Box::new(text(""))))))),
        "value: case `err` has no payload, found one"
    );
    assert_eq!(
        refused(&Type::Stream(None), &text("")),
        "value: a stream cannot travel inside a value"
    );
}

#[test]
fn errors_of_bytes_say_where_and_what() {
    let bytes = [1, 0, 2, b'h', b'i', 2, 1, 0xff, 0xff, 0x04];
    let mut decoder = Decoder::new(&bytes);
    let types = [Type::Option(Arc::new(Type::Tuple([Type::Bool, point()].into())))];
    assert_eq!(
        decoder
            .sequence::<Value>("params", &types)
            .unwrap_err()
            .to_string(),
        "params.0.some.1.tags[1]: the integer has more than 16 bits"
    );
    assert_eq!(unread(&Type::Bool, &[2]), "value: bool must be 0 or 1, not 2");
    assert_eq!(
        unread(&Type::String, &[2, b'a', 0xff]),
        "value: the text is not UTF-8 from byte 1 on"
    );
    assert_eq!(unread(&Type::Char, &[0xff]), "value: the character is not UTF-8");
    // A surrogate, and what is longer than it needs to be.
    assert_eq!(
        unread(&Type::Char, &[0xed, 0xa0, 0x80]),
        "value: the character is not UTF-8"
    );
    assert_eq!(
        unread(&Type::Char, &[0xc0, 0x80]),
        "value: the character is not UTF-8"
    );
    let colour = Type::Enum(["red".into()].into());
    assert_eq!(unread(&colour, &[1]), "value: there is no case 1, there are 1");
    let flags = Type::Flags(vec!["f".into(); 9].into());
    assert_eq!(
        unread(&flags, &[0, 2]),
        "value: a bit is set for which there is no flag, there are 9"
    );
    assert_eq!(
        unread(&Type::Future(None), &[0]),
        "value: a future cannot travel inside a value"
    );
    let mut decoder = Decoder::new(&[1, 2]);
    decoder.u8().unwrap();
    assert_eq!(
        decoder.finish().unwrap_err().to_string(),
        "1 bytes are left behind the last value"
    );
}

#[test]
fn what_is_cut_off_says_how_much_is_missing() {
    let needed = |ty: &Type, bytes: &[u8]| match Decoder::new(bytes).value::<Value>(ty) {
        Err(DecodeError::Incomplete { needed }) => needed,
        other => panic!("{other:?}"),
    };
    assert_eq!(needed(&Type::Float64, &[0; 3]), 5);
    assert_eq!(needed(&Type::String, &[10, b'a']), 9);
    assert_eq!(needed(&list(Type::Float32), &[3, 0]), 11);
    assert_eq!(needed(&Type::Char, &[0xe2, 0x82]), 1);
    assert_eq!(needed(&Type::U64, &[0x80]), 1);
    assert_eq!(needed(&Type::Flags(vec!["f".into(); 17].into()), &[0]), 2);
}

#[test]
fn depth_is_limited() {
    let nested = |levels: usize| (1..levels).fold(Type::Bool, |ty, _| Type::Option(Arc::new(ty)));
    let bytes = [1; MAX_DEPTH];
    let value = Decoder::new(&bytes).value::<Value>(&nested(MAX_DEPTH)).unwrap();
    let mut out = Vec::new();
    encode::<Value>(&nested(MAX_DEPTH), &value, &mut out).unwrap();
    assert_eq!(out, bytes);

    let deeper = nested(MAX_DEPTH + 1);
    let error = Decoder::new(&[1; 200]).value::<Value>(&deeper).unwrap_err();
    assert!(
        matches!(error, DecodeError::TooDeep { limit: MAX_DEPTH, .. }),
        "{error}"
    );
    let value = make(Shape::Option(Some(Box::new(value))));
    let error = encode::<Value>(&deeper, &value, &mut out).unwrap_err();
    assert!(matches!(error, EncodeError::TooDeep { .. }), "{error}");

    let limits = Limits {
        depth: 2,
        ..Limits::default()
    };
    assert!(
        Decoder::with_limits(&[1, 1], limits)
            .value::<Value>(&nested(2))
            .is_ok()
    );
    assert!(
        Decoder::with_limits(&[1, 1], limits)
            .value::<Value>(&nested(3))
            .is_err()
    );
    assert!(
        Decoder::with_limits(&[1, 1], limits)
            .value::<Value>(&list(list(Type::U8)))
            .is_err()
    );
}

#[test]
fn memory_is_limited_before_it_is_taken() {
    let limits = Limits {
        memory: 16 << 20,
        ..Limits::default()
    };
    let limit = |ty: &Type, bytes: &[u8]| match Decoder::with_limits(bytes, limits).value::<Value>(ty) {
        Err(DecodeError::TooLarge { unit, .. }) => unit,
        other => panic!("{other:?}"),
    };
    // Lengths of four billion.
    let huge = [0xff, 0xff, 0xff, 0xff, 0x0f, 1, 2, 3];
    assert_eq!(limit(&Type::String, &huge), "bytes of memory");
    assert_eq!(limit(&list(Type::U8), &huge), "bytes of memory");
    assert_eq!(limit(&list(Type::Bool), &huge), "bytes of memory");
    // A hundred thousand empty tuples in three bytes, and four billion.
    let empty = list(Type::Tuple([].into()));
    assert_eq!(limit(&empty, &[0xa0, 0x8d, 0x06]), "items without bytes");
    assert_eq!(limit(&empty, &huge), "bytes of memory");
    // A megabyte that would be some gigabytes: each byte has eight flags of long names.
    let names: Arc<[Arc<str>]> = (0..8).map(|n| "n".repeat(1_000 + n).into()).collect();
    let mut bytes = vec![0xff; 1 << 20];
    bytes.splice(..3, [0xfd, 0xff, 0x3f]);
    assert_eq!(limit(&list(Type::Flags(names)), &bytes), "bytes of memory");
    // Types made of shared parts take no time either.
    let bomb = (0..90).fold(Type::Tuple([].into()), |ty, _| Type::Tuple(vec![ty; 7].into()));
    assert_eq!(limit(&bomb, &[]), "bytes of memory");
    assert_eq!(limit(&list(bomb), &[1]), "bytes of memory");
}

#[test]
fn parts_name_themselves() {
    let mut decoder = Decoder::new(&[1, 2, 0, 5]);
    let error = decoder
        .field("request", |d| {
            d.field("headers", |d| {
                d.list(|d| d.field("name", |d| d.option(Decoder::bool)))
            })
        })
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        "request.headers[0].name: option must be 0 or 1, not 2"
    );
}
