//! The JSON of the state is a promise: it is written out here, and everything that is written is read again.

use proptest::prelude::*;

use super::*;

fn key(text: &str) -> Key {
    text.parse().unwrap()
}

fn value(bytes: &[u8]) -> Value {
    Value::new(bytes).unwrap()
}

fn check_request(request: &Request, json: &str) {
    assert_eq!(String::from_utf8(request.encode()).unwrap(), json);
    assert_eq!(&Request::decode(json.as_bytes()).unwrap(), request);
}

fn check_reply(reply: &Reply, json: &str) {
    assert_eq!(String::from_utf8(encode_reply(reply)).unwrap(), json);
    assert_eq!(&decode_reply(json.as_bytes()).unwrap(), reply);
}

#[test]
fn requests_look_as_documented() {
    check_request(&Request::Get { key: key("a") }, r#"{"op":"get","key":"a"}"#);
    check_request(
        &Request::Put {
            key: key("a"),
            value: value(b"hi"),
            expected: Some(0),
            ttl_ms: Some(5000),
        },
        r#"{"op":"put","key":"a","value":"aGk=","expected":0,"ttl_ms":5000}"#,
    );
    check_request(
        &Request::Delete {
            key: key("a"),
            expected: None,
        },
        r#"{"op":"delete","key":"a"}"#,
    );
    check_request(
        &Request::List {
            prefix: Some("a.".parse().unwrap()),
            after: None,
            limit: Some(7),
        },
        r#"{"op":"list","prefix":"a.","limit":7}"#,
    );
}

#[test]
fn replies_look_as_documented() {
    let entry = Entry {
        key: key("a"),
        revision: 3,
        value: value(b"hi"),
    };
    check_reply(
        &Ok(Done::Got(entry.clone())),
        r#"{"ok":{"entry":{"key":"a","revision":3,"value":"aGk="}}}"#,
    );
    check_reply(&Ok(Done::Written { revision: 4 }), r#"{"ok":{"revision":4}}"#);
    check_reply(
        &Ok(Done::Page {
            entries: vec![entry],
            revision: 6,
            more: true,
        }),
        r#"{"ok":{"entries":[{"key":"a","revision":3,"value":"aGk="}],"revision":6,"more":true}}"#,
    );
    check_reply(
        &Err(Refusal {
            kind: ErrorKind::Conflict,
            message: "no".to_owned(),
            revision: Some(4),
        }),
        r#"{"error":{"kind":"conflict","message":"no","revision":4}}"#,
    );
}

#[test]
fn changes_look_as_documented() {
    for (change, json) in [
        (
            Change {
                revision: 1,
                key: key("a"),
                op: ChangeOp::Put { value: value(b"hi") },
            },
            r#"{"revision":1,"key":"a","op":"put","value":"aGk="}"#,
        ),
        (
            Change {
                revision: 2,
                key: key("a"),
                op: ChangeOp::Delete,
            },
            r#"{"revision":2,"key":"a","op":"delete"}"#,
        ),
    ] {
        assert_eq!(String::from_utf8(change.encode()).unwrap(), json);
        assert_eq!(Change::decode(json.as_bytes()).unwrap(), change);
    }
}

#[test]
fn what_a_later_version_adds_is_ignored() {
    let request = Request::decode(br#"{"op":"get","key":"a","colour":"red"}"#).unwrap();
    assert_eq!(request, Request::Get { key: key("a") });
    let reply = decode_reply(br#"{"error":{"kind":"tired","message":"no","since":1}}"#).unwrap();
    assert_eq!(reply.unwrap_err().kind, ErrorKind::Other);
}

#[test]
fn what_makes_no_sense_is_refused() {
    for wrong in [
        "",
        "{}",
        "[]",
        r#"{"op":"get"}"#,
        r#"{"op":"get","key":""}"#,
        r#"{"op":"get","key":"a..b"}"#,
        r#"{"op":"sing","key":"a"}"#,
        r#"{"op":"put","key":"a"}"#,
        r#"{"op":"put","key":"a","value":"!"}"#,
        r#"{"op":"put","key":"a","value":"","expected":-1}"#,
    ] {
        assert!(Request::decode(wrong.as_bytes()).is_err(), "{wrong}");
    }
    for wrong in [
        "{}",
        r#"{"ok":{}}"#,
        r#"{"ok":{"entries":[]}}"#,
        r#"{"ok":{"revision":1},"error":{"kind":"full","message":""}}"#,
    ] {
        assert!(decode_reply(wrong.as_bytes()).is_err(), "{wrong}");
    }
    let deep = "[".repeat(100_000);
    assert!(Request::decode(deep.as_bytes()).is_err());
}

#[test]
fn lengths_are_limited() {
    assert!(matches!(
        Request::decode(&vec![b' '; MAX_MESSAGE_LEN + 1]),
        Err(DecodeError::TooLong(_))
    ));
    assert_eq!(
        Value::new(vec![0; MAX_VALUE_LEN + 1]),
        Err(ValueTooLong(MAX_VALUE_LEN + 1))
    );
    assert!("b".repeat(MAX_BUCKET_LEN).parse::<BucketName>().is_ok());
    assert!("b".repeat(MAX_BUCKET_LEN + 1).parse::<BucketName>().is_err());
    assert!("k".repeat(MAX_KEY_LEN).parse::<Key>().is_ok());
    assert!("k".repeat(MAX_KEY_LEN + 1).parse::<Key>().is_err());
}

#[test]
fn the_longest_messages_fit() {
    let key = key(&"k".repeat(MAX_KEY_LEN));
    let value = value(&vec![255; MAX_VALUE_LEN]);
    let put = Request::Put {
        key: key.clone(),
        value: value.clone(),
        expected: Some(u64::MAX),
        ttl_ms: Some(u64::MAX),
    };
    assert!(put.encode().len() <= MAX_MESSAGE_LEN);
    let change = Change {
        revision: u64::MAX,
        key: key.clone(),
        op: ChangeOp::Put { value: value.clone() },
    };
    assert!(change.encode().len() <= MAX_MESSAGE_LEN);
    // A page that is just not full, and one more entry of the longest.
    let largest = Entry {
        key: key.clone(),
        revision: u64::MAX,
        value,
    };
    let small = Entry {
        key,
        revision: u64::MAX,
        value: Value::default(),
    };
    let mut entries = vec![small; PAGE_BYTES / MAX_KEY_LEN];
    entries.push(largest);
    let page = Ok(Done::Page {
        entries,
        revision: u64::MAX,
        more: true,
    });
    assert!(encode_reply(&page).len() <= MAX_MESSAGE_LEN);
    // A page of the most and shortest entries, each with its frame of JSON.
    let tiny = Entry {
        key: self::key("kkkk"),
        revision: u64::MAX,
        value: Value::default(),
    };
    let page = Ok(Done::Page {
        entries: vec![tiny; MAX_PAGE_LEN],
        revision: u64::MAX,
        more: true,
    });
    assert!(encode_reply(&page).len() <= MAX_MESSAGE_LEN / 4);
}

#[test]
fn subjects_are_told_apart() {
    let bucket: BucketName = "LATTICEDATA_default".parse().unwrap();
    let check = |subject: &str, expected: Option<StateSubject>| {
        assert_eq!(StateSubject::parse(subject.as_bytes()), expected, "{subject}");
    };
    check(&bucket.subject(), Some(StateSubject::Requests(bucket.clone())));
    check(
        &bucket.changes_subject(),
        Some(StateSubject::Changes(bucket.clone())),
    );
    check("wasmcloud.state.v1", None);
    check("wasmcloud.state.v10.a", None);
    check("wasmbus.ctl.v1.default.host.ping", None);
    check("wasmcloud.state.v1.", Some(StateSubject::Unknown));
    check("wasmcloud.state.v1.a.b", Some(StateSubject::Unknown));
    check("wasmcloud.state.v1.*", Some(StateSubject::Unknown));
    check("wasmcloud.state.v1..changed", Some(StateSubject::Unknown));
}

#[test]
fn a_value_is_not_printed() {
    assert_eq!(format!("{:?}", value(b"secret")), "Value(6 bytes)");
}

fn any_key() -> impl Strategy<Value = Key> {
    "[-/_=a-zA-Z0-9]{1,9}(\\.[-/_=a-zA-Z0-9]{1,9}){0,3}".prop_map(|text| key(&text))
}

fn any_value() -> impl Strategy<Value = Value> {
    proptest::collection::vec(any::<u8>(), 0..64).prop_map(|bytes| value(&bytes))
}

fn any_request() -> impl Strategy<Value = Request> {
    prop_oneof![
        any_key().prop_map(|key| Request::Get { key }),
        (any_key(), any_value(), any::<Option<u64>>(), any::<Option<u64>>()).prop_map(
            |(key, value, expected, ttl_ms)| Request::Put {
                key,
                value,
                expected,
                ttl_ms
            }
        ),
        (any_key(), any::<Option<u64>>()).prop_map(|(key, expected)| Request::Delete { key, expected }),
        (
            proptest::option::of("[-/_=.a-z]{0,9}".prop_map(|text| text.parse().unwrap())),
            proptest::option::of(any_key()),
            any::<Option<u32>>()
        )
            .prop_map(|(prefix, after, limit)| Request::List { prefix, after, limit }),
    ]
}

fn any_entry() -> impl Strategy<Value = Entry> {
    (any_key(), any::<u64>(), any_value()).prop_map(|(key, revision, value)| Entry { key, revision, value })
}

fn any_reply() -> impl Strategy<Value = Reply> {
    let kind = prop_oneof![
        Just(ErrorKind::Conflict),
        Just(ErrorKind::NotFound),
        Just(ErrorKind::TooLarge),
        Just(ErrorKind::Invalid),
        Just(ErrorKind::Full),
        Just(ErrorKind::Unavailable),
    ];
    prop_oneof![
        any_entry().prop_map(|entry| Ok(Done::Got(entry))),
        any::<u64>().prop_map(|revision| Ok(Done::Written { revision })),
        (
            proptest::collection::vec(any_entry(), 0..5),
            any::<u64>(),
            any::<bool>()
        )
            .prop_map(|(entries, revision, more)| Ok(Done::Page {
                entries,
                revision,
                more
            })),
        (kind, ".{0,20}", any::<Option<u64>>()).prop_map(|(kind, message, revision)| Err(Refusal {
            kind,
            message,
            revision
        })),
    ]
}

proptest! {
    #[test]
    fn every_request_is_read_as_it_was_written(request in any_request()) {
        prop_assert_eq!(Request::decode(&request.encode()).unwrap(), request);
    }

    #[test]
    fn every_reply_is_read_as_it_was_written(reply in any_reply()) {
        prop_assert_eq!(decode_reply(&encode_reply(&reply)).unwrap(), reply);
    }

    #[test]
    fn no_bytes_are_too_strange(bytes in proptest::collection::vec(any::<u8>(), 0..200), text in "\\PC{0,80}") {
        for input in [bytes.as_slice(), text.as_bytes()] {
            let _ = Request::decode(input);
            let _ = Change::decode(input);
            let _ = decode_reply(input);
            let _ = StateSubject::parse(input);
        }
    }
}
