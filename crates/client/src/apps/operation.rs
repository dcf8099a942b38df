//! What is asked for, in words, and what a reply says came of it.

use wasmcloud_wire::Message;
use wasmcloud_wire::app::{
    DeleteReply, DeleteResult, DeployReply, DeployResult, GetReply, GetResult, HistoryReply, ListReply,
    ModelOperation, PutReply, PutResult, StatusReply, StatusResult, VersionsReply, WhyReply,
};

/// What an operation asks for, in words that go on after "cannot" and before a colon.
pub(super) fn asked(operation: &ModelOperation) -> String {
    match operation {
        ModelOperation::Put => "put the manifest".to_owned(),
        ModelOperation::List | ModelOperation::BareList => "list the applications".to_owned(),
        ModelOperation::Get(app) => format!("read the manifest of application `{app}`"),
        ModelOperation::Versions(app) => format!("list the versions of application `{app}`"),
        ModelOperation::Delete(app) => format!("delete application `{app}`"),
        ModelOperation::Deploy(app) => format!("deploy application `{app}`"),
        ModelOperation::Undeploy(app) => format!("undeploy application `{app}`"),
        ModelOperation::Status(app) => format!("read the status of application `{app}`"),
        ModelOperation::History(app) => format!("read the history of application `{app}`"),
        ModelOperation::Rollback(app) => format!("roll back application `{app}`"),
        ModelOperation::Pause(app) => format!("pause application `{app}`"),
        ModelOperation::Resume(app) => format!("resume application `{app}`"),
        ModelOperation::Why(app) => format!("find out why application `{app}` is as it is"),
    }
}

/// Whether it changes nothing.
pub(super) fn only_reads(operation: &ModelOperation) -> bool {
    matches!(
        operation,
        ModelOperation::List
            | ModelOperation::BareList
            | ModelOperation::Get(_)
            | ModelOperation::Versions(_)
            | ModelOperation::Status(_)
            | ModelOperation::History(_)
            | ModelOperation::Why(_)
    )
}

/// Whether v1's wadm does not know it, or answers it with an error in any case.
pub(super) fn is_ours(operation: &ModelOperation) -> bool {
    matches!(
        operation,
        ModelOperation::History(_)
            | ModelOperation::Rollback(_)
            | ModelOperation::Pause(_)
            | ModelOperation::Resume(_)
            | ModelOperation::Why(_)
    )
}

/// What came of a question.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// It was done, or is known.
    Done,
    /// What it is about does not exist.
    NotFound,
    /// It was not done.
    Refused,
}

/// A reply of the manifest API.
pub(super) trait Reply: Message {
    /// What came of it.
    fn outcome(&self) -> Outcome;
    /// What it says for people.
    fn message(&self) -> &str;
}

macro_rules! replies {
    ($($reply:ty),*) => {
        $(impl Reply for $reply {
            fn outcome(&self) -> Outcome {
                self.result.into()
            }

            fn message(&self) -> &str {
                &self.message
            }
        })*
    };
}

replies!(
    PutReply,
    GetReply,
    ListReply,
    VersionsReply,
    DeleteReply,
    DeployReply,
    StatusReply,
    HistoryReply,
    WhyReply
);

impl From<PutResult> for Outcome {
    fn from(result: PutResult) -> Self {
        match result {
            PutResult::Created | PutResult::NewVersion => Self::Done,
            PutResult::Error => Self::Refused,
        }
    }
}

impl From<GetResult> for Outcome {
    fn from(result: GetResult) -> Self {
        match result {
            GetResult::Success => Self::Done,
            GetResult::NotFound => Self::NotFound,
            GetResult::Error => Self::Refused,
        }
    }
}

impl From<DeleteResult> for Outcome {
    fn from(result: DeleteResult) -> Self {
        match result {
            // That there was nothing to delete is what somebody wanted.
            DeleteResult::Deleted | DeleteResult::Noop => Self::Done,
            DeleteResult::Error => Self::Refused,
        }
    }
}

impl From<DeployResult> for Outcome {
    fn from(result: DeployResult) -> Self {
        match result {
            DeployResult::Acknowledged => Self::Done,
            DeployResult::NotFound => Self::NotFound,
            DeployResult::Error => Self::Refused,
        }
    }
}

impl From<StatusResult> for Outcome {
    fn from(result: StatusResult) -> Self {
        match result {
            StatusResult::Ok => Self::Done,
            StatusResult::NotFound => Self::NotFound,
            StatusResult::Error => Self::Refused,
        }
    }
}
