//! The way from the root to a file. Each step opens one folder in the one before, and none follows a symbolic link.

use std::fs::{File, Metadata};
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

use rustix::fs::{AtFlags, Dir, FileType, Mode, OFlags, fsync, mkdirat, openat, renameat, statat, unlinkat};
use rustix::io::Errno;

use super::{failed, name};
use crate::store::{ObjectId, StoreError};

/// How a folder is opened on the way.
const FOLDER: OFlags = OFlags::RDONLY
    .union(OFlags::DIRECTORY)
    .union(OFlags::NOFOLLOW)
    .union(OFlags::CLOEXEC);

/// How an object is opened: a pipe that lies there must not hold anybody up.
const OBJECT: OFlags = OFlags::RDONLY
    .union(OFlags::NOFOLLOW)
    .union(OFlags::NONBLOCK)
    .union(OFlags::CLOEXEC);

/// For folders, before the umask.
const FOLDER_MODE: Mode = Mode::RWXU.union(Mode::RWXG).union(Mode::RWXO);

/// Attempts at something that another call may have made impossible in the same moment: a folder that was just empty is
/// removed while an object is about to be put there.
const ATTEMPTS: usize = 3;

/// The folder of the containers.
pub(super) struct Root {
    dir: OwnedFd,
}

/// The folder that an object is in, and the name of its file there.
struct Place<'a> {
    folder: OwnedFd,
    file: &'a str,
}

impl Root {
    /// Opens the folder, and makes it if it is not there.
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        std::fs::create_dir_all(path)?;
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let dir = rustix::fs::open(path, flags, Mode::empty())?;
        Ok(Self { dir })
    }

    /// The folder for objects that are being written.
    pub(super) fn uploads(&self) -> io::Result<OwnedFd> {
        Ok(enter(&self.dir, name::UPLOADS, Way::Made)?)
    }

    /// The folder of a container.
    pub(super) fn container(&self, container: &str) -> Result<OwnedFd, StoreError> {
        self.container_on(container, Way::Found)
    }

    /// The same, made if it is not there.
    pub(super) fn make_container(&self, container: &str) -> Result<OwnedFd, StoreError> {
        self.container_on(container, Way::Made)
    }

    fn container_on(&self, container: &str, way: Way) -> Result<OwnedFd, StoreError> {
        let name = name::container(container)?;
        enter(&self.dir, name, way).map_err(|error| match error {
            Errno::NOENT => StoreError::NoSuchContainer(container.to_owned()),
            Errno::NOTDIR | Errno::LOOP => StoreError::Other(format!(
                "container `{container}` is no folder; symbolic links are not followed"
            )),
            error => failed(format!("open container `{container}`"), error),
        })
    }

    /// The place of an object.
    fn place<'a>(&self, id: &'a ObjectId, way: Way) -> Result<Place<'a>, StoreError> {
        let (parts, file) = name::object(id)?;
        let mut folder = self.container_on(&id.container, way)?;
        for part in parts {
            folder = enter(&folder, part, way).map_err(|error| match error {
                Errno::NOENT => StoreError::NoSuchObject(id.clone()),
                Errno::NOTDIR | Errno::LOOP if is_link(&folder, part) => link_in_the_way(id, part),
                Errno::NOTDIR | Errno::LOOP if way == Way::Found => StoreError::NoSuchObject(id.clone()),
                Errno::NOTDIR | Errno::LOOP => StoreError::InTheWay {
                    id: id.clone(),
                    reason: format!("`{part}` is an object, and no folder for others"),
                },
                error => failed(
                    format!("open the folder `{part}` of object `{}`", id.object),
                    error,
                ),
            })?;
        }
        Ok(Place { folder, file })
    }

    /// Makes the container and the folders on the way to an object.
    pub(super) fn make_way(&self, id: &ObjectId) -> Result<(), StoreError> {
        self.place(id, Way::Made).map(drop)
    }

    /// An object that is there, open for reading.
    pub(super) fn object(&self, id: &ObjectId) -> Result<(File, Metadata), StoreError> {
        let place = self.place(id, Way::Found)?;
        let none = || StoreError::NoSuchObject(id.clone());
        let file = openat(&place.folder, place.file, OBJECT, Mode::empty()).map_err(|error| match error {
            Errno::NOENT | Errno::NXIO => none(),
            Errno::LOOP => link_in_the_way(id, place.file),
            error => failed(format!("open object `{}`", id.object), error),
        })?;
        let file = File::from(file);
        let metadata = file
            .metadata()
            .map_err(|error| failed(format!("look at object `{}`", id.object), error))?;
        match metadata.is_file() {
            true => Ok((file, metadata)),
            false => Err(none()),
        }
    }

    /// Removes an object, and the folders that are empty then. That it is not there is no error.
    pub(super) fn remove_object(&self, id: &ObjectId) -> Result<(), StoreError> {
        let removed = self.place(id, Way::Found).and_then(|place| {
            // Of a link it removes the link, and of a folder nothing.
            match unlinkat(&place.folder, place.file, AtFlags::empty()) {
                Ok(()) | Err(Errno::NOENT | Errno::ISDIR) => Ok(()),
                Err(error) => Err(failed(format!("delete object `{}`", id.object), error)),
            }
        });
        match removed {
            Ok(()) => self.prune(id),
            Err(StoreError::NoSuchObject(_) | StoreError::NoSuchContainer(_)) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Removes the folders of an object that are empty, from the innermost on. Those that are not stay.
    fn prune(&self, id: &ObjectId) -> Result<(), StoreError> {
        let (parts, _) = name::object(id)?;
        let mut folders = vec![self.container(&id.container)?];
        for part in &parts {
            match folders.last().map(|folder| enter(folder, part, Way::Found)) {
                Some(Ok(folder)) => folders.push(folder),
                _ => break,
            }
        }
        for (folder, part) in folders.iter().zip(&parts).rev() {
            if unlinkat(folder, *part, AtFlags::REMOVEDIR).is_err() {
                break;
            }
        }
        Ok(())
    }

    /// Moves an object that is there.
    pub(super) fn move_object(&self, from: &ObjectId, to: &ObjectId) -> Result<(), StoreError> {
        let source = self.place(from, Way::Found)?;
        self.put(&source.folder, source.file, to)?;
        match from == to {
            true => Ok(()),
            false => self.prune(from),
        }
    }

    /// Moves a file to the place of an object, and has the disk know it.
    pub(super) fn put(&self, folder: &OwnedFd, file: &str, to: &ObjectId) -> Result<(), StoreError> {
        let mut attempts = ATTEMPTS;
        loop {
            let place = self.place(to, Way::Made)?;
            match renameat(folder, file, &place.folder, place.file) {
                Ok(()) => {
                    return fsync(&place.folder)
                        .map_err(|error| failed("wait for the disk to have an object", error));
                }
                Err(Errno::NOENT) if attempts > 1 => attempts -= 1,
                Err(Errno::ISDIR | Errno::NOTEMPTY | Errno::EXIST) => {
                    return Err(StoreError::InTheWay {
                        id: to.clone(),
                        reason: format!("there are objects below `{}/`", to.object),
                    });
                }
                Err(error) => return Err(failed(format!("put object `{}` in its place", to.object), error)),
            }
        }
    }

    /// Removes everything in a container.
    pub(super) fn clear_container(&self, container: &str) -> Result<(), StoreError> {
        let folder = self.container(container)?;
        empty(&folder, name::MAX_DEPTH)
            .map_err(|error| failed(format!("remove the objects of container `{container}`"), error))
    }

    /// Removes a container with everything in it.
    pub(super) fn remove_container(&self, container: &str) -> Result<(), StoreError> {
        let mut attempts = ATTEMPTS;
        loop {
            self.clear_container(container)?;
            match unlinkat(&self.dir, name::container(container)?, AtFlags::REMOVEDIR) {
                Ok(()) => return Ok(()),
                // Somebody writes to it.
                Err(Errno::NOTEMPTY | Errno::EXIST) if attempts > 1 => attempts -= 1,
                Err(Errno::NOENT) => return Err(StoreError::NoSuchContainer(container.to_owned())),
                Err(error) => return Err(failed(format!("delete container `{container}`"), error)),
            }
        }
    }
}

/// Whether folders that are not there are made.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    Found,
    Made,
}

/// One step: opens a folder in another.
fn enter(folder: &OwnedFd, name: &str, way: Way) -> Result<OwnedFd, Errno> {
    if way == Way::Made {
        match mkdirat(folder, name, FOLDER_MODE) {
            Ok(()) => fsync(folder)?,
            Err(Errno::EXIST) => {}
            Err(error) => return Err(error),
        }
    }
    openat(folder, name, FOLDER, Mode::empty())
}

/// A step for a listing: the folder with this name in another one, if it is one.
pub(super) fn below(folder: impl AsFd, name: &std::ffi::CStr) -> Result<OwnedFd, Errno> {
    openat(folder, name, FOLDER, Mode::empty())
}

fn is_link(folder: &OwnedFd, name: &str) -> bool {
    let found = statat(folder, name, AtFlags::SYMLINK_NOFOLLOW);
    found.is_ok_and(|stat| FileType::from_raw_mode(stat.st_mode) == FileType::Symlink)
}

fn link_in_the_way(id: &ObjectId, part: &str) -> StoreError {
    StoreError::InTheWay {
        id: id.clone(),
        reason: format!("`{part}` is a symbolic link, which is not followed"),
    }
}

/// Removes everything in a folder, at most so many levels deep. Links are removed, and not what they lead to.
fn empty(folder: &OwnedFd, levels: usize) -> Result<(), Errno> {
    for entry in Dir::read_from(folder)? {
        let entry = entry?;
        let name = entry.file_name();
        if matches!(name.to_bytes(), b"." | b"..") {
            continue;
        }
        match unlinkat(folder, name, AtFlags::empty()) {
            Ok(()) | Err(Errno::NOENT) => continue,
            Err(Errno::ISDIR) => {}
            Err(error) => return Err(error),
        }
        let levels = levels.checked_sub(1).ok_or(Errno::NAMETOOLONG)?;
        empty(&below(folder, name)?, levels)?;
        match unlinkat(folder, name, AtFlags::REMOVEDIR) {
            // Something was put there meanwhile: it stays.
            Ok(()) | Err(Errno::NOENT | Errno::NOTEMPTY | Errno::EXIST) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}
