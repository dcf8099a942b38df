//! The interfaces that v1's own providers serve and call (wire reference §4.6). They travel under names of their own, so
//! no component has them in its WIT. Those of HTTP are not here: requests are shown as such.

use std::sync::LazyLock;

use super::{Function, Functions};

const KEYVALUE: &str = "package wrpc:keyvalue@0.2.0-draft;
interface types {
  variant error { no-such-store, access-denied, other(string) }
  record key-response { keys: list<string>, cursor: option<u64> }
}
interface store {
  use types.{error, key-response};
  get: func(bucket: string, key: string) -> result<option<list<u8>>, error>;
  set: func(bucket: string, key: string, value: list<u8>) -> result<_, error>;
  delete: func(bucket: string, key: string) -> result<_, error>;
  exists: func(bucket: string, key: string) -> result<bool, error>;
  list-keys: func(bucket: string, cursor: option<u64>) -> result<key-response, error>;
}
interface atomics {
  use types.{error};
  increment: func(bucket: string, key: string, delta: u64) -> result<u64, error>;
}
interface batch {
  use types.{error};
  get-many: func(bucket: string, keys: list<string>) -> result<list<option<tuple<string, list<u8>>>>, error>;
  set-many: func(bucket: string, key-values: list<tuple<string, list<u8>>>) -> result<_, error>;
  delete-many: func(bucket: string, keys: list<string>) -> result<_, error>;
}
interface watcher {
  on-set: func(bucket: string, key: string, value: list<u8>);
  on-delete: func(bucket: string, key: string);
}";

const MESSAGING: &str = "package wasmcloud:messaging@0.2.0;
interface types {
  record broker-message { subject: string, body: list<u8>, reply-to: option<string> }
}
interface consumer {
  use types.{broker-message};
  request: func(subject: string, body: list<u8>, timeout-ms: u32) -> result<broker-message, string>;
  publish: func(msg: broker-message) -> result<_, string>;
}
interface handler {
  use types.{broker-message};
  handle-message: func(msg: broker-message) -> result<_, string>;
}";

/// The package and what its streams look like; the rest is the same in both versions.
const BLOBSTORES: [(&str, &str); 2] = [
    (
        "package wrpc:blobstore@0.2.0;",
        "list-container-objects: func(name: string, limit: option<u64>, offset: option<u64>)
           -> result<tuple<stream<string>, future<result<_, string>>>, string>;
         get-container-data: func(id: object-id, start: u64, end: u64)
           -> result<tuple<stream<u8>, future<result<_, string>>>, string>;
         write-container-data: func(id: object-id, data: stream<u8>) -> result<future<result<_, string>>, string>;",
    ),
    (
        "package wrpc:blobstore@0.1.0;",
        "list-container-objects: func(name: string, limit: option<u64>, offset: option<u64>)
           -> result<stream<string>, string>;
         get-container-data: func(id: object-id, start: u64, end: u64) -> result<stream<u8>, string>;
         write-container-data: func(id: object-id, data: stream<u8>) -> result<_, string>;",
    ),
];

const BLOBSTORE: &str = "
  record container-metadata { created-at: u64 }
  record object-metadata { created-at: u64, size: u64 }
  record object-id { container: string, object: string }
  clear-container: func(name: string) -> result<_, string>;
  container-exists: func(name: string) -> result<bool, string>;
  create-container: func(name: string) -> result<_, string>;
  delete-container: func(name: string) -> result<_, string>;
  get-container-info: func(name: string) -> result<container-metadata, string>;
  copy-object: func(src: object-id, dest: object-id) -> result<_, string>;
  delete-object: func(id: object-id) -> result<_, string>;
  delete-objects: func(container: string, objects: list<string>) -> result<_, string>;
  get-object-info: func(id: object-id) -> result<object-metadata, string>;
  has-object: func(id: object-id) -> result<bool, string>;
  move-object: func(src: object-id, dest: object-id) -> result<_, string>;";

static KNOWN: LazyLock<Functions> = LazyLock::new(|| {
    let blobstores = BLOBSTORES
        .map(|(package, streams)| format!("{package}\ninterface blobstore {{ {BLOBSTORE}\n{streams} }}"));
    let texts = [KEYVALUE, MESSAGING].into_iter();
    let texts = texts.chain(blobstores.iter().map(String::as_str));
    // They are ours and a test reads them; one that could not be read would only be missing.
    let functions = texts.flat_map(|text| Functions::in_text(text).unwrap_or_default().0);
    Functions(functions.collect())
});

/// A function of one of these interfaces.
pub(in crate::control) fn known(instance: Option<&str>, name: &str) -> Option<&'static Function> {
    KNOWN.exact(instance, name)
}

#[cfg(test)]
mod tests {
    use wasmcloud_wire::rpc::Payload as _;
    use wasmcloud_wire::rpc::{Call, blobstore, keyvalue, messaging};
    use wasmcloud_wire::value::{Decoder, Type, Value};

    use super::*;

    fn of<C: Call>() -> &'static Function {
        known(Some(C::INSTANCE), C::FUNCTION).unwrap_or_else(|| panic!("{}", C::FUNCTION))
    }

    /// What `spy` shows of a call is what the structs of the wire hold.
    fn shown<C: Call>(call: &C) -> String {
        let params = of::<C>().params.clone().unwrap();
        let types: Vec<Type> = params.into_iter().map(|param| param.ty).collect();
        let bytes = call.to_bytes();
        let mut decoder = Decoder::new(&bytes);
        let values = decoder.sequence::<Value>("params", &types).unwrap();
        decoder.finish().unwrap();
        let values: Vec<String> = values.iter().map(ToString::to_string).collect();
        values.join(", ")
    }

    fn result<C: Call>(result: &C::Result) -> String {
        let ty = of::<C>().result.clone().unwrap().unwrap();
        let bytes = result.to_bytes();
        let mut decoder = Decoder::new(&bytes);
        let value = decoder.value::<Value>(&ty).unwrap();
        decoder.finish().unwrap();
        value.to_string()
    }

    #[test]
    fn the_types_are_those_of_the_wire() {
        let set = keyvalue::Set {
            bucket: "b".to_owned(),
            key: "k".to_owned(),
            value: vec![1, 2],
        };
        assert_eq!(shown(&set), r#""b", "k", [1, 2]"#);
        assert_eq!(
            result::<keyvalue::Get>(&Err(keyvalue::Error::Other("no".to_owned()))),
            r#"err(other("no"))"#
        );
        assert_eq!(
            result::<keyvalue::GetMany>(&Ok(vec![None, Some(("k".to_owned(), vec![7]))])),
            r#"ok([none, some(("k", [7]))])"#
        );
        assert_eq!(result::<keyvalue::Increment>(&Ok(300)), "ok(300)");
        let message = messaging::BrokerMessage {
            subject: "s".to_owned(),
            body: vec![3],
            reply_to: None,
        };
        assert_eq!(
            shown(&messaging::HandleMessage { msg: message }),
            r#"{subject: "s", body: [3], reply-to: none}"#
        );
        let id = blobstore::ObjectId {
            container: "c".to_owned(),
            object: "o".to_owned(),
        };
        let data = blobstore::GetContainerData { id, start: 0, end: 9 };
        assert_eq!(shown(&data), r#"{container: "c", object: "o"}, 0, 9"#);
        assert_eq!(
            shown(&blobstore::V01(data)),
            r#"{container: "c", object: "o"}, 0, 9"#
        );
        assert!(of::<blobstore::GetContainerData>().result.is_err());
        assert!(of::<blobstore::WriteContainerData>().params.is_err());
    }
}
