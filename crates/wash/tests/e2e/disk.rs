//! Files that are locked, torn, altered or cannot be written: data stops the start with a clear reason, the cache of
//! compiled code never does.

use std::fs;
use std::io::{Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, ensure};
use wasmcloud_test_kit::guests::example_manifest;
use wasmcloud_test_kit::http::get;
use wasmcloud_test_kit::ports::free_address;
use wasmcloud_test_kit::process::{Launch, SOON};

use crate::support::{WASH, hello, up};

fn counter() -> Result<Launch> {
    up(&example_manifest("http-keyvalue-counter", free_address()?)?)
}

/// The file of the store below a data directory.
fn store(data: &Path) -> Result<PathBuf> {
    let files = fs::read_dir(data.join("keyvalue")).context("list the key-value files")?;
    let mut paths = files.filter_map(|file| file.ok().map(|file| file.path()));
    paths
        .find(|path| path.extension().is_some_and(|end| end == "redb"))
        .context("no redb file")
}

#[test]
fn a_store_that_another_process_has_open() -> Result<()> {
    let first = counter()?;
    let running = first.ready()?;
    // In a lattice of its own, with the same store.
    let other = counter()?;
    fs::create_dir(other.file("data"))?;
    std::os::unix::fs::symlink(
        first.file("data").join("keyvalue"),
        other.file("data").join("keyvalue"),
    )?;
    let ended = other.run()?;
    ensure!(ended.code == 4, "exit code {}\n{}", ended.code, ended.text());
    for word in [".redb", "in use"] {
        ensure!(
            ended.text().contains(word),
            "nothing about {word:?}\n{}",
            ended.text()
        );
    }
    running.stop()?;
    Ok(())
}

#[test]
fn a_store_that_is_corrupt() -> Result<()> {
    let launch = counter()?;
    launch.ready()?.stop()?;
    let path = store(&launch.file("data"))?;
    for content in [b"not a database at all".as_slice(), &[0; 4096], &[0xff; 100_000]] {
        fs::write(&path, content)?;
        let ended = launch.run()?;
        ensure!(ended.code == 4, "exit code {}\n{}", ended.code, ended.text());
        ensure!(
            ended.text().contains(&path.display().to_string()),
            "{}",
            ended.text()
        );
        ensure!(!ended.text().contains("panicked"), "{}", ended.text());
        // What a person may still want to look at is not thrown away.
        ensure!(fs::read(&path)? == content, "the file was changed");
    }
    Ok(())
}

#[test]
fn a_data_directory_that_cannot_be_made() -> Result<()> {
    let launch = counter()?;
    fs::write(launch.file("data"), b"a file")?;
    let ended = launch.run()?;
    ensure!(ended.code == 4, "exit code {}\n{}", ended.code, ended.text());
    ensure!(ended.text().contains("data"), "{}", ended.text());
    Ok(())
}

/// Lines of the log about compiled code.
fn about_the_cache(log: &[String]) -> usize {
    log.iter()
        .filter(|line| line.contains(" WARN ") && line.contains("compil"))
        .count()
}

#[test]
fn a_cache_that_cannot_be_written_costs_only_time() -> Result<()> {
    let address = free_address()?;
    let dir = tempfile::tempdir()?;
    let file = dir.path().join("cache");
    fs::write(&file, b"a file where a directory should be")?;
    let wash = Launch::up(WASH, &file, &hello(address)?.text())?.ready()?;
    get(address, "/")?.expect(200)?;
    assert_eq!(about_the_cache(&wash.stop()?.stderr), 1);
    Ok(())
}

#[test]
fn compiled_code_that_does_not_fit_on_the_disk_costs_only_time() -> Result<()> {
    let (address, dir) = (free_address()?, tempfile::tempdir()?);
    // The lattice has its file elsewhere, in a process that is not limited.
    let lattice = Launch::command(
        WASH,
        &["-o", "json", "up", "--nats-port", "0", "--data-dir", "data"],
    )?;
    let data = lattice.file("data");
    let _lattice = lattice.ready()?;
    // A limit on the size of files fails in the middle of a write, as a full disk does, and needs no rights.
    let limited = "trap '' XFSZ; ulimit -f 64; exec \"$0\" \"$@\"";
    let launch = Launch::command("/bin/sh", &["-c", limited, WASH, "-o", "json", "up"])?;
    let (manifest, cache) = (launch.file("wadm.yaml"), dir.path());
    fs::write(&manifest, hello(address)?.text())?;
    let launch = launch
        .arg(&manifest)
        .arg("--data-dir")
        .arg(data)
        .arg("--cache-dir")
        .arg(cache);
    for _ in 0..2 {
        let wash = launch.ready()?;
        get(address, "/")?.expect(200)?;
        wash.wait_log(&["could not keep compiled code"], SOON)?;
        assert_eq!(about_the_cache(&wash.stop()?.stderr), 1);
        let left = fs::read_dir(cache.join("compiled"))?.flatten();
        let partial: Vec<_> = left
            .map(|file| file.file_name())
            .filter(|name| name != "key")
            .collect();
        assert!(partial.is_empty(), "half files stay: {partial:?}");
    }
    Ok(())
}

#[test]
fn altered_compiled_code_is_never_run() -> Result<()> {
    let address = free_address()?;
    let dir = tempfile::tempdir()?;
    let launch = Launch::up(WASH, dir.path(), &hello(address)?.text())?;
    launch.ready()?.stop()?;
    let path = compiled(dir.path())?;
    let whole = fs::read(&path)?;
    for place in [0, whole.len() / 2, whole.len() - 1] {
        flip(&path, place)?;
        let wash = launch.ready()?;
        get(address, "/")?.expect(200)?;
        let line = wash.wait_log(&["ignored a file in the cache", "MAC"], SOON)?;
        ensure!(line.contains("cwasm"), "{line}");
        assert_eq!(about_the_cache(&wash.stop()?.stderr), 1);
        // Compiled anew, and trusted from then on.
        ensure!(compiled(dir.path())? == path);
        let wash = launch.ready()?;
        assert_eq!(about_the_cache(&wash.stop()?.stderr), 0);
    }
    // Torn and empty files, too.
    for content in [whole.get(..whole.len() / 2).unwrap_or_default(), &[]] {
        fs::write(&path, content)?;
        let wash = launch.ready()?;
        get(address, "/")?.expect(200)?;
        assert_eq!(about_the_cache(&wash.stop()?.stderr), 1);
    }
    // Code of somebody who has another key.
    fs::remove_file(dir.path().join("compiled/key"))?;
    let wash = launch.ready()?;
    get(address, "/")?.expect(200)?;
    assert_eq!(about_the_cache(&wash.stop()?.stderr), 1);
    Ok(())
}

fn compiled(cache: &Path) -> Result<PathBuf> {
    let files = fs::read_dir(cache.join("compiled")).context("list the cache")?;
    let mut paths = files.filter_map(|file| file.ok().map(|file| file.path()));
    paths
        .find(|path| path.extension().is_some_and(|end| end == "cwasm"))
        .context("nothing was kept")
}

fn flip(path: &Path, place: usize) -> Result<()> {
    let mut file = fs::OpenOptions::new().read(true).write(true).open(path)?;
    let mut byte = [0];
    file.seek(SeekFrom::Start(place as u64))?;
    file.read_exact(&mut byte)?;
    file.seek(SeekFrom::Start(place as u64))?;
    file.write_all(&byte.map(|byte| byte ^ 1))?;
    Ok(())
}
