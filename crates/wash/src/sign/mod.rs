//! Keys, claims and provider archives: `wash keys`, `wash claims`, `wash par`. No host and no lattice is asked.
//!
//! `args` is what can be written, `keydir` the folder with the seeds, `files` how files are read and replaced. `keys`,
//! `claims` and `archive` are the commands, `describe` what they and `wash inspect` say about claims. What a token, a
//! signed component and an archive are is known to `wasmcloud-artifacts`.

mod archive;
pub(crate) mod args;
mod claims;
pub(crate) mod describe;
mod files;
mod keydir;
mod keys;

use self::args::{ClaimsCommand, KeysCommand, ParCommand};
use crate::exit::{Failure, INVALID};
use crate::inspect;
use crate::output::Output;

pub(crate) fn keys(command: &KeysCommand, output: &Output) -> Result<(), Failure> {
    let done = match command {
        KeysCommand::Gen(args) => keys::generate(args, output),
        KeysCommand::Get(args) => keys::get(args, output),
        KeysCommand::List(args) => keys::list(args, output),
    };
    done.map_err(|error| Failure::new(INVALID, "key", error))
}

pub(crate) fn par(command: ParCommand, output: &Output) -> Result<(), Failure> {
    let done = match command {
        ParCommand::Create(args) => archive::create(*args, output),
        ParCommand::Insert(args) => archive::insert(&args, output),
        ParCommand::Inspect(args) => return inspect::claims(&args, output),
    };
    done.map_err(|error| Failure::new(INVALID, "archive", error))
}

pub(crate) fn claims(command: ClaimsCommand, output: &Output) -> Result<(), Failure> {
    let done = match command {
        ClaimsCommand::Inspect(args) => return inspect::claims(&args, output),
        ClaimsCommand::Sign(args) => claims::sign(*args, output),
        ClaimsCommand::Token(command) => claims::token(*command, output),
    };
    done.map_err(|error| Failure::new(INVALID, "claims", error))
}
