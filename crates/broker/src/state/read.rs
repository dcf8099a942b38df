//! The read thread: what is durable, from a snapshot that later writes do not change.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::Receiver;

use redb::{Database, ReadableDatabase as _};
use wasmcloud_wire::state_api::{
    BucketName, Done, Entry, ErrorKind, Key, MAX_PAGE_LEN, PAGE_BYTES, Prefix, Refusal, Reply, Request, Value,
};

use super::file::{BUCKETS, ENTRIES, StateFile};
use super::{Answers, Job, refusal};

/// What an entry of a page takes besides its key and value: names of fields, a number of 20 digits, punctuation.
const FRAME: usize = 64;

/// Reads until the last sender is gone.
pub(super) fn run(file: &StateFile, queue: &Receiver<Job>, mut answers: Answers) {
    for job in queue {
        let reply = {
            let database = file.database();
            match &*database {
                // The next write opens it again.
                None => Err(refusal(
                    ErrorKind::Unavailable,
                    "the state could not be read or written",
                )),
                Some(database) => {
                    let read = || read(database, &job.bucket, &job.request);
                    catch_unwind(AssertUnwindSafe(read)).unwrap_or_else(|_panic| {
                        Err(refusal(ErrorKind::Unavailable, "reading the state panicked"))
                    })
                }
            }
        };
        answers.answer(&job.reply, &reply);
    }
}

fn read(database: &Database, bucket: &BucketName, request: &Request) -> Reply {
    let done = match request {
        Request::Get { key } => get(database, bucket, key),
        Request::List { prefix, after, limit } => {
            list(database, bucket, prefix.as_ref(), after.as_ref(), *limit).map(Ok)
        }
        Request::Put { .. } | Request::Delete { .. } => {
            return Err(refusal(ErrorKind::Unavailable, "writes are not read"));
        }
    };
    done.unwrap_or_else(|error| {
        tracing::error!(%error, "read the state");
        Err(refusal(
            ErrorKind::Unavailable,
            format!("cannot read the state: {error}"),
        ))
    })
}

fn get(database: &Database, bucket: &BucketName, key: &Key) -> Result<Reply, redb::Error> {
    let entries = database.begin_read()?.open_table(ENTRIES)?;
    let Some(found) = entries.get((bucket.as_str(), key.as_str()))? else {
        return Ok(Err(Refusal {
            kind: ErrorKind::NotFound,
            message: format!("`{key}` does not exist"),
            revision: None,
        }));
    };
    let (revision, _, value) = found.value();
    Ok(Value::new(value)
        .map(|value| {
            Done::Got(Entry {
                key: key.clone(),
                revision,
                value,
            })
        })
        .map_err(|error| refusal(ErrorKind::Unavailable, error.to_string())))
}

fn list(
    database: &Database,
    bucket: &BucketName,
    prefix: Option<&Prefix>,
    after: Option<&Key>,
    limit: Option<u32>,
) -> Result<Done, redb::Error> {
    let transaction = database.begin_read()?;
    let buckets = transaction.open_table(BUCKETS)?;
    let revision = buckets
        .get(bucket.as_str())?
        .map_or(0, |revision| revision.value());
    let limit = limit.map_or(MAX_PAGE_LEN, |limit| (limit as usize).clamp(1, MAX_PAGE_LEN));
    let prefix = prefix.map_or("", Prefix::as_str);
    let after = after.map_or("", Key::as_str);
    let table = transaction.open_table(ENTRIES)?;
    let mut entries = Vec::new();
    let mut bytes = 0;
    let mut more = false;
    for found in table.range((bucket.as_str(), prefix.max(after))..)? {
        let (found, stored) = found?;
        let (in_bucket, key) = found.value();
        if in_bucket != bucket.as_str() {
            break;
        }
        if key <= after {
            continue;
        }
        if !key.starts_with(prefix) {
            break;
        }
        if entries.len() >= limit || bytes >= PAGE_BYTES {
            more = true;
            break;
        }
        let (revision, _, value) = stored.value();
        // Only what was parsed and checked is ever written.
        let (Ok(key), Ok(value)) = (key.parse::<Key>(), Value::new(value)) else {
            continue;
        };
        bytes += FRAME + key.as_str().len() + value.as_bytes().len().div_ceil(3) * 4;
        entries.push(Entry { key, revision, value });
    }
    Ok(Done::Page {
        entries,
        revision,
        more,
    })
}
