//! What `serve` says on its way up.

use std::io::{self, Write};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use super::escape;
use super::screen::Screen;
use super::size;
use super::time::duration_ms;
use crate::job::replay::Engine;

/// Files that were loaded.
#[derive(Debug)]
pub(crate) struct Loaded<'a> {
    pub(crate) from: &'a [PathBuf],
    pub(crate) engine: &'a Engine,
    pub(crate) took: Duration,
    /// What becomes of changes.
    pub(crate) how: &'a str,
}

/// What is held, where it came from, how long that took, and what becomes of changes.
///
/// # Errors
/// When it cannot be written.
pub(crate) fn loaded(out: &mut dyn Write, screen: &Screen, loaded: &Loaded<'_>) -> io::Result<()> {
    let Screen { strong, dim, .. } = screen;
    let how = escape::sentence(loaded.how);
    if loaded.from.is_empty() {
        return writeln!(out, "nothing there yet {dim}({how}){dim:#}");
    }
    let names: Vec<String> = loaded.from.iter().map(|p| escape::path(p).to_string()).collect();
    let keys: usize = loaded.engine.keyspaces().map(|(_, space)| space.len()).sum();
    let dbs = loaded.engine.keyspaces().count();
    writeln!(
        out,
        "{strong}{}{strong:#}: {} in {}, {} of memory, loaded in {} {dim}({how}){dim:#}",
        names.join(", "),
        size::counted(keys as u64, "key"),
        size::counted(dbs as u64, "db"),
        size::bytes(loaded.engine.memory() as u64),
        duration_ms(u64::try_from(loaded.took.as_millis()).unwrap_or(u64::MAX)),
    )
}

/// Where it listens, and how to get there.
///
/// # Errors
/// When it cannot be written.
pub(crate) fn listening(
    out: &mut dyn Write,
    screen: &Screen,
    addresses: &[SocketAddr],
) -> io::Result<()> {
    let Screen { good, dim, .. } = screen;
    for address in addresses {
        let (ip, port) = (address.ip(), address.port());
        let host = if ip.is_unspecified() { String::new() } else { format!(" -h {ip}") };
        let host = if ip.is_loopback() && ip.is_ipv4() { String::new() } else { host };
        writeln!(
            out,
            "{good}listening{good:#} on {address} {dim}(redis-cli{host} -p {port}; ctrl-c ends it){dim:#}"
        )?;
    }
    Ok(())
}
