//! What `cargo xtask bench` starts and measures with. One program with a subcommand for each benchmark, because each
//! program with a host in it takes minutes to link.
//!
//! | subcommand | is for |
//! |---|---|
//! | `bare-hyper` | an HTTP server that does the least |
//! | `call` | calls between components of one host |
//! | `control` | a client that asks a host |
//! | `lattice` | calls from host to host |

mod bare_hyper;
mod call;
mod control;
mod lattice;

use anyhow::{Result, bail};

#[tokio::main]
async fn main() -> Result<()> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    match words.split_first() {
        Some((name, words)) if name == "bare-hyper" => bare_hyper::main(words).await,
        Some((name, words)) if name == "call" => call::main(words).await,
        Some((name, words)) if name == "control" => control::main(words).await,
        Some((name, words)) if name == "lattice" => lattice::main(words).await,
        _ => bail!("usage: bench-kit bare-hyper|call|control|lattice …"),
    }
}
