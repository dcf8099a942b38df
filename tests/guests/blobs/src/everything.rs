//! Each function of the contract once.

use crate::wasi::blobstore::blobstore;
use crate::wasi::blobstore::container::Container;
use crate::wasi::blobstore::types::{IncomingValue, ObjectId, OutgoingValue};
use crate::{body, expect, put, read, write};

pub(crate) fn everything(name: &str) -> Result<(), String> {
    expect("a container at first", blobstore::container_exists(name)?, false)?;
    if blobstore::get_container(name).is_ok() {
        return Err("a container that is not there was found".to_owned());
    }
    let made = blobstore::create_container(name)?;
    expect("a container", blobstore::container_exists(name)?, true)?;
    expect("name", made.name()?, name.to_owned())?;
    let info = blobstore::get_container(name)?.info()?;
    expect("name in the info", info.name, name.to_owned())?;

    objects(&made)?;
    parts(&made)?;
    names(&made)?;
    elsewhere(name, &made)?;

    made.delete_objects(&["copy".to_owned(), "none".to_owned()])?;
    expect(
        "after a batch",
        listed(&made)?,
        ["a", "moved"].map(str::to_owned).to_vec(),
    )?;
    made.clear()?;
    expect("after clear", listed(&made)?, Vec::new())?;
    put(&made, "last", b"x")?;
    blobstore::delete_container(name)?;
    expect(
        "a container in the end",
        blobstore::container_exists(name)?,
        false,
    )
}

fn objects(container: &Container) -> Result<(), String> {
    expect("an object at first", container.has_object("a")?, false)?;
    put(container, "a", b"first")?;
    put(container, "a", b"0123456789")?;
    expect("an object", container.has_object("a")?, true)?;
    let info = container.object_info("a")?;
    expect("info", (info.name.as_str(), info.size), ("a", 10))?;
    expect("container in the info", info.container, container.name()?)?;
    // Written before anybody knows where it goes, and an empty one without a stream.
    let value = OutgoingValue::new_outgoing_value();
    let stream = body(&value)?;
    write(&stream, b"below")?;
    drop(stream);
    expect(
        "a second stream",
        value.outgoing_value_write_body().is_err(),
        true,
    )?;
    container.write_data("dir/b", &value)?;
    expect(
        "a second place",
        container.write_data("dir/c", &value).is_err(),
        true,
    )?;
    OutgoingValue::finish(value)?;
    put(container, "empty", b"")?;
    expect(
        "a value without a place",
        OutgoingValue::finish(OutgoingValue::new_outgoing_value()).is_err(),
        true,
    )
}

fn whole(container: &Container, object: &str, start: u64, end: u64) -> Result<Vec<u8>, String> {
    IncomingValue::incoming_value_consume_sync(container.get_data(object, start, end)?)
}

fn parts(container: &Container) -> Result<(), String> {
    expect("all", whole(container, "a", 0, u64::MAX)?, b"0123456789".to_vec())?;
    expect("a part", whole(container, "a", 3, 5)?, b"34".to_vec())?;
    expect("below", whole(container, "dir/b", 0, 100)?, b"below".to_vec())?;
    expect("nothing", whole(container, "empty", 0, 100)?, Vec::new())?;
    let value = container.get_data("a", 8, 100)?;
    expect("size of a part", value.size(), 2)?;
    let stream = IncomingValue::incoming_value_consume_async(value)?;
    let mut all = Vec::new();
    while let Some(bytes) = read(&stream)? {
        all.extend(bytes);
    }
    expect("a part as a stream", all, b"89".to_vec())?;
    expect("backwards", container.get_data("a", 5, 4).is_err(), true)?;
    // A provider may find out late.
    expect("none", whole(container, "none", 0, 1).is_err(), true)?;
    expect("info of none", container.object_info("none").is_err(), true)
}

fn listed(container: &Container) -> Result<Vec<String>, String> {
    let names = container.list_objects()?;
    let mut all = Vec::new();
    loop {
        let (some, end) = names.read_stream_object_names(1000)?;
        all.extend(some);
        if end {
            all.sort();
            return Ok(all);
        }
    }
}

fn names(container: &Container) -> Result<(), String> {
    let expected = ["a", "dir/b", "empty"].map(str::to_owned).to_vec();
    expect("names", listed(container)?, expected)?;
    let names = container.list_objects()?;
    let (one, end) = names.read_stream_object_names(1)?;
    expect("one name", (one.len(), end), (1, false))?;
    expect("one skipped", names.skip_stream_object_names(1)?, (1, false))?;
    let (one, end) = names.read_stream_object_names(10)?;
    expect("the last name", (one.len(), end), (1, true))?;
    expect(
        "skipped at the end",
        names.skip_stream_object_names(5)?,
        (0, true),
    )
}

fn elsewhere(name: &str, container: &Container) -> Result<(), String> {
    let id = |object: &str| ObjectId {
        container: name.to_owned(),
        object: object.to_owned(),
    };
    blobstore::copy_object(&id("a"), &id("copy"))?;
    blobstore::move_object(&id("dir/b"), &id("moved"))?;
    expect(
        "a copy",
        whole(container, "copy", 0, 100)?,
        b"0123456789".to_vec(),
    )?;
    expect("moved", whole(container, "moved", 0, 100)?, b"below".to_vec())?;
    expect("what was moved", container.has_object("dir/b")?, false)?;
    expect(
        "a move of none",
        blobstore::move_object(&id("none"), &id("x")).is_err(),
        true,
    )?;
    container.delete_object("empty")?;
    container.delete_object("empty")?;
    expect("what was deleted", container.has_object("empty")?, false)
}
