//! `wrpc:blobstore`: how `wasi:blobstore` travels (wire reference §4.6). A container is its name, an error is a text.
//!
//! There are two versions. The calls here are of 0.2.0; [`V01`] around one is the same call of 0.1.0, which v1 falls
//! back to where nobody serves the newer. They differ in how streams end: 0.2.0 says in a future whether all went well,
//! 0.1.0 has nothing to say it with.
//!
//! | call | 0.2.0 | 0.1.0 |
//! |---|---|---|
//! | [`ListContainerObjects`] | [`Listing`]: names on [`STREAM`], its end on [`OUTCOME`] | names on [`RESULT`] |
//! | [`GetContainerData`] | [`Data`]: bytes on [`STREAM`], its end on [`OUTCOME`] | bytes on [`RESULT`] |
//! | [`WriteContainerData`], bytes on [`WRITTEN`] of the parameters | its end on [`RESULT`] | nothing |

use super::macros::{call, record};
use super::path::IndexPath;
use super::payload::{Call, Payload};
use super::stream::{FutureOf, StreamOf};
use crate::value::{DecodeError, Decoder};

/// The interface that the calls here are of.
pub const BLOBSTORE: &str = "wrpc:blobstore/blobstore@0.2.0";
/// The older interface, [`V01`].
pub const BLOBSTORE_V01: &str = "wrpc:blobstore/blobstore@0.1.0";

/// Where in the parameters of [`WriteContainerData`] the bytes are.
pub const WRITTEN: IndexPath = IndexPath::of([1]);
/// Where in the results a stream is that has an outcome.
pub const STREAM: IndexPath = IndexPath::of([0, 0]);
/// Where in the results the outcome of a stream is, an [`Outcome`].
pub const OUTCOME: IndexPath = IndexPath::of([0, 1]);
/// Where in the results a stream or outcome is that is the whole result.
pub const RESULT: IndexPath = IndexPath::of([0]);

/// What the future beside a stream carries: whether all of it was read or written.
pub type Outcome = Result<(), String>;
/// Names of objects, as a `stream<string>`, and how the listing ended.
pub type Listing = (StreamOf<String>, FutureOf<Outcome>);
/// Bytes of an object, as a `stream<u8>`, and how reading ended.
pub type Data = (StreamOf<u8>, FutureOf<Outcome>);

record! {
    /// What is known of a container.
    ContainerMetadata {
        /// When it was made, in seconds since 1970.
        created_at: u64 = "created-at",
    }
}

record! {
    /// What is known of an object.
    ObjectMetadata {
        /// When it was made, in seconds since 1970.
        created_at: u64 = "created-at",
        /// How many bytes it has.
        size: u64 = "size",
    }
}

record! {
    /// An object in a container.
    ObjectId {
        /// The container.
        container: String = "container",
        /// The name of the object in it.
        object: String = "object",
    }
}

call! {
    /// Removes all objects of a container.
    ClearContainer {
        /// The container.
        name: String = "name",
    } = "clear-container" @ BLOBSTORE => Result<(), String>
}

call! {
    /// Whether there is a container.
    ContainerExists {
        /// The container.
        name: String = "name",
    } = "container-exists" @ BLOBSTORE => Result<bool, String>
}

call! {
    /// Makes a container.
    CreateContainer {
        /// The container.
        name: String = "name",
    } = "create-container" @ BLOBSTORE => Result<(), String>
}

call! {
    /// Removes a container with all its objects.
    DeleteContainer {
        /// The container.
        name: String = "name",
    } = "delete-container" @ BLOBSTORE => Result<(), String>
}

call! {
    /// What is known of a container.
    GetContainerInfo {
        /// The container.
        name: String = "name",
    } = "get-container-info" @ BLOBSTORE => Result<ContainerMetadata, String>
}

call! {
    /// The names of the objects in a container.
    ListContainerObjects {
        /// The container.
        name: String = "name",
        /// How many at most.
        limit: Option<u64> = "limit",
        /// How many to skip.
        offset: Option<u64> = "offset",
    } = "list-container-objects" @ BLOBSTORE => Result<Listing, String>,
    results at [STREAM, OUTCOME]
}

call! {
    /// Copies an object.
    CopyObject {
        /// From where.
        src: ObjectId = "src",
        /// To where.
        dest: ObjectId = "dest",
    } = "copy-object" @ BLOBSTORE => Result<(), String>
}

call! {
    /// Removes an object.
    DeleteObject {
        /// Which one.
        id: ObjectId = "id",
    } = "delete-object" @ BLOBSTORE => Result<(), String>
}

call! {
    /// Removes some objects of a container.
    DeleteObjects {
        /// The container.
        container: String = "container",
        /// Which ones.
        objects: Vec<String> = "objects",
    } = "delete-objects" @ BLOBSTORE => Result<(), String>
}

call! {
    /// The bytes of an object.
    GetContainerData {
        /// Which one.
        id: ObjectId = "id",
        /// From which byte on.
        start: u64 = "start",
        /// Up to which byte; whether that one is included depends on the provider (wire reference §5.2).
        end: u64 = "end",
    } = "get-container-data" @ BLOBSTORE => Result<Data, String>,
    results at [STREAM, OUTCOME]
}

call! {
    /// What is known of an object.
    GetObjectInfo {
        /// Which one.
        id: ObjectId = "id",
    } = "get-object-info" @ BLOBSTORE => Result<ObjectMetadata, String>
}

call! {
    /// Whether there is an object.
    HasObject {
        /// Which one.
        id: ObjectId = "id",
    } = "has-object" @ BLOBSTORE => Result<bool, String>
}

call! {
    /// Moves an object.
    MoveObject {
        /// From where.
        src: ObjectId = "src",
        /// To where.
        dest: ObjectId = "dest",
    } = "move-object" @ BLOBSTORE => Result<(), String>
}

call! {
    /// Writes an object.
    WriteContainerData {
        /// Which one.
        id: ObjectId = "id",
        /// Its bytes, `stream<u8>`.
        data: StreamOf<u8> = "data",
    } = "write-container-data" @ BLOBSTORE => Result<FutureOf<Outcome>, String>,
    params at [WRITTEN],
    results at [RESULT]
}

/// A call of version 0.1.0; the parameters are the same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct V01<T>(pub T);

impl<T: Payload> Payload for V01<T> {
    fn encode(&self, out: &mut Vec<u8>) {
        self.0.encode(out);
    }

    fn decode(from: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        T::decode(from).map(Self)
    }
}

macro_rules! v01 {
    ($($call:ident => $result:ty $(, params at $params:expr)? $(, results at $results:expr)?;)*) => {
        $(impl Call for V01<$call> {
            const INSTANCE: &'static str = BLOBSTORE_V01;
            const FUNCTION: &'static str = <$call as Call>::FUNCTION;
            $(const PARAM_PATHS: &'static [IndexPath] = &$params;)?
            $(const RESULT_PATHS: &'static [IndexPath] = &$results;)?
            type Result = $result;
        })*
    };
}

v01! {
    ClearContainer => Result<(), String>;
    ContainerExists => Result<bool, String>;
    CreateContainer => Result<(), String>;
    DeleteContainer => Result<(), String>;
    GetContainerInfo => Result<ContainerMetadata, String>;
    ListContainerObjects => Result<StreamOf<String>, String>, results at [RESULT];
    CopyObject => Result<(), String>;
    DeleteObject => Result<(), String>;
    DeleteObjects => Result<(), String>;
    GetContainerData => Result<StreamOf<u8>, String>, results at [RESULT];
    GetObjectInfo => Result<ObjectMetadata, String>;
    HasObject => Result<bool, String>;
    MoveObject => Result<(), String>;
    WriteContainerData => Result<(), String>, params at [WRITTEN];
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id() -> ObjectId {
        ObjectId {
            container: "c".to_owned(),
            object: "o".to_owned(),
        }
    }

    #[test]
    fn calls_are_the_bytes_of_their_parts() {
        let read = GetContainerData {
            id: id(),
            start: 0,
            end: 300,
        };
        assert_eq!(read.to_bytes(), [1, b'c', 1, b'o', 0, 0xac, 0x02]);
        let write = WriteContainerData {
            id: id(),
            data: StreamOf::Pending,
        };
        assert_eq!(write.to_bytes(), [1, b'c', 1, b'o', 0]);
        let listing: <ListContainerObjects as Call>::Result = Ok((StreamOf::Pending, FutureOf::Pending));
        assert_eq!(listing.to_bytes(), [0, 0, 0]);
        let written: <WriteContainerData as Call>::Result = Ok(FutureOf::Pending);
        assert_eq!(written.to_bytes(), [0, 0]);
        assert_eq!(Outcome::Err("x".to_owned()).to_bytes(), [1, 1, b'x']);
    }

    #[test]
    fn the_older_version_has_other_results() {
        let write = V01(WriteContainerData {
            id: id(),
            data: StreamOf::Pending,
        });
        assert_eq!(write.to_bytes(), write.0.to_bytes());
        assert_eq!(
            <V01<WriteContainerData> as Call>::Result::from_bytes(&[0]),
            Ok(Ok(()))
        );
        assert_eq!(
            <V01<WriteContainerData> as Call>::FUNCTION,
            "write-container-data"
        );
        assert_eq!(<V01<WriteContainerData> as Call>::INSTANCE, BLOBSTORE_V01);
        assert_eq!(
            <V01<GetContainerData> as Call>::Result::from_bytes(&[0, 0]),
            Ok(Ok(StreamOf::Pending))
        );
        assert_eq!(<V01<GetContainerData> as Call>::RESULT_PATHS, [RESULT]);
    }
}
