//! A lease file, whose descriptions are any host's own text.

#![no_main]

use libfuzzer_sys::fuzz_target;
use miniupnpd::lease_file::parse;

fuzz_target!(|file: &[u8]| {
    let leases = parse(file);
    let lines = file.iter().filter(|&&byte| byte == b'\n').count();
    assert!(leases.len() <= lines, "a line is one lease at the most");
    for lease in leases {
        assert!(lease.internal.port() != 0 && lease.expires != Some(0));
        let (external, internal) = (lease.external, lease.internal);
        let transport = if external.to_string().starts_with("UDP") { "UDP" } else { "TCP" };
        let expires = lease.expires.unwrap_or(0);
        let line =
            format!("{transport}:{}:{}:{}:{expires}:\n", external.port, internal.ip(), internal.port());
        assert_eq!(parse(line.as_bytes()), [lease], "{line} is read as another lease");
    }
});
