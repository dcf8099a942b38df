//! docs/cli.md: the help of every command, written from the command line's own definition and held to it by a test.

use std::fmt::Write as _;
use std::path::Path;

use clap::CommandFactory as _;

use crate::cli::Cli;

/// Columns of the help texts; that of a terminal depends on the terminal.
const WIDTH: usize = 100;

const HEAD: &str = "# Commands\n\n\
    The help of every command, as `wash COMMAND --help` prints it. Generated: \
    `UPDATE_GENERATED=1 cargo nextest run -p wash reference`.\n";

fn page() -> String {
    let mut text = HEAD.to_owned();
    let mut wash = Cli::command().term_width(WIDTH);
    // Options that all commands share get into their help.
    wash.build();
    let mut last = String::new();
    shared(&mut last, &mut wash);
    add(&mut text, wash);
    text + &last
}

/// The options that commands have which ask hosts. They are on the page once.
const SHARED: &str = "Lattice";

const SHARED_HEAD: &str = "\n## Lattice options\n\n\
    Commands that ask the hosts of a lattice have these as well.\n\n";

/// Whether a command has them: `--context` is theirs alone.
fn asks_hosts(command: &clap::Command) -> bool {
    command.get_arguments().any(|arg| arg.get_id() == "context")
}

fn is_shared(arg: &clap::Arg) -> bool {
    arg.get_help_heading() == Some(SHARED)
}

/// The shared options alone, from a command that has them.
fn shared(text: &mut String, wash: &mut clap::Command) {
    let hosts = wash
        .find_subcommand_mut("get")
        .and_then(|get| get.find_subcommand_mut("hosts"));
    let hosts = hosts.expect("`wash get hosts` asks hosts").clone();
    let mut alone = hosts.term_width(WIDTH).disable_help_flag(true).mut_args(|arg| {
        let shared = is_shared(&arg);
        arg.hide_env_values(true).hide(!shared)
    });
    let help = alone.render_long_help().to_string();
    let from = help.find(&format!("{SHARED}:")).expect("the heading is there");
    text.push_str(SHARED_HEAD);
    fenced(text, &help[from..]);
}

fn fenced(text: &mut String, help: &str) {
    text.push_str("```text\n");
    help.lines().for_each(|line| {
        let _ = writeln!(text, "{}", line.trim_end());
    });
    text.push_str("```\n");
}

fn add(text: &mut String, command: clap::Command) {
    let asks_hosts = asks_hosts(&command);
    // What variables are set to is the business of the machine, not of the page.
    let mut command = command.term_width(WIDTH).mut_args(|arg| {
        let once = asks_hosts && is_shared(&arg);
        arg.hide_env_values(true).hide(once)
    });
    let name = command.get_bin_name().unwrap_or("wash").to_owned();
    let help = command.render_long_help().to_string();
    let _ = write!(text, "\n## `{name}`\n\n");
    fenced(text, &help);
    if asks_hosts {
        text.push_str("\nAnd the [lattice options](#lattice-options).\n");
    }
    let below: Vec<clap::Command> = command.get_subcommands().cloned().collect();
    below
        .into_iter()
        .filter(|command| command.get_name() != "help")
        .for_each(|command| add(text, command));
}

#[test]
fn the_page_is_what_the_commands_say() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/cli.md");
    let page = page();
    if std::env::var_os("UPDATE_GENERATED").is_some() {
        std::fs::write(&path, &page).unwrap();
    }
    let written = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        written == page,
        "docs/cli.md is out of date; UPDATE_GENERATED=1 cargo nextest run -p wash reference"
    );
}
