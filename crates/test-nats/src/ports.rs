//! Ports for servers that tests start.
//!
//! The kernel's own choice (port 0) lies in the range that outgoing connections are given too, so a port that was
//! free a moment ago may be somebody's when the server binds it. These ports lie below that range, and no two tests
//! on this machine are given the same one within some thousand.

use std::fs::{self, File};
use std::io::{Read as _, Seek as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};

use anyhow::{Context as _, Result, bail};

const FIRST: u16 = 18_000;
const LAST: u16 = 31_999;

/// An address on loopback where nobody listens.
pub fn free_address() -> Result<SocketAddr> {
    let path = std::env::temp_dir().join("wasmcloud-test-kit-port");
    let mut file = fs::OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .open(&path)
        .with_context(|| format!("open {}", path.display()))?;
    // Held until the file is closed: tests are processes of their own and take turns here.
    file.lock().with_context(|| format!("lock {}", path.display()))?;
    let mut text = String::new();
    file.read_to_string(&mut text)
        .with_context(|| format!("read {}", path.display()))?;
    let mut port = text.trim().parse().unwrap_or(FIRST);
    for _ in FIRST..=LAST {
        port = if (FIRST..LAST).contains(&port) {
            port + 1
        } else {
            FIRST
        };
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        if TcpListener::bind(address).is_ok() {
            note(&mut file, port).with_context(|| format!("write {}", path.display()))?;
            return Ok(address);
        }
    }
    bail!("no port between {FIRST} and {LAST} is free")
}

fn note(file: &mut File, port: u16) -> std::io::Result<()> {
    file.rewind()?;
    file.set_len(0)?;
    write!(file, "{port}")
}
