//! What makes calls and watches them: `call` and `spy`.

use std::path::PathBuf;

use clap::Args;
use wasmcloud_core::ComponentId;

use crate::cli::RegistryArgs;
use crate::control::lattice_args::LatticeArgs;

/// Where the types of a component are read from.
#[derive(Debug, Args)]
pub(crate) struct ImageArgs {
    /// Read the types of the functions from this component instead of the image that its host runs: a file, or an image
    /// of a registry.
    #[arg(long, value_name = "FILE|IMAGE")]
    pub(crate) component: Option<String>,
    /// Where pulled images are kept [default: $XDG_CACHE_HOME/wasmcloud].
    #[arg(long, env = "WASMCLOUD_CACHE_DIR", hide_short_help = true, value_name = "DIR")]
    pub(crate) cache_dir: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) registry: RegistryArgs,
}

const CALL_HELP: &str = "\
Examples:
  wash call cart acme:shop/cart.total
  wash call cart acme:shop/cart@1.0.0.add '{sku: \"a1\", amount: 2}' 'some(\"gift\")'
  wash call cart 'add({sku: \"a1\", amount: 2}, none)'
  wash call web wasi:http/incoming-handler.handle --http-path /items --http-method POST --http-body '{}'

A function that returns `err(…)` has answered: that is no failure of the command. An HTTP answer with another status than \
                         2xx is printed and leaves exit code 5.";

#[derive(Debug, Args)]
#[command(after_help = CALL_HELP)]
pub(crate) struct CallArgs {
    /// The id of the component or provider.
    pub(crate) component_id: ComponentId,
    /// The function, as `test:calls/math@0.1.0.add`. The version, the package and the interface may be left out where no
    /// other function is meant then. With the arguments in parentheses it is a whole call.
    #[arg(value_name = "FUNCTION")]
    pub(crate) function: String,
    /// The arguments as WAVE, each a word of its own: `1`, `[1, 2]`, `{x: 1, y: some("a")}`. Where the function takes a
    /// `string`, text that does not begin with `"` stands for itself.
    #[arg(allow_negative_numbers = true, value_name = "ARGUMENT")]
    pub(crate) arguments: Vec<String>,
    #[command(flatten)]
    pub(crate) image: ImageArgs,
    #[command(flatten)]
    pub(crate) http: HttpArgs,
    #[command(flatten)]
    pub(crate) lattice: LatticeArgs,
}

/// The request for `wasi:http/incoming-handler.handle`. The names are those of v1, and ours for what v1 has not.
#[derive(Debug, Args)]
#[command(next_help_heading = "HTTP request, for wasi:http/incoming-handler.handle")]
pub(crate) struct HttpArgs {
    /// The scheme that the component sees.
    #[arg(long, value_name = "SCHEME", default_value = "http")]
    pub(crate) http_scheme: String,
    /// The host that the component sees.
    #[arg(long, value_name = "HOST", default_value = "localhost")]
    pub(crate) http_host: String,
    /// The port that the component sees.
    #[arg(long, value_name = "PORT", default_value_t = 8080)]
    pub(crate) http_port: u16,
    /// The path, with a query behind `?`.
    #[arg(long, value_name = "PATH", default_value = "/")]
    pub(crate) http_path: String,
    /// The method [default: GET, or POST with a body].
    #[arg(long, value_name = "METHOD")]
    pub(crate) http_method: Option<String>,
    /// A header, as `NAME: VALUE`; can be repeated.
    #[arg(long, value_parser = header, value_name = "HEADER")]
    pub(crate) http_header: Vec<(String, String)>,
    /// The body.
    #[arg(long, value_name = "TEXT", conflicts_with = "http_body_path")]
    pub(crate) http_body: Option<String>,
    /// A file with the body.
    #[arg(long, value_name = "FILE")]
    pub(crate) http_body_path: Option<PathBuf>,
    /// The type of the body: the header `content-type`.
    #[arg(long, value_name = "TYPE")]
    pub(crate) http_content_type: Option<String>,
    /// Print the body of the answer as JSON; it is a failure if it is none.
    #[arg(long)]
    pub(crate) http_response_extract_json: bool,
    /// Print status and headers of the answer before its body.
    #[arg(long, short, conflicts_with = "http_response_extract_json")]
    pub(crate) include: bool,
}

const SPY_HELP: &str = "\
What is not seen: calls that stay on one host (a link with `--route lattice` makes them travel), bodies and other \
                        streams, and results where the login may not read the inboxes of others.
Somebody who listens is somebody: while this runs, calls to an id that nobody runs are not refused at once, they wait for \
                        somebody to accept them.";

#[derive(Debug, Args)]
#[command(after_help = SPY_HELP)]
pub(crate) struct SpyArgs {
    /// The id of the component or provider that is called.
    pub(crate) component_id: ComponentId,
    /// Show the calls it makes as well, to the targets that its links have when the command starts.
    #[arg(long)]
    pub(crate) from: bool,
    /// End after this many calls, and the answers to them.
    #[arg(long, short = 'n', value_name = "NUMBER")]
    pub(crate) count: Option<u64>,
    /// Show calls only. Without this, all answers in the lattice are read to find those to these calls.
    #[arg(long)]
    pub(crate) no_results: bool,
    #[command(flatten)]
    pub(crate) image: ImageArgs,
    #[command(flatten)]
    pub(crate) lattice: LatticeArgs,
}

fn header(raw: &str) -> Result<(String, String), String> {
    let (name, value) = raw.split_once(':').ok_or("write NAME: VALUE")?;
    let token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    if name.is_empty() || !name.bytes().all(token) {
        return Err(format!("{name:?} cannot be the name of a header"));
    }
    let value = value.trim();
    match value.chars().any(|c| c.is_control() && c != '\t') {
        true => Err(format!("the value of `{name}` has a control character in it")),
        false => Ok((name.to_ascii_lowercase(), value.to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use super::header;

    #[test]
    fn headers_are_those_of_http() {
        let pair = |name: &str, value: &str| Ok((name.to_owned(), value.to_owned()));
        assert_eq!(header("X-Trace: a:b "), pair("x-trace", "a:b"));
        assert_eq!(header("accept:"), pair("accept", ""));
        for bad in ["accept", ": a", "a b: c", "a: b\r\nc: d"] {
            assert!(header(bad).is_err(), "{bad:?}");
        }
    }
}
