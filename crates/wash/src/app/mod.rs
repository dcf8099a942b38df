//! `wash app`: what can be written (`args`), manifests of files (`load`, `source`), how the controller is reached
//! (`reach`), and a file for each command or two. What runs is the controller's business, and that of hosts.

pub(crate) mod args;
mod change;
mod deploy;
mod diff;
mod export;
mod import;
mod index;
mod load;
mod reach;
mod show;
mod source;
mod status;
mod validate;
mod wadm;
mod wait;
mod why;
mod words;

pub(crate) use self::args::AppCommand;
pub(crate) use self::deploy::{is_stored_already, put};
pub(crate) use self::load::{Loaded, Text};
pub(crate) use self::reach::{asking, failed};
pub(crate) use self::wait::{ROLLED_BACK, SUPERSEDED, Wanted, until_deployed};
use crate::exit::Failure;
use crate::output::Output;

pub(crate) fn run(command: AppCommand, output: &Output) -> Result<(), Failure> {
    if let AppCommand::Validate(args) = &command {
        return validate::run(args, output);
    }
    super::block_on(async move {
        match command {
            AppCommand::Validate(args) => validate::run(&args, output),
            AppCommand::List(args) => show::list(&args, output).await,
            AppCommand::Get(args) => show::get(args, output).await,
            AppCommand::Status(args) => status::run(&args, output).await,
            AppCommand::History(args) => show::history(&args, output).await,
            AppCommand::Versions(args) => show::versions(&args, output).await,
            AppCommand::Put(args) => change::put(&args, output).await,
            AppCommand::Deploy(args) => deploy::deploy(&args, output).await,
            AppCommand::Undeploy(args) => change::undeploy(&args, output).await,
            AppCommand::Delete(args) => change::delete(&args, output).await,
            AppCommand::Rollback(args) => deploy::rollback(&args, output).await,
            AppCommand::Pause(args) => change::pause(&args, output).await,
            AppCommand::Resume(args) => change::resume(&args, output).await,
            AppCommand::Diff(args) => diff::run(&args, output).await,
            AppCommand::Why(args) => why::run(&args, output).await,
            AppCommand::Export(args) => export::run(&args, output).await,
            AppCommand::Import(args) => import::run(&args, output).await,
        }
    })
}
