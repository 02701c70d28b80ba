//! `moshpunch router setup` and `router check`, on the files of the real Debian package and with a real miniupnpd.

#[path = "../common/mod.rs"]
mod common;
mod faults;
mod installed;
mod kernel;
mod scene;

use std::process::ExitCode;

use anyhow::{Result, ensure};
use common::home::nft;
use common::program;
use common::{PATIENCE, computes, leave};
use faults::each_planted_fault_is_found_and_a_correct_router_is_called_correct;
use installed::{
    a_guard_runs_where_its_network_is, chains_of_the_family_ip_are_judged_by_the_version,
    each_file_is_judged_as_the_installed_miniupnpd_reads_it_and_setup_mends_it,
    miniupnpd_runs_where_it_listens,
};
use kernel::{
    what_check_says_of_forwarding_is_what_the_kernel_does,
    what_check_says_of_the_routers_own_ports_is_what_the_kernel_does,
};
use lab::{Lab, MINIUPNPD_IPTABLES_PACKAGE, MINIUPNPD_PACKAGE, WriteUp, scenario};
use scene::{
    CLOSED, CONFIGURATION, FIREWALL, HANDMADE, SERVICE, check, files, found, fresh, fresh_for_iptables,
    router_command, set_up, setup, the_write_ups_commands_work,
};

fn after_setup_on_a_fresh_package_the_write_ups_commands_work(lab: &Lab) -> Result<()> {
    let network = fresh(lab, "")?;
    let fresh_start = network.router.start_packaged_miniupnpd();
    ensure!(fresh_start.is_err(), "the package's own start script works; there is less to set up");
    let miniupnpd = set_up(&network.router)?;
    the_write_ups_commands_work(&network)?;
    assert_eq!(check(&network.router)?.0, Some(0));
    network.router.stop_packaged_miniupnpd(miniupnpd)?;
    let left = network.router.nft_ruleset()?;
    ensure!(!left.contains("miniupnpd"), "left behind: {left}");
    Ok(())
}

fn after_setup_beside_chains_made_by_hand_the_write_ups_commands_work(lab: &Lab) -> Result<()> {
    let network = fresh(lab, HANDMADE)?;
    let _miniupnpd = set_up(&network.router)?;
    ensure!(!network.router.read_file(FIREWALL)?.contains("hook forward"), "the chains that are there serve");
    the_write_ups_commands_work(&network)?;
    assert_eq!(found(&network.router, "fault")?, [""; 0]);
    Ok(())
}

/// By the package's own scripts and daemon, and iptables-legacy.
fn after_setup_with_the_flavour_for_iptables_the_write_ups_commands_work(lab: &Lab) -> Result<()> {
    let network = fresh_for_iptables(lab)?;
    let router = &network.router;
    let said = setup(router, "--apply")?;
    ensure!(said.stderr.contains("miniupnpd-iptables needs iptables-legacy"), "{said}");
    let miniupnpd = router.start_packaged_miniupnpd()?;
    the_write_ups_commands_work(&network)?;
    assert_eq!((check(router)?.0, found(router, "fault")?), (Some(2), vec![]));
    let unknown = found(router, "unknown")?;
    ensure!(unknown.contains(&"forward".to_owned()), "what only iptables shows is not judged: {unknown:?}");
    router.stop_packaged_miniupnpd(miniupnpd)?;
    let chains = |table| router.command("iptables").args(["-t", table, "-S"]).run(PATIENCE);
    for table in ["nat", "filter", "mangle"] {
        let left = chains(table)?;
        ensure!(!left.stdout.contains("MINIUPNPD"), "left behind: {left}");
    }
    Ok(())
}

/// The line that setup asks for is all that is missing.
fn a_firewall_that_would_drop_mappings_is_named_with_the_line_that_mends_it(lab: &Lab) -> Result<()> {
    let network = fresh(lab, CLOSED)?;
    let said = setup(&network.router, "--apply")?.stderr;
    let line = "the chain forward of the table inet filter drops what is mapped; \
                put 'iifname \"wan0\" ct status dnat accept' into it, before what drops";
    ensure!(said.contains(line), "{said}");
    let _miniupnpd = network.router.start_packaged_miniupnpd()?;
    assert_eq!(found(&network.router, "fault")?, ["forward"]);
    nft(&network.router, "insert rule inet filter forward iifname \"wan0\" ct status dnat accept")?;
    assert_eq!(found(&network.router, "fault")?, [""; 0]);
    the_write_ups_commands_work(&network)
}

fn nothing_is_changed_without_apply_and_a_second_apply_changes_nothing(lab: &Lab) -> Result<()> {
    let network = fresh(lab, "")?;
    let router = &network.router;
    let before = files(router)?;
    let shown = setup(router, "")?;
    assert_eq!(files(router)?, before);
    for line in [
        "--- /etc/miniupnpd/miniupnpd.conf\n+++ /etc/miniupnpd/miniupnpd.conf\n",
        "\n+ext_ifname=wan0\n",
        "\n+listening_ip=lan0\n",
        "\n+allow 60000-60023 192.168.1.0/24 60000-60023\n+deny 0-65535 0.0.0.0/0 0-65535\n",
        "--- /dev/null\n+++ /etc/miniupnpd/moshpunch.nft\n",
    ] {
        ensure!(shown.stdout.contains(line), "{line}: {shown}");
    }
    assert_eq!(shown.stderr, "moshpunch: nothing is changed yet; to change it: --apply\n");

    assert_eq!(setup(router, "--apply")?.stdout, shown.stdout);
    let first = files(router)?;
    ensure!(first != before);
    let _miniupnpd = router.start_packaged_miniupnpd()?;
    let second = setup(router, "--apply")?;
    assert_eq!(
        (second.stdout.as_str(), second.stderr.as_str()),
        ("", "moshpunch: nothing has to be changed\n")
    );
    assert_eq!(files(router)?, first);
    Ok(())
}

const KEPT: &str = "/var/lib/moshpunch/router-setup";
const KEPT_CONFIGURATION: &str = "/var/lib/moshpunch/router-setup/miniupnpd.conf.original";

fn revert_restores_every_file_byte_for_byte(lab: &Lab) -> Result<()> {
    let network = fresh(lab, "")?;
    let router = &network.router;
    let own = "printf '\\377odd=1\\r\\nno end' >> /etc/miniupnpd/miniupnpd.conf; \
               chmod 640 /etc/miniupnpd/miniupnpd.conf; chown 1000:1000 /etc/miniupnpd/miniupnpd.conf; \
               rm /etc/default/miniupnpd";
    router.command("sh").args(["-c", own]).run(PATIENCE)?;
    let before = files(router)?;
    setup(router, "--apply")?;
    setup(router, "--apply --range 60001-60050")?;
    let kept =
        router.command("stat").args(["-c", "%a %U %n"]).args([KEPT, KEPT_CONFIGURATION]).run(PATIENCE)?;
    assert_eq!(kept.stdout, format!("700 root {KEPT}\n640 alice {KEPT_CONFIGURATION}\n"));
    let applied = files(router)?;
    ensure!(applied.contains("default/miniupnpd") && applied.contains("moshpunch.nft"), "{applied}");
    ensure!(applied.contains("640 alice alice miniupnpd/miniupnpd.conf"), "{applied}");
    setup(router, "--revert")?;
    assert_eq!(files(router)?, before);
    let again = router_command(router, "setup --revert")?;
    assert_eq!(again.status.code(), Some(1));
    ensure!(again.stderr.contains("there is nothing to revert"), "{again}");
    Ok(())
}

fn what_was_edited_after_a_setup_is_not_reverted_silently(lab: &Lab) -> Result<()> {
    let network = fresh(lab, "")?;
    let router = &network.router;
    let before = files(router)?;
    let edit =
        || router.command("sh").args(["-c", &format!("echo '# mine' >> {CONFIGURATION}")]).run(PATIENCE);
    for again in ["", "--apply --range 60001-60050"] {
        setup(router, "--apply")?;
        edit()?;
        // A setup on top of the edit must not make it forgotten.
        setup(router, again)?;
        let edited = files(router)?;
        let refused = router_command(router, "setup --revert")?;
        assert_eq!(refused.status.code(), Some(1));
        let said = "/etc/miniupnpd/miniupnpd.conf was edited after the setup, and reverting would lose that; nothing is changed.";
        ensure!(refused.stderr.contains(said), "{refused}");
        assert_eq!(files(router)?, edited);
        setup(router, "--revert --discard-edits")?;
        assert_eq!(files(router)?, before);
    }
    Ok(())
}

fn interfaces_that_are_not_certain_are_asked_for(lab: &Lab) -> Result<()> {
    let network = fresh(lab, "")?;
    let router = &network.router;
    router.command("ip").args(["route", "del", "default"]).run(PATIENCE)?;
    let refused = router_command(router, "setup")?;
    assert_eq!(refused.status.code(), Some(1));
    let said = "moshpunch: which interface is outside? It is not certain; say it: --wan INTERFACE (perhaps ";
    ensure!(refused.stderr.starts_with(said), "{refused}");
    setup(router, "--wan wan0")?;

    let command = router.command("moshpunch").args(["router", "setup", "--range", "60001-60002"]);
    let mut terminal = router.terminal(&command, 24, 80)?;
    terminal.wait_for("Which interface is outside", PATIENCE)?;
    terminal.type_text("wan0\r")?;
    terminal.wait_for("to change it: --apply", PATIENCE)?;
    ensure!(terminal.wait_exit(PATIENCE)?.success());
    Ok(())
}

/// Each server gets its ports, and no other.
fn a_divided_range_is_kept_apart(lab: &Lab) -> Result<()> {
    let network = fresh(lab, "")?;
    let plan = "--server server=192.168.1.10 --server other=192.168.1.11";
    let output = setup(&network.router, &format!("--apply {plan}"))?;
    ensure!(output.stdout.contains("[server]\nports = \"60006-60010\"\n"), "{output}");
    ensure!(output.stdout.contains("[server]\nports = \"60011-60015\"\n"), "{output}");
    let _miniupnpd = network.router.start_packaged_miniupnpd()?;
    assert_eq!(check(&network.router)?.0, Some(0));
    // By PCP it would look at every port of the range that it denies, and log each.
    let map = |port: u16| {
        let port = port.to_string();
        let words = ["map", "add", &port, "--external", &port, "--protocol", "upnp"];
        network.server.command("moshpunch").args(words).as_user(lab::USER).output(PATIENCE)
    };
    for (port, code) in [(60005, 3), (60006, 0), (60010, 0), (60011, 3)] {
        let output = map(port)?;
        assert_eq!(output.status.code(), Some(code), "{port}: {output}");
    }
    let words = ["-p", "60007:60010", "--ssh=ssh -p 8022", "--server=moshpunch server", "router"];
    let mosh = network.laptop.command("mosh").args(words).as_user(lab::USER);
    let mut terminal = network.laptop.terminal(&mosh, 24, 80)?;
    terminal.wait_for("alice@server", PATIENCE)?;
    computes(&mut terminal, 5003)?;
    leave(terminal)
}

fn for_openwrt_commands_are_printed_and_nothing_is_changed(lab: &Lab) -> Result<()> {
    let network = fresh(lab, "")?;
    let before = files(&network.router)?;
    let output = setup(&network.router, "--for openwrt")?;
    ensure!(output.stdout.starts_with("uci set upnpd.config.enabled='1'\n"), "{output}");
    ensure!(output.stdout.contains("uci set upnpd.@perm_rule[-1].ext_ports='60000-60023'\n"), "{output}");
    assert_eq!(files(&network.router)?, before);
    let refused = router_command(&network.router, "setup --for openwrt --apply")?;
    assert_eq!(refused.status.code(), Some(1));
    Ok(())
}

/// What its start script does is not tried here: the lab has nftables alone.
fn the_iptables_flavour_gets_its_own_start_and_revert_leaves_nothing_of_it(lab: &Lab) -> Result<()> {
    let network = fresh(lab, "")?;
    let router = &network.router;
    let flavour = "cd /etc/miniupnpd && rm nft_*.sh && touch iptables_init.sh iptables_removeall.sh";
    router.command("sh").args(["-c", flavour]).run(PATIENCE)?;
    let before = files(router)?;
    let output = setup(router, "--apply")?;
    let start = "+MiniUPnPd_PRESTART_COMMAND=\"/etc/miniupnpd/iptables_init.sh -i wan0\"\n";
    ensure!(output.stdout.contains(start), "{output}");
    ensure!(router.read_file(SERVICE)?.ends_with("\n[Service]\nTasksMax=32\n"));
    assert_eq!(setup(router, "--apply")?.stdout, "");
    setup(router, "--revert")?;
    assert_eq!(files(router)?, before);
    ensure!(router.read_file(SERVICE).is_err());
    Ok(())
}

fn without_miniupnpd_both_say_how_to_get_it(lab: &Lab) -> Result<()> {
    let network = WriteUp::raise(lab)?;
    lab.install(&program::path())?;
    let refused = router_command(&network.router, "setup --wan wan0")?;
    assert_eq!(refused.status.code(), Some(1));
    assert_eq!(
        refused.stderr,
        "moshpunch: there is no /etc/miniupnpd/miniupnpd.conf; install miniupnpd first: \
         apt install miniupnpd miniupnpd-nftables\n"
    );
    assert_eq!(check(&network.router)?, (Some(2), vec![("configuration".into(), "unknown".into())]));
    Ok(())
}

fn a_user_sees_what_setup_would_do_and_is_told_to_be_root(lab: &Lab) -> Result<()> {
    let network = fresh(lab, "")?;
    let as_user = |line: &str| {
        let words = ["router"].into_iter().chain(line.split_whitespace());
        network.router.command("moshpunch").args(words).as_user(lab::USER).output(PATIENCE)
    };
    ensure!(as_user("setup")?.status.success());
    let refused = as_user("setup --apply")?;
    assert_eq!(refused.status.code(), Some(1));
    ensure!(refused.stderr.contains("is this run as root?"), "{refused}");
    let _miniupnpd = set_up(&network.router)?;
    let checked = as_user("check")?;
    assert_eq!(checked.status.code(), Some(2), "{checked}");
    ensure!(checked.stdout.contains("the rules of nftables cannot be read"), "{checked}");
    Ok(())
}

fn main() -> ExitCode {
    let programs = &["mosh", "sshd", "miniupnpd", MINIUPNPD_PACKAGE];
    lab::harness::run(
        [
            scenario!(each_planted_fault_is_found_and_a_correct_router_is_called_correct),
            scenario!(each_file_is_judged_as_the_installed_miniupnpd_reads_it_and_setup_mends_it),
            scenario!(chains_of_the_family_ip_are_judged_by_the_version),
            scenario!(miniupnpd_runs_where_it_listens),
            scenario!(a_guard_runs_where_its_network_is),
            scenario!(what_check_says_of_forwarding_is_what_the_kernel_does),
            scenario!(what_check_says_of_the_routers_own_ports_is_what_the_kernel_does),
            scenario!(after_setup_on_a_fresh_package_the_write_ups_commands_work),
            scenario!(after_setup_with_the_flavour_for_iptables_the_write_ups_commands_work)
                .needs(&[MINIUPNPD_IPTABLES_PACKAGE]),
            scenario!(after_setup_beside_chains_made_by_hand_the_write_ups_commands_work),
            scenario!(a_firewall_that_would_drop_mappings_is_named_with_the_line_that_mends_it),
            scenario!(nothing_is_changed_without_apply_and_a_second_apply_changes_nothing),
            scenario!(revert_restores_every_file_byte_for_byte),
            scenario!(what_was_edited_after_a_setup_is_not_reverted_silently),
            scenario!(interfaces_that_are_not_certain_are_asked_for),
            scenario!(a_divided_range_is_kept_apart),
            scenario!(for_openwrt_commands_are_printed_and_nothing_is_changed),
            scenario!(the_iptables_flavour_gets_its_own_start_and_revert_leaves_nothing_of_it),
            scenario!(without_miniupnpd_both_say_how_to_get_it),
            scenario!(a_user_sees_what_setup_would_do_and_is_told_to_be_root),
        ]
        .map(|scenario| scenario.needs(programs)),
    )
}
