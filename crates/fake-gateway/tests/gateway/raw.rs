//! Bytes in, bytes out.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream, UdpSocket};
use std::time::Duration;

use fake_gateway::FakeGateway;

/// Long enough for a busy machine; silence is not waited for by this.
const PATIENCE: Duration = Duration::from_secs(30);

/// A datagram socket of the gateway's client.
pub(crate) fn socket(address: Ipv4Addr) -> UdpSocket {
    let socket = UdpSocket::bind((address, 0)).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    socket
}

pub(crate) fn receive(socket: &UdpSocket) -> (SocketAddr, Vec<u8>) {
    let mut buffer = [0; 65_536];
    let (length, from) = socket.recv_from(&mut buffer).expect("an answer");
    (from, buffer[..length].to_vec())
}

/// Asks port 5351.
pub(crate) fn ask(gateway: &FakeGateway, socket: &UdpSocket, packet: &[u8]) -> Vec<u8> {
    socket.send_to(packet, (gateway.address(), 5351)).unwrap();
    receive(socket).1
}

/// The whole answer to an HTTP request.
pub(crate) fn http(gateway: &FakeGateway, request: &str) -> String {
    let mut stream = TcpStream::connect((gateway.address(), gateway.http_port())).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}
