//! How the manifest API says no.

use wasmcloud_lattice::Message;
use wasmcloud_wire::Message as _;
use wasmcloud_wire::app::{ErrorReply, GetResult, ListReply, ModelOperation, VersionsReply, message};
use wasmcloud_wire::message::chain;
use wasmcloud_wire::subject::UnsupportedSubject;

use super::Reply;
use crate::store::StoreError;

/// A refusal as v1's clients read it: they understand no list without the list itself.
pub(super) fn refused(operation: &ModelOperation, message: String) -> Reply {
    let result = GetResult::Error;
    match operation {
        ModelOperation::List => ListReply {
            result,
            message,
            models: Vec::new(),
        }
        .encode(),
        ModelOperation::Versions(_) => VersionsReply {
            result,
            message,
            versions: Vec::new(),
        }
        .encode(),
        _ => ErrorReply::new(message).encode(),
    }
}

/// The answer to what nobody can answer.
pub(super) fn unsupported(question: &Message, error: &UnsupportedSubject) -> Reply {
    // The texts of the errors repeat the subject, cut where it is long.
    let subject = question.subject.as_str();
    let shown = subject
        .get(..subject.floor_char_boundary(256))
        .unwrap_or_default();
    let text = match error {
        UnsupportedSubject::Name { source, .. } => format!("{}: {source}", message::invalid(shown)),
        _ => message::unsupported(shown),
    };
    ErrorReply::new(text).encode()
}

/// An error as clients are told of it.
pub(super) fn failed(error: &StoreError) -> String {
    match error {
        // It has its causes in its text, and may be long: all that is wrong with a manifest.
        StoreError::Manifest(_) => error.to_string(),
        _ => chain(error),
    }
}

#[cfg(test)]
mod tests {
    use wasmcloud_core::AppName;

    use super::*;

    #[test]
    fn a_refusal_has_the_list_that_v1s_client_wants() {
        let text = |operation| String::from_utf8(refused(&operation, "why".to_owned())).unwrap();
        let app: AppName = "shop".parse().unwrap();
        let list = r#"{"result":"error","message":"why","models":[]}"#;
        let versions = r#"{"result":"error","message":"why","versions":[]}"#;
        assert_eq!(text(ModelOperation::List), list);
        assert_eq!(text(ModelOperation::Versions(app.clone())), versions);
        assert_eq!(
            text(ModelOperation::Get(app)),
            r#"{"result":"error","message":"why"}"#
        );
    }
}
