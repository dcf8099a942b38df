//! What is in the component files of a manifest: a revision names them, so that another file in the place of one is
//! another revision.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use wasmcloud_artifacts::Digest;

use crate::app::Loaded;

/// Hexadecimal digits that tell contents apart: 128 bits.
const DIGITS: usize = 32;

/// A hash of each file, by path. Files that cannot be read are left out: the host says what is wrong with them. So it
/// does with those that are larger than `limit`, in bytes, of which no more is read.
pub(crate) async fn of(loaded: &Loaded, limit: u64) -> BTreeMap<String, String> {
    let files: Vec<PathBuf> = loaded.files().map(Path::to_path_buf).collect();
    let read = move || files.iter().filter_map(|file| hash(file, limit)).collect();
    tokio::task::spawn_blocking(read).await.unwrap_or_default()
}

fn hash(path: &Path, limit: u64) -> Option<(String, String)> {
    let name = path.to_str()?.to_owned();
    // Opening what is no file may wait for somebody else to open it as well.
    let meta = std::fs::metadata(path).ok().filter(std::fs::Metadata::is_file)?;
    if meta.len() > limit {
        return None;
    }
    let file = File::open(path).ok()?;
    let digest = Digest::of_reader(file.take(limit.saturating_add(1))).ok()?;
    let mut digits = digest.hex();
    digits.truncate(DIGITS);
    Some((name, digits))
}
