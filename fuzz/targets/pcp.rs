#![no_main]

use std::net::{IpAddr, Ipv4Addr};

use fuzz::{control_port, start};
use libfuzzer_sys::fuzz_target;
use portmap::pcp::{Client, Nonce, packet::Response};

const GATEWAY: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 168, 1, 1));
const HOST: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 168, 1, 10));
const NONCE: Nonce = Nonce(*b"twelve bytes");

fuzz_target!(|data: &[u8]| {
    let _ = Response::parse(data);
    let now = start();
    control_port::live(&mut Client::new(GATEWAY, HOST, NONCE, 1), GATEWAY, data, now);
});
