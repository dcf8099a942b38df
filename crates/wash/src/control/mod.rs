//! Commands that ask the hosts of a lattice: what can be written (`args`, `lattice_args`), how the lattice is reached
//! (`connect`, `context`), what is printed (`table`, `report`), what can be called (`functions`), and a file for each
//! command.

pub(crate) mod args;
mod call;
mod config;
pub(crate) mod connect;
mod context;
mod ctx;
mod events;
mod functions;
mod get;
pub(crate) mod inventory;
mod label;
pub(crate) mod lattice_args;
mod link;
mod report;
mod scale;
mod secrets;
mod spy;
mod start;
mod stop;
pub(crate) mod table;

pub(crate) use self::args::ControlCommand;
use self::args::{GetCommand, LinkCommand, ScaleCommand, StartCommand, StopCommand, UpdateCommand};
use crate::exit::Failure;
use crate::output::Output;

pub(crate) fn run(command: ControlCommand, output: &Output) -> Result<(), Failure> {
    if let ControlCommand::Ctx(command) = command {
        return ctx::run(command, output);
    }
    super::block_on(async move {
        match command {
            ControlCommand::Get(GetCommand::Hosts(args)) => get::hosts(&args, output).await,
            ControlCommand::Get(GetCommand::Inventory(args)) => inventory::run(&args, output).await,
            ControlCommand::Get(GetCommand::Links(args)) | ControlCommand::Link(LinkCommand::Query(args)) => {
                get::links(&args, output).await
            }
            ControlCommand::Get(GetCommand::Claims(args)) => get::claims(&args, output).await,
            ControlCommand::Start(StartCommand::Component(args)) => start::component(args, output).await,
            ControlCommand::Start(StartCommand::Provider(args)) => start::provider(args, output).await,
            ControlCommand::Stop(StopCommand::Component(args)) => stop::component(&args, output).await,
            ControlCommand::Stop(StopCommand::Provider(args)) => stop::provider(&args, output).await,
            ControlCommand::Stop(StopCommand::Host(args)) => stop::stop_host(&args, output).await,
            ControlCommand::Scale(ScaleCommand::Component(args)) => scale::scale(args, output).await,
            ControlCommand::Update(UpdateCommand::Component(args)) => scale::update(args, output).await,
            ControlCommand::Link(LinkCommand::Put(args)) => link::put(args, output).await,
            ControlCommand::Link(LinkCommand::Del(args)) => link::del(args, output).await,
            ControlCommand::Config(command) => config::run(command, output).await,
            ControlCommand::Secrets(command) => secrets::run(command, output).await,
            ControlCommand::Label(args) => label::run(&args, output).await,
            ControlCommand::Events(args) => events::run(&args, output).await,
            ControlCommand::Call(args) => call::run(&args, output).await,
            ControlCommand::Spy(args) => spy::run(&args, output).await,
            ControlCommand::Ctx(command) => ctx::run(command, output),
        }
    })
}
