//! The folder with the seeds: files `NAME.nk` that only their owner may read.

use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, anyhow, bail};
use nkeys::KeyPair;

use super::args::KeyKind;
use super::files;
use crate::output::Output;
use crate::up::dirs;

/// What the names of files end with.
const EXTENSION: &str = "nk";
/// Longest file that is read as a seed, in bytes; a seed has 58.
const MAX_SEED_FILE: u64 = 4 << 10;
/// The other name of the variable for the folder, which v1 has too.
const SECOND_VARIABLE: &str = "WASH_KEYS_DIR";

/// A folder with keys. It need not exist to be asked.
pub(super) struct KeyDir(PathBuf);

/// Where the key of a signature comes from.
pub(super) struct Wanted<'a> {
    /// A file or seed that was written on the command line.
    pub(super) given: Option<&'a str>,
    /// What the key is for.
    pub(super) kind: KeyKind,
    /// What a stored key is called after.
    pub(super) stem: &'a str,
    /// Whether a missing key is made.
    pub(super) make: bool,
}

impl KeyDir {
    /// The folder that was named, or the usual one.
    pub(super) fn find(named: Option<&Path>) -> Self {
        let variable = || std::env::var_os(SECOND_VARIABLE).filter(|value| !value.is_empty());
        let folder = named
            .map(Path::to_path_buf)
            .or_else(|| variable().map(PathBuf::from));
        Self(folder.unwrap_or_else(|| dirs::data().join("keys")))
    }

    pub(super) fn path(&self) -> &Path {
        &self.0
    }

    /// The names of the keys, sorted.
    pub(super) fn names(&self) -> Result<Vec<String>> {
        let entries = match fs::read_dir(&self.0) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(error).with_context(|| format!("list {}", self.0.display())),
        };
        let mut names = Vec::new();
        for entry in entries {
            let path = entry
                .with_context(|| format!("list {}", self.0.display()))?
                .path();
            if path.extension().is_some_and(|extension| extension == EXTENSION) {
                names.extend(path.file_stem().and_then(|stem| stem.to_str()).map(str::to_owned));
            }
        }
        names.sort();
        Ok(names)
    }

    /// The key of this name, if there is one.
    pub(super) fn get(&self, name: &str) -> Result<Option<KeyPair>> {
        let file = self.file(name)?;
        match file.symlink_metadata() {
            Ok(_) => read_seed(&file).map(Some),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error).with_context(|| format!("read {}", file.display())),
        }
    }

    /// Stores a key under a name that is free.
    fn put(&self, name: &str, key: &KeyPair) -> Result<PathBuf> {
        let file = self.file(name)?;
        let seed = key.seed().context("the key has no seed")?;
        let mut folder = fs::DirBuilder::new();
        folder
            .recursive(true)
            .mode(0o700)
            .create(&self.0)
            .with_context(|| format!("make {}", self.0.display()))?;
        let mut options = OpenOptions::new();
        let written = options
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&file)
            .and_then(|mut to| to.write_all(seed.as_bytes()).and_then(|()| to.sync_all()));
        written.with_context(|| format!("write {}", file.display()))?;
        Ok(file)
    }

    /// The key for a signature: what was given, else a stored key, else a new one, which is stored.
    pub(super) fn key(&self, wanted: &Wanted<'_>, output: &Output) -> Result<KeyPair> {
        let key = match wanted.given {
            Some(given) => given_key(given)?,
            None => self.stored(wanted, output)?,
        };
        check_kind(&key, wanted.kind)?;
        Ok(key)
    }

    fn stored(&self, wanted: &Wanted<'_>, output: &Output) -> Result<KeyPair> {
        let kind = wanted.kind.name();
        // An account signs for much, so it belongs to a person and not to what is signed (wire reference §7.6).
        let name = match wanted.kind {
            KeyKind::Account => format!("{}_{kind}", user()),
            _ => format!("{}_{kind}", wanted.stem),
        };
        if let Some(key) = self.get(&name)? {
            return Ok(key);
        }
        if !wanted.make {
            bail!(
                "there is no key `{name}` in {}; hint: name a file with its seed, or leave out --disable-keygen",
                self.0.display()
            );
        }
        let key = KeyPair::new(wanted.kind.of_nkeys());
        let file = self.put(&name, &key)?;
        output.note(&format!(
            "made a new {kind} key and stored it in {}",
            file.display()
        ));
        Ok(key)
    }

    /// A name is the name of a file, and of no other folder.
    fn file(&self, name: &str) -> Result<PathBuf> {
        let outside = name.is_empty() || name.starts_with('.') || name.contains(['/', '\\', '\0']);
        if outside || name.len() > 200 {
            bail!("{name:?} cannot be the name of a key; it may not have `/` in it nor start with a dot");
        }
        Ok(self.0.join(format!("{name}.{EXTENSION}")))
    }
}

/// Who uses this machine, as v1 asks for it.
fn user() -> String {
    std::env::var("USER")
        .ok()
        .filter(|user| !user.is_empty())
        .unwrap_or_else(|| "user".to_owned())
}

/// A file with a seed, or the seed itself.
pub(super) fn given_key(given: &str) -> Result<KeyPair> {
    let path = Path::new(given);
    if path.exists() {
        return read_seed(path);
    }
    // What was given is not repeated: it may be a seed with a letter missing.
    KeyPair::from_seed(given.trim()).map_err(|_| anyhow!("a key that was given is neither a file nor a seed"))
}

fn read_seed(file: &Path) -> Result<KeyPair> {
    let bytes = files::read(file, MAX_SEED_FILE)?;
    let seed = std::str::from_utf8(&bytes).ok().map(str::trim);
    seed.and_then(|seed| KeyPair::from_seed(seed).ok())
        .with_context(|| format!("{} does not hold the seed of an nkey", file.display()))
}

fn check_kind(key: &KeyPair, kind: KeyKind) -> Result<()> {
    if key.key_pair_type() == kind.of_nkeys() {
        return Ok(());
    }
    let wanted = kind.name();
    bail!(
        "this takes a key of kind {wanted}, and `{}` is of another; hint: `wash keys gen {wanted}` makes one",
        key.public_key()
    )
}
