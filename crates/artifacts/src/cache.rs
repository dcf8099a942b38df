//! Content on disk, shared by all processes of one user: `blobs/sha256/HEX`, and what tags meant when last asked.
//!
//! Everything is verified when it is read, so a torn or altered file costs a download and nothing else. Files come into
//! being whole, by rename, and are never changed: processes need no locks. What was used longest ago goes first when
//! the content outgrows its limit; the time of last use is the file's modification time.

use std::fs::{self, File};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};

use crate::digest::Digest;
use crate::options::CacheOptions;

/// Most remembered tags.
const MAX_TAGS: usize = 10_000;

/// Largest file that says what a tag means, in bytes.
const MAX_TAG_FILE: u64 = 8 << 10;

/// Half-written files of processes that ended are removed after this time.
const ABANDONED: Duration = Duration::from_secs(24 * 3600);

pub(crate) struct Cache {
    blobs: PathBuf,
    tags: PathBuf,
    partial: PathBuf,
    max_bytes: u64,
    /// Held while old content is removed; one clean-up at a time is enough.
    cleaning: Mutex<()>,
}

/// What a tag meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Known {
    pub(crate) digest: Digest,
    /// When the registry last said so.
    pub(crate) checked: SystemTime,
}

#[derive(Serialize, Deserialize)]
struct TagFile {
    reference: String,
    digest: String,
    /// Seconds since 1970.
    checked: u64,
}

impl Cache {
    /// Opens or makes the cache. A cache that cannot be used costs time, not correctness, so this only warns.
    pub(crate) fn open(options: &CacheOptions) -> Option<Self> {
        let cache = Self {
            blobs: options.dir.join("blobs/sha256"),
            tags: options.dir.join("tags"),
            partial: options.dir.join("partial"),
            max_bytes: options.max_bytes,
            cleaning: Mutex::default(),
        };
        let made = [&cache.blobs, &cache.tags, &cache.partial]
            .into_iter()
            .try_for_each(|dir| {
                // Others must not choose what a tag means while the registry is down.
                fs::DirBuilder::new().recursive(true).mode(0o700).create(dir)
            });
        if let Err(error) = made {
            let dir = options.dir.display();
            tracing::warn!(%dir, %error, "no cache for images, they are pulled at each start");
            return None;
        }
        cache.remove_abandoned();
        Some(cache)
    }

    /// The content with this digest, verified, if it is here and has at most `limit` bytes.
    pub(crate) fn load(&self, digest: &Digest, limit: u64) -> Option<Bytes> {
        let path = self.blob(digest);
        let bytes = match read(&path, limit) {
            Ok(bytes) => bytes?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return None,
            Err(error) => {
                tracing::warn!(path = %path.display(), %error, "could not read a cached image");
                return None;
            }
        };
        if Digest::of(&bytes) != *digest {
            tracing::warn!(path = %path.display(), "a cached image is damaged, pulling it again");
            let _ = fs::remove_file(&path);
            return None;
        }
        if let Ok(file) = File::options().append(true).open(&path) {
            let _ = file.set_modified(SystemTime::now());
        }
        Some(bytes.into())
    }

    /// Whether there is content with this digest, not verified.
    pub(crate) fn has(&self, digest: &Digest) -> bool {
        self.blob(digest).exists()
    }

    /// Keeps content that was verified. Failing to is reported and otherwise harmless.
    pub(crate) fn store(&self, digest: &Digest, bytes: &[u8]) {
        let path = self.blob(digest);
        if bytes.len() as u64 > self.max_bytes || path.exists() {
            return;
        }
        if let Err(error) = self.write(&path, bytes) {
            tracing::warn!(path = %path.display(), %error, "could not keep an image in the cache");
        }
        self.clean();
    }

    /// What a tag meant when the registry was last asked.
    pub(crate) fn tag(&self, reference: &str) -> Option<Known> {
        let bytes = read(&self.tag_file(reference), MAX_TAG_FILE).ok()??;
        let file: TagFile = serde_json::from_slice(&bytes).ok()?;
        // The name of the file is a hash; this makes the content speak for itself.
        if file.reference != reference {
            return None;
        }
        Some(Known {
            digest: file.digest.parse().ok()?,
            checked: UNIX_EPOCH.checked_add(Duration::from_secs(file.checked))?,
        })
    }

    /// Remembers what a tag means by the registry's word.
    pub(crate) fn put_tag(&self, reference: &str, digest: &Digest) {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let file = TagFile {
            reference: reference.to_owned(),
            digest: digest.to_string(),
            checked: now.as_secs(),
        };
        let path = self.tag_file(reference);
        let written = serde_json::to_vec(&file)
            .map_err(io::Error::other)
            .and_then(|bytes| self.write(&path, &bytes));
        if let Err(error) = written {
            tracing::warn!(path = %path.display(), %error, "could not remember what a tag means");
        }
    }

    fn blob(&self, digest: &Digest) -> PathBuf {
        self.blobs.join(digest.hex())
    }

    fn tag_file(&self, reference: &str) -> PathBuf {
        self.tags
            .join(format!("{}.json", Digest::of(reference.as_bytes()).hex()))
    }

    fn write(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let unique = NEXT.fetch_add(1, Ordering::Relaxed);
        let partial = self.partial.join(format!("{}.{unique}", std::process::id()));
        // A file of this name is a leftover of an earlier process with this number.
        let _ = fs::remove_file(&partial);
        let result = (|| {
            let mut file = File::options()
                .write(true)
                .create_new(true)
                .mode(0o600)
                .open(&partial)?;
            file.write_all(bytes)?;
            // Without this a crash of the machine may leave zeroes under the final name.
            file.sync_data()?;
            fs::rename(&partial, path)
        })();
        if result.is_err() {
            // A full disk is the likely reason; do not leave the half file behind.
            let _ = fs::remove_file(&partial);
        }
        result
    }

    /// Removes what was used longest ago until the limits hold.
    fn clean(&self) {
        let Some(_cleaning) = self.cleaning.try_lock() else {
            return;
        };
        let mut blobs = list(&self.blobs);
        let mut total: u64 = blobs.iter().map(|file| file.size).sum();
        if total > self.max_bytes {
            blobs.sort_by_key(|file| file.used);
            for file in blobs {
                if total <= self.max_bytes {
                    break;
                }
                tracing::debug!(path = %file.path.display(), size = file.size, "removed an image from the cache");
                // Another process may have been faster; either way it is gone.
                let _ = fs::remove_file(&file.path);
                total = total.saturating_sub(file.size);
            }
        }
        let mut tags = list(&self.tags);
        if tags.len() > MAX_TAGS {
            tags.sort_by_key(|file| file.used);
            let surplus = tags.len() - MAX_TAGS;
            for file in tags.into_iter().take(surplus) {
                let _ = fs::remove_file(&file.path);
            }
        }
    }

    fn remove_abandoned(&self) {
        for file in list(&self.partial) {
            if file.used.elapsed().is_ok_and(|age| age > ABANDONED) {
                let _ = fs::remove_file(&file.path);
            }
        }
    }
}

struct Listed {
    path: PathBuf,
    size: u64,
    used: SystemTime,
}

fn list(dir: &Path) -> Vec<Listed> {
    let entries = fs::read_dir(dir).into_iter().flatten().flatten();
    let listed = entries.filter_map(|entry| {
        let meta = entry.metadata().ok().filter(fs::Metadata::is_file)?;
        Some(Listed {
            path: entry.path(),
            size: meta.len(),
            used: meta.modified().ok()?,
        })
    });
    listed.collect()
}

/// A file of at most `limit` bytes; `None` if it has more.
fn read(path: &Path, limit: u64) -> io::Result<Option<Vec<u8>>> {
    let file = File::open(path)?;
    let size = file.metadata()?.len();
    if size > limit {
        return Ok(None);
    }
    let mut bytes = Vec::with_capacity(usize::try_from(size).unwrap_or(0));
    file.take(limit).read_to_end(&mut bytes)?;
    Ok(Some(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cache(dir: &Path, max_bytes: u64) -> Cache {
        let options = CacheOptions {
            dir: dir.join("cache"),
            max_bytes,
        };
        Cache::open(&options).expect("a cache")
    }

    #[test]
    fn content_is_verified_when_read() {
        let dir = tempfile::tempdir().unwrap();
        let cache = cache(dir.path(), 1000);
        let digest = Digest::of(b"abc");
        assert!(cache.load(&digest, 10).is_none());
        cache.store(&digest, b"abc");
        assert!(cache.has(&digest));
        assert_eq!(cache.load(&digest, 3).as_deref(), Some(b"abc".as_slice()));
        assert_eq!(cache.load(&digest, 2), None, "over the limit of the caller");

        fs::write(cache.blob(&digest), b"abd").unwrap();
        assert_eq!(cache.load(&digest, 10), None);
        assert!(!cache.has(&digest), "what is damaged is removed");
        assert_eq!(list(&cache.partial).len(), 0);
    }

    #[test]
    fn only_this_user_may_read_it() {
        use std::os::unix::fs::PermissionsExt as _;
        let dir = tempfile::tempdir().unwrap();
        let cache = cache(dir.path(), 1000);
        cache.store(&Digest::of(b"abc"), b"abc");
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&dir.path().join("cache")), 0o700);
        assert_eq!(mode(&cache.blob(&Digest::of(b"abc"))), 0o600);
    }

    #[test]
    fn what_was_used_longest_ago_goes_first() {
        let dir = tempfile::tempdir().unwrap();
        let cache = cache(dir.path(), 30);
        let content = |n: u8| vec![n; 10];
        let digest = |n: u8| Digest::of(&content(n));
        for n in 0..3 {
            cache.store(&digest(n), &content(n));
            let used = SystemTime::now() - Duration::from_secs(100 - u64::from(n));
            File::options()
                .append(true)
                .open(cache.blob(&digest(n)))
                .unwrap()
                .set_modified(used)
                .unwrap();
        }
        // The oldest is used again, so the second oldest goes.
        assert!(cache.load(&digest(0), 100).is_some());
        cache.store(&digest(3), &content(3));
        let left: Vec<bool> = (0..4).map(|n| cache.has(&digest(n))).collect();
        assert_eq!(left, [true, false, true, true]);
        // What alone is over the limit is not kept, and pushes nothing out.
        cache.store(&Digest::of(&[9; 31]), &[9; 31]);
        assert!(!cache.has(&Digest::of(&[9; 31])) && cache.has(&digest(3)));
    }

    #[test]
    fn tags_are_remembered_with_their_time() {
        let dir = tempfile::tempdir().unwrap();
        let cache = cache(dir.path(), 1000);
        assert_eq!(cache.tag("r.io/a:1"), None);
        cache.put_tag("r.io/a:1", &Digest::of(b"1"));
        cache.put_tag("r.io/a:1", &Digest::of(b"2"));
        let known = cache.tag("r.io/a:1").unwrap();
        assert_eq!(known.digest, Digest::of(b"2"));
        assert!(known.checked.elapsed().unwrap() < Duration::from_secs(60));
        for nonsense in [
            "",
            "{}",
            r#"{"reference":"r.io/a:1","digest":"x","checked":1}"#,
            r#"{"reference":"r.io/b:1","digest":"sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855","checked":1}"#,
            r#"{"reference":"r.io/a:1","digest":"sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855","checked":18446744073709551615}"#,
        ] {
            fs::write(cache.tag_file("r.io/a:1"), nonsense).unwrap();
            assert_eq!(cache.tag("r.io/a:1"), None, "{nonsense}");
        }
    }

    #[test]
    fn a_cache_that_cannot_be_made_is_done_without() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("cache"), "a file").unwrap();
        let options = CacheOptions::new(dir.path().join("cache"));
        assert!(Cache::open(&options).is_none());
    }
}
