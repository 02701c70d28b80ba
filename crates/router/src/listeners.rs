//! Who listens on a port of this network namespace.

use std::fs;
use std::path::PathBuf;

use miniupnpd::check::Listener;
use miniupnpd::mapping::Transport;

use super::processes::{self, Running};

/// TCP's state of a socket that listens (the kernel's tcp_states.h).
const LISTEN: &str = "0A";

/// `None`: the kernel's tables cannot be read.
pub(super) fn of(ports: &[(Transport, u16)]) -> Option<Vec<Listener>> {
    let sockets: Vec<_> =
        sockets()?.into_iter().filter(|it| ports.contains(&(it.transport, it.port))).collect();
    let running = processes::all();
    Some(sockets.iter().flat_map(|socket| listeners(socket, &running)).collect())
}

#[derive(Debug, PartialEq, Eq)]
struct Socket {
    transport: Transport,
    port: u16,
    inode: u64,
}

/// A socket of IPv6 alone maps nothing; but over TCP it may serve IPv4, too.
fn sockets() -> Option<Vec<Socket>> {
    let read = |name| fs::read_to_string(format!("/proc/self/net/{name}"));
    let (udp, tcp) = (read("udp").ok()?, read("tcp").ok()? + &read("tcp6").unwrap_or_default());
    let tables = [(Transport::Udp, udp), (Transport::Tcp, tcp)];
    let of_table = |(transport, table): &(Transport, String)| {
        table.lines().filter_map(|line| socket(*transport, line)).collect::<Vec<_>>()
    };
    Some(tables.iter().flat_map(of_table).collect())
}

/// From a line such as `  42: 00000000:EA61 00000000:0000 07 …` (proc_pid_net(5)); `None`: it is another.
fn socket(transport: Transport, line: &str) -> Option<Socket> {
    let words: Vec<_> = line.split_whitespace().collect();
    let (_address, port) = words.get(1)?.rsplit_once(':')?;
    let listens = transport == Transport::Udp || *words.get(3)? == LISTEN;
    let (port, inode) = (u16::from_str_radix(port, 16).ok()?, words.get(9)?.parse().ok()?);
    listens.then_some(Socket { transport, port, inode })
}

fn listeners(socket: &Socket, running: &[Running]) -> Vec<Listener> {
    let Socket { transport, port, inode } = *socket;
    let name = PathBuf::from(format!("socket:[{inode}]"));
    let owners = running.iter().filter(|process| process.has_open(&name));
    let listener = |owner| Listener { transport, port, owner };
    let known: Vec<_> = owners.map(|process| listener(Some(process.described()))).collect();
    if known.is_empty() { vec![listener(None)] } else { known }
}

#[cfg(test)]
mod tests {
    use std::net::{TcpListener, UdpSocket};
    use std::process::id;

    use super::*;

    #[test]
    fn who_listens_is_found_by_the_port() {
        let (udp, tcp) = (UdpSocket::bind("127.0.0.1:0").unwrap(), TcpListener::bind("[::1]:0").unwrap());
        let places = [
            (Transport::Udp, udp.local_addr().unwrap().port()),
            (Transport::Tcp, tcp.local_addr().unwrap().port()),
        ];
        let found = of(&places).unwrap();
        for (transport, port) in places {
            let mut listeners = found.iter().filter(|it| (it.transport, it.port) == (transport, port));
            // Another test's child has all that is open here until it becomes another program.
            let own = listeners.find_map(|it| it.owner.as_ref().filter(|owner| owner.pid == id()));
            let own = own.unwrap_or_else(|| panic!("{transport} {port}: {found:?}"));
            assert!(own.started.is_some() && own.program.is_some(), "{own:?}");
        }
    }

    #[test]
    fn a_connection_is_no_listener() {
        let line = |state| {
            format!(
                "   0: 0100007F:1388 0100007F:C350 {state} 00000000:00000000 00:00000000 00000000     0        0 4711 1"
            )
        };
        let listener = Socket { transport: Transport::Tcp, port: 5000, inode: 4711 };
        assert_eq!(socket(Transport::Tcp, &line("0A")), Some(listener));
        assert_eq!(socket(Transport::Tcp, &line("01")), None);
        assert_eq!(socket(Transport::Udp, "   sl  local_address rem_address   st"), None);
    }
}
