#![no_main]

use libfuzzer_sys::fuzz_target;
use miniupnpd::mapping::Transport;
use miniupnpd::rule::Network;
use miniupnpd::ruleset::{ChainName, Packet, Ruleset};

fuzz_target!(|text: &str| {
    let Ok(ruleset) = Ruleset::parse(text) else { return };
    let packet = Packet {
        comes_in: "wan0",
        goes_out: Some("lan0"),
        source: Network::ALL,
        destination: Network::ALL,
        protocol: Transport::Udp,
        port: 60001,
        translated: true,
    };
    let chain = ChainName::new("inet", "filter", "miniupnpd");
    for hook in ["prerouting", "input", "forward"] {
        let _verdict = ruleset.verdict(hook, &packet, Some(&chain));
        let _reached = ruleset.reaches(hook, &packet, &chain);
    }
    let _redirections = ruleset.redirections(&chain);
});
