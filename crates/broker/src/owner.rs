//! Which process has what we wanted, in words for an error message. Best effort: nothing here can fail.

use std::fs;

/// A process as `1234 (wash)`.
pub(crate) fn process(pid: u32) -> String {
    match fs::read_to_string(format!("/proc/{pid}/comm")) {
        Ok(name) => format!("{pid} ({})", name.trim()),
        Err(_) => pid.to_string(),
    }
}

/// The process that listens on a TCP port of this machine, as far as this user may see it.
pub(crate) fn of_port(port: u16) -> Option<String> {
    let tables = ["/proc/net/tcp", "/proc/net/tcp6"];
    let socket = tables.iter().find_map(|table| {
        let table = fs::read_to_string(table).ok()?;
        let found = table.lines().find_map(|line| listening_socket(line, port));
        found.map(str::to_owned)
    })?;
    let link = format!("socket:[{socket}]");
    let mut pids = fs::read_dir("/proc")
        .ok()?
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    pids.find(|pid| {
        let files = fs::read_dir(format!("/proc/{pid}/fd"))
            .into_iter()
            .flatten()
            .flatten();
        let mut links = files.filter_map(|file| fs::read_link(file.path()).ok());
        links.any(|found| found.as_os_str() == link.as_str())
    })
    .map(process)
}

/// The inode of the socket that listens on this port, from a line of proc(5): number, local address and port in
/// hexadecimal, remote address, state (0A is listening), …, and as tenth the inode.
fn listening_socket(line: &str, port: u16) -> Option<&str> {
    let columns: Vec<&str> = line.split_whitespace().collect();
    let (_, local) = columns.get(1)?.rsplit_once(':')?;
    let listens = *columns.get(3)? == "0A" && u16::from_str_radix(local, 16) == Ok(port);
    columns.get(9).copied().filter(|_| listens)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_listening_socket_of_the_port_counts() {
        let line = "   0: 0100007F:107E 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 4711 1";
        assert_eq!(listening_socket(line, 4222), Some("4711"));
        assert_eq!(listening_socket(line, 4223), None);
        assert_eq!(listening_socket(&line.replace(" 0A ", " 01 "), 4222), None);
        assert_eq!(listening_socket("", 4222), None);
    }

    #[test]
    fn our_own_port_is_ours() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let owner = of_port(listener.local_addr().unwrap().port()).unwrap();
        assert!(owner.starts_with(&format!("{} (", std::process::id())), "{owner}");
    }
}
