//! What can be written after `wash keys`, `wash par` and `wash claims`. Names, short forms and variables are those of
//! v1 (wire reference §7.2).

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};
use wasmcloud_artifacts::par::Target;

use crate::cli::InspectArgs;

#[derive(Debug, Subcommand)]
pub(crate) enum KeysCommand {
    /// Make a pair of keys and print it. Nothing is stored.
    Gen(KeysGenArgs),
    /// Print the seed of a stored key.
    Get(KeysGetArgs),
    /// List the names of the stored keys.
    List(KeysListArgs),
}

#[derive(Debug, Args)]
pub(crate) struct KeysGenArgs {
    /// What the key is for; `component` means module, `provider` service, `host` server and `x25519` curve.
    #[arg(value_enum, ignore_case = true)]
    pub(crate) kind: KeyKind,
}

/// The kinds of nkeys.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum KeyKind {
    Account,
    User,
    #[value(alias = "component")]
    Module,
    #[value(alias = "provider")]
    Service,
    #[value(alias = "host")]
    Server,
    Operator,
    Cluster,
    #[value(alias = "x25519", alias = "xkey")]
    Curve,
}

#[derive(Debug, Args)]
pub(crate) struct KeysGetArgs {
    /// The name of the key; the file is `NAME.nk`.
    pub(crate) name: String,
    #[command(flatten)]
    pub(crate) folder: KeyFolder,
}

#[derive(Debug, Args)]
pub(crate) struct KeysListArgs {
    #[command(flatten)]
    pub(crate) folder: KeyFolder,
}

#[derive(Debug, Args)]
pub(crate) struct KeyFolder {
    /// The folder with the keys [default: $WASH_KEYS_DIR, else $XDG_DATA_HOME/wasmcloud/keys].
    #[arg(long, short, env = "WASH_KEYS", value_name = "FOLDER")]
    pub(crate) directory: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum ParCommand {
    /// Make a signed provider archive with the program for one target.
    Create(Box<ParCreateArgs>),
    /// Show the claims and targets of a provider archive.
    Inspect(InspectArgs),
    /// Add the program for a target to an archive, or replace it, and sign the archive anew.
    Insert(ParInsertArgs),
}

#[derive(Debug, Args)]
pub(crate) struct ParCreateArgs {
    /// Who made the provider.
    #[arg(long, short)]
    pub(crate) vendor: String,
    /// The name of the provider.
    #[arg(long, short)]
    pub(crate) name: String,
    #[command(flatten)]
    pub(crate) program: ProgramArgs,
    /// A number that grows with each release.
    #[arg(long, short)]
    pub(crate) revision: Option<i32>,
    /// The version of the provider, for people.
    #[arg(long)]
    pub(crate) version: Option<String>,
    /// A file with the JSON schema of what links to the provider can be configured with.
    #[arg(long, short = 'j', env = "WASH_JSON_SCHEMA", value_name = "FILE")]
    pub(crate) schema: Option<PathBuf>,
    /// The folder with the WIT of the provider, which becomes part of the archive.
    #[arg(long, value_name = "FOLDER")]
    pub(crate) wit_directory: Option<PathBuf>,
    /// The archive [default: the name of the program, with `.par` or `.par.gz`].
    #[arg(long, value_name = "FILE")]
    pub(crate) destination: Option<PathBuf>,
    /// Compress the archive; `.gz` is added to its name.
    #[arg(long)]
    pub(crate) compress: bool,
    #[command(flatten)]
    pub(crate) folder: KeyFolder,
    #[command(flatten)]
    pub(crate) signers: Signers,
}

#[derive(Debug, Args)]
pub(crate) struct ParInsertArgs {
    /// The archive, which is replaced.
    pub(crate) archive: PathBuf,
    #[command(flatten)]
    pub(crate) program: ProgramArgs,
    #[command(flatten)]
    pub(crate) folder: KeyFolder,
    #[command(flatten)]
    pub(crate) signers: Signers,
}

#[derive(Debug, Args)]
pub(crate) struct ProgramArgs {
    /// What the program runs on, ARCH-OS.
    #[arg(long, short, default_value_t = Target::here())]
    pub(crate) arch: Target,
    /// The program.
    #[arg(long, short, value_name = "FILE")]
    pub(crate) binary: PathBuf,
}

/// Who signs, and for whom.
#[derive(Debug, Args)]
pub(crate) struct Signers {
    /// The seed of who signs, or better a file with it [default: a stored key].
    #[arg(
        long,
        short,
        env = "WASH_ISSUER_KEY",
        hide_env_values = true,
        value_name = "FILE_OR_SEED"
    )]
    pub(crate) issuer: Option<String>,
    /// The seed of what is signed for, or better a file with it [default: a stored key; when an archive is signed
    /// anew, whatever it was].
    #[arg(
        long,
        short,
        env = "WASH_SUBJECT_KEY",
        hide_env_values = true,
        value_name = "FILE_OR_SEED"
    )]
    pub(crate) subject: Option<String>,
    /// Do not make and store keys that are missing.
    #[arg(long)]
    pub(crate) disable_keygen: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum ClaimsCommand {
    /// Show the claims of a component or provider archive.
    Inspect(InspectArgs),
    /// Sign a component: its claims become part of it.
    Sign(Box<ClaimsSignArgs>),
    /// Print signed claims that are part of nothing.
    #[command(subcommand)]
    Token(Box<TokenCommand>),
}

#[derive(Debug, Args)]
pub(crate) struct ClaimsSignArgs {
    /// The component.
    pub(crate) source: PathBuf,
    /// The signed component [default: beside the other, with `_s` at the end of its name].
    #[arg(long, short, value_name = "FILE")]
    pub(crate) destination: Option<PathBuf>,
    /// The name of the component [default: that of the file].
    #[arg(long, short)]
    pub(crate) name: Option<String>,
    #[command(flatten)]
    pub(crate) about: ComponentArgs,
    #[command(flatten)]
    pub(crate) common: TokenArgs,
    #[command(flatten)]
    pub(crate) signers: Signers,
}

#[derive(Debug, Args)]
pub(crate) struct ComponentArgs {
    /// A tag; can be repeated.
    #[arg(long = "tag", short = 't', value_name = "TAG")]
    pub(crate) tags: Vec<String>,
    /// A number that grows with each release.
    #[arg(long = "rev", short = 'r', alias = "revision", value_name = "REVISION")]
    pub(crate) revision: Option<i32>,
    /// The version, for people.
    #[arg(long = "ver", short = 'v', alias = "version", value_name = "VERSION")]
    pub(crate) version: Option<String>,
    /// Another name to call the component by: lower-case letters, digits, `_` and `/`.
    #[arg(long, short = 'a', value_parser = call_alias, value_name = "ALIAS")]
    pub(crate) call_alias: Option<String>,
}

/// Where keys are, and for how long claims hold.
#[derive(Debug, Args)]
pub(crate) struct TokenArgs {
    /// The folder with the keys [default: $WASH_KEYS_DIR, else $XDG_DATA_HOME/wasmcloud/keys].
    #[arg(long, env = "WASH_KEYS", value_name = "FOLDER")]
    pub(crate) directory: Option<PathBuf>,
    /// The claims hold for so many days [default: for ever].
    #[arg(long, short = 'x', value_name = "DAYS")]
    pub(crate) expires: Option<u64>,
    /// The claims hold only after so many days [default: at once].
    #[arg(long, short = 'b', value_name = "DAYS")]
    pub(crate) nbf: Option<u64>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum TokenCommand {
    /// Claims about a component, signed by an account.
    Component(TokenComponentArgs),
    /// Claims of an operator about itself.
    Operator(TokenOperatorArgs),
    /// Claims about an account, signed by an operator.
    Account(TokenAccountArgs),
    /// Claims about a provider, signed by an account.
    Provider(TokenProviderArgs),
}

#[derive(Debug, Args)]
pub(crate) struct TokenComponentArgs {
    /// The name of the component.
    #[arg(long, short)]
    pub(crate) name: String,
    #[command(flatten)]
    pub(crate) about: ComponentArgs,
    #[command(flatten)]
    pub(crate) common: TokenArgs,
    #[command(flatten)]
    pub(crate) signers: Signers,
}

#[derive(Debug, Args)]
pub(crate) struct TokenProviderArgs {
    /// The name of the provider.
    #[arg(long, short)]
    pub(crate) name: String,
    /// Who made the provider.
    #[arg(long, short)]
    pub(crate) vendor: String,
    /// A number that grows with each release.
    #[arg(long, short)]
    pub(crate) revision: Option<i32>,
    /// The version, for people.
    #[arg(long, short = 'e')]
    pub(crate) version: Option<String>,
    #[command(flatten)]
    pub(crate) common: TokenArgs,
    #[command(flatten)]
    pub(crate) signers: Signers,
}

#[derive(Debug, Args)]
pub(crate) struct TokenAccountArgs {
    /// The name of the account.
    #[arg(long, short)]
    pub(crate) name: String,
    #[command(flatten)]
    pub(crate) more: AdditionalKeys,
    #[command(flatten)]
    pub(crate) common: TokenArgs,
    #[command(flatten)]
    pub(crate) signers: Signers,
}

#[derive(Debug, Args)]
pub(crate) struct TokenOperatorArgs {
    /// The name of the operator.
    #[arg(long, short)]
    pub(crate) name: String,
    /// The seed of the operator, or better a file with it [default: a stored key].
    #[arg(
        long,
        short,
        env = "WASH_ISSUER_KEY",
        hide_env_values = true,
        value_name = "FILE_OR_SEED"
    )]
    pub(crate) issuer: Option<String>,
    /// Do not make and store a key that is missing.
    #[arg(long)]
    pub(crate) disable_keygen: bool,
    #[command(flatten)]
    pub(crate) more: AdditionalKeys,
    #[command(flatten)]
    pub(crate) common: TokenArgs,
}

#[derive(Debug, Args)]
pub(crate) struct AdditionalKeys {
    /// Another key that may sign: a public key, a seed, or a file with a seed; can be repeated.
    #[arg(long = "additional-key", short = 'a', value_name = "KEY")]
    pub(crate) keys: Vec<String>,
}

/// The rules and messages are those of v1.
fn call_alias(raw: &str) -> Result<String, String> {
    let is_key = raw.len() == 56 && raw.bytes().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit());
    let fine = |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, b'_' | b'/');
    if raw.is_empty() {
        Err("Call alias cannot be empty".to_owned())
    } else if is_key {
        Err("Public key cannot be used as a call alias".to_owned())
    } else if raw.bytes().all(fine) {
        Ok(raw.to_owned())
    } else {
        Err(
            "Call alias contained invalid characters: lower-case letters, digits, `_` and `/` are allowed"
                .to_owned(),
        )
    }
}
