//! The write thread: many requests, one transaction, one fsync.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use wasmcloud_wire::state_api::{ErrorKind, Refusal, Reply};

use super::apply::{Changes, Tables};
use super::file::StateFile;
use super::{Answers, Job, refusal};
use crate::config::StateLimits;

/// Most requests in one transaction: bounds how long the first of them waits for the last.
const GROUP: usize = 512;

/// Most entries that expire in one transaction.
const EXPIRE_AT_ONCE: usize = 512;

/// How long it sleeps at most while an entry is to expire: the clock may be set meanwhile.
const CLOCK_CHECK: Duration = Duration::from_secs(1);

/// Writes until the last sender is gone.
pub(super) fn run(file: &StateFile, queue: &Receiver<Job>, limits: &StateLimits, mut answers: Answers) {
    // Unknown at first: what expired while nobody ran goes before the first request is looked at.
    let mut next_expiry = Some(0);
    loop {
        let mut group = Vec::new();
        match wait(queue, next_expiry) {
            Ok(job) => group.push(job),
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return,
        }
        group.extend(queue.try_iter().take(GROUP - group.len()));
        if group.is_empty() && next_expiry.is_none_or(|at| at > now()) {
            continue;
        }
        match commit(file, &group, limits) {
            Ok(committed) => {
                next_expiry = committed.next_expiry;
                // Changes first: a client that has its answer has the change as well, if it watches.
                for (bucket, change) in &committed.changes {
                    answers.put_change(bucket, change);
                }
                for (job, reply) in group.iter().zip(&committed.replies) {
                    answers.put_answer(&job.reply, reply);
                }
            }
            Err(refusal) => {
                for job in &group {
                    answers.put_answer(&job.reply, &Err(refusal.clone()));
                }
                // What was to expire still is, but not at once: the disk needs time to get better.
                next_expiry = next_expiry.map(|at| at.max(now() + CLOCK_CHECK.as_millis() as u64));
            }
        }
        answers.flush();
    }
}

fn wait(queue: &Receiver<Job>, next_expiry: Option<u64>) -> Result<Job, RecvTimeoutError> {
    match next_expiry {
        None => queue.recv().map_err(|_| RecvTimeoutError::Disconnected),
        Some(at) => {
            let left = Duration::from_millis(at.saturating_sub(now()));
            queue.recv_timeout(left.min(CLOCK_CHECK))
        }
    }
}

/// Milliseconds since 1970.
fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

struct Committed {
    replies: Vec<Reply>,
    changes: Changes,
    next_expiry: Option<u64>,
}

/// One transaction. A refusal is everyone's: nothing is known to be written.
fn commit(file: &StateFile, group: &[Job], limits: &StateLimits) -> Result<Committed, Refusal> {
    file.ensure_open()
        .map_err(|error| refusal(ErrorKind::Unavailable, error.to_string()))?;
    // redb asserts where a release build would return an error; this thread must not end with it.
    let result = catch_unwind(AssertUnwindSafe(|| transaction(file, group, limits)));
    let refusal = match result {
        Ok(Ok(committed)) => return Ok(committed),
        Ok(Err(error)) => explain(&error),
        Err(_panic) => refusal(ErrorKind::Unavailable, "writing the state panicked"),
    };
    tracing::error!(error = %refusal, "write the state; the file has to be reopened");
    file.close();
    Err(refusal)
}

fn transaction(file: &StateFile, group: &[Job], limits: &StateLimits) -> Result<Committed, redb::Error> {
    let database = file.database();
    let Some(database) = &*database else {
        return Err(redb::Error::DatabaseClosed);
    };
    let transaction = database.begin_write()?;
    let now = now();
    let mut tables = Tables::open(&transaction, limits)?;
    tables.expire(now, EXPIRE_AT_ONCE)?;
    let replies = group
        .iter()
        .map(|job| tables.apply(&job.bucket, &job.request, now))
        .collect::<Result<Vec<_>, _>>()?;
    let (changes, next_expiry) = tables.finish()?;
    if changes.is_empty() {
        transaction.abort()?;
    } else {
        // Returns after the fsync.
        transaction.commit()?;
    }
    Ok(Committed {
        replies,
        changes,
        next_expiry,
    })
}

fn explain(error: &redb::Error) -> Refusal {
    let full = matches!(
        error,
        redb::Error::Io(io) if matches!(
            io.kind(),
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge
        )
    );
    let kind = if full {
        ErrorKind::Full
    } else {
        ErrorKind::Unavailable
    };
    refusal(kind, format!("cannot write the state: {error}"))
}
