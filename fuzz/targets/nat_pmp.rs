#![no_main]

use std::net::Ipv4Addr;

use fuzz::{control_port, start};
use libfuzzer_sys::fuzz_target;
use portmap::nat_pmp::{Client, packet::Response};

const GATEWAY: Ipv4Addr = Ipv4Addr::new(192, 168, 1, 1);

fuzz_target!(|data: &[u8]| {
    let _ = Response::parse(data);
    let now = start();
    control_port::live(&mut Client::new(GATEWAY, 1), GATEWAY.into(), data, now);
});
