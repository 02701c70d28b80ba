//! Whether the kernel does with real packets what `router check` says of the rules alone.

use std::time::Duration;

use anyhow::{Result, ensure};
use lab::{Host, Lab, UdpPeer, WriteUp};

use crate::common::PATIENCE;
use crate::common::home::nft;
use crate::scene::{HANDMADE, check, fresh, setup};

/// miniupnpd's own, for one mapping.
const MAPPING: &str = r#"
add rule inet filter prerouting_miniupnpd iifname "wan0" udp dport 60001 dnat ip to 192.168.1.10:60001
add rule inet filter miniupnpd udp dport 60001 accept
"#;

/// Of [`HANDMADE`], how a packet from outside is led to miniupnpd's rules and let through.
const JUMP: &str = "jump miniupnpd\n";

const PCP_PORT: u16 = 5351;
/// What is not expected to arrive is looked for that long.
const SILENCE: Duration = Duration::from_millis(500);

/// What takes the place of the jump in the forward chain, and what stands beside the table.
const FORWARDING: [(&str, &str); 18] = [
    (JUMP, ""),
    ("", ""),
    ("goto miniupnpd\n", ""),
    ("iifname \"wan*\" jump miniupnpd\n", ""),
    ("iifname \"lan*\" jump miniupnpd\n", ""),
    ("iifname != \"lan0\" oifname \"lan0\" jump miniupnpd\n", ""),
    ("iifname vmap { \"wan0\" : jump miniupnpd, \"lan0\" : accept }\n", ""),
    ("ct state vmap { established : accept, new : drop }\njump miniupnpd\n", ""),
    ("ct status dnat accept\n", ""),
    ("ct status != dnat accept\n", ""),
    ("ip daddr 192.168.1.0/24 udp dport { 1-5, 60000-60999 } accept\n", ""),
    ("ip daddr 192.168.2.0/24 udp dport 60000-60999 accept\n", ""),
    ("meta l4proto { tcp, udp } th dport 60001 accept\n", ""),
    ("tcp dport != 60001 accept\n", ""),
    (JUMP, "table ip strict { chain late { type filter hook forward priority 9; policy drop; }; }\n"),
    (
        JUMP,
        "table ip strict { chain late { type filter hook forward priority 9; policy drop; ct status dnat accept; }; }\n",
    ),
    (
        JUMP,
        "table ip strict { chain raw { type filter hook prerouting priority -300; udp dport 60001 drop; }; }\n",
    ),
    ("meta mark 7 accept\n", ""),
];

/// Chains at the input hook.
const INPUT: [&str; 10] = [
    "policy accept;",
    "policy drop;",
    "policy drop; iifname \"lan0\" accept;",
    "policy accept; iifname \"wan0\" drop;",
    "policy drop; iifname { \"lan0\", \"lo\" } counter accept;",
    "policy drop; ip saddr 192.168.1.0/24 accept;",
    "policy accept; ip saddr != 192.168.0.0/16 drop;",
    "policy accept; iifname \"wan0\" meta l4proto vmap { tcp : drop, udp : drop };",
    "policy accept; iif \"wan0\" reject;",
    "policy drop; meta mark 7 accept;",
];

/// What was said of a finding: right, wrong, or nothing.
fn said(router: &Host, name: &str) -> Result<Option<bool>> {
    let (_, findings) = check(router)?;
    let verdict = findings.into_iter().find(|(found, _)| found == name).map(|(_, verdict)| verdict);
    Ok(match verdict.as_deref() {
        Some("ok" | "warning") => Some(true),
        Some("fault") => Some(false),
        _ => None,
    })
}

/// Whether a datagram of somebody never seen before arrives; where that `is_expected`, it may take its time. `at` is opened
/// once for all: a process that is just being started elsewhere in this test may hold a closed socket for a moment, and its
/// port with it.
fn arrives(is_expected: bool, from: &Host, to: (&str, u16), at: &UdpPeer) -> Result<bool> {
    let within = if is_expected { PATIENCE } else { SILENCE };
    let stranger = from.udp("0.0.0.0:0")?;
    let knock = format!("knock of {}", stranger.address()?);
    stranger.send(&knock, to)?;
    while let Some((text, _)) = at.receive_if_any(within)? {
        if text == knock {
            return Ok(true);
        }
    }
    Ok(false)
}

pub(crate) fn what_check_says_of_forwarding_is_what_the_kernel_does(lab: &Lab) -> Result<()> {
    let network = fresh(lab, HANDMADE)?;
    setup(&network.router, "--apply")?;
    let (mut decided, mut passed) = (0, 0);
    let mapped = network.server.udp("0.0.0.0:60001")?;
    for (rules, beside) in FORWARDING {
        let table = HANDMADE.replace(JUMP, rules);
        nft(&network.router, &format!("flush ruleset\n{table}{beside}{MAPPING}"))?;
        let verdicts = [said(&network.router, "jump")?, said(&network.router, "forward")?];
        let expected = verdicts == [Some(true); 2];
        let arrived = arrives(expected, &network.laptop, (WriteUp::ROUTER_OUTSIDE, 60001), &mapped)?;
        passed += usize::from(arrived);
        if verdicts.contains(&None) {
            continue;
        }
        decided += 1;
        ensure!(arrived == expected, "{rules}{beside}: said {verdicts:?}, arrived: {arrived}");
    }
    println!("forwarding: {decided} of {} decided, {passed} pass", FORWARDING.len());
    assert!(
        decided == FORWARDING.len() - 2 && (4..FORWARDING.len() - 4).contains(&passed),
        "{decided} {passed}"
    );
    Ok(())
}

pub(crate) fn what_check_says_of_the_routers_own_ports_is_what_the_kernel_does(lab: &Lab) -> Result<()> {
    let network = fresh(lab, HANDMADE)?;
    let (router, server, laptop) = (&network.router, &network.server, &network.laptop);
    setup(router, "--apply")?;
    let mut decided = 0;
    let pcp = router.udp(&format!("0.0.0.0:{PCP_PORT}"))?;
    for rules in INPUT {
        let chain = format!("chain input {{ type filter hook input priority 0; {rules} }};");
        nft(router, &format!("flush ruleset\n{HANDMADE}table inet own {{ {chain} }}\n"))?;
        for (name, from, to, when_it_arrives) in [
            ("input-lan", server, WriteUp::ROUTER_INSIDE, true),
            ("input-wan", laptop, WriteUp::ROUTER_OUTSIDE, false),
        ] {
            let said = said(router, name)?;
            decided += usize::from(said.is_some());
            let arrived = arrives(said == Some(when_it_arrives), from, (to, PCP_PORT), &pcp)?;
            let is_right = said.is_none_or(|said| said == (arrived == when_it_arrives));
            ensure!(is_right, "{rules} {name}: said {said:?}, arrived: {arrived}");
        }
    }
    println!("input: {decided} of {} decided", 2 * INPUT.len());
    // A mark, and a source that anybody outside may forge.
    assert_eq!(decided, 2 * INPUT.len() - 4);
    Ok(())
}
