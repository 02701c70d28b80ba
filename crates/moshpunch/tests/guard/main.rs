//! The guard on a real router: real miniupnpd, real mosh-servers on it and behind it.

#[path = "../common/mod.rs"]
mod common;
mod endurance;
mod forgery;
mod holding;
mod home;
mod inside;
mod ports;
mod sandbox;
mod service;
mod shared_range;

use std::process::ExitCode;
use std::time::Duration;

use lab::scenario;

use endurance::{
    a_dead_miniupnpds_ports_stay_held_after_their_leases,
    both_may_be_restarted_and_killed_while_mappings_are_renewed,
};
use forgery::{
    a_hundred_thousand_forged_lines_cost_little_and_hide_nothing,
    a_lease_file_that_is_a_pipe_is_told_and_not_waited_for, forged_lines_hold_and_redirect_nothing,
    other_ports_than_the_routers_own_are_not_held, whatever_path_says_nft_is_the_systems,
};
use holding::{
    a_port_of_the_routers_own_mosh_server_is_mapped_to_nobody,
    a_port_that_somebody_has_is_told_and_held_once_it_is_free,
    beside_a_session_on_the_inside_address_the_outside_one_is_held,
    mosh_server_skips_a_held_port_however_it_binds,
    what_is_sent_to_a_held_port_reaches_its_server_and_nobody_else,
};
use inside::{
    beside_a_hairpin_the_routers_own_sessions_are_reached_from_inside,
    rules_that_are_refused_are_told_with_the_cure, stock_mosh_works_from_inside_by_the_outside_address,
    the_hairpin_goes_with_the_guard_or_with_the_next_one, without_hairpin_it_does_not,
};
use ports::configured_ports_hold_inside_and_outside_and_the_clients_own_win;
use sandbox::in_the_sandbox_of_its_unit_it_does_what_it_promises;
use service::{
    a_configuration_with_a_latin_1_comment_is_read,
    a_configuration_without_a_lease_file_is_told_with_the_cure, one_capability_is_all_it_needs,
    systemd_accepts_the_unit, the_manager_is_told_when_it_serves_and_when_it_ends,
};
use shared_range::{
    router_and_servers_share_one_range_of_ports,
    sessions_that_are_opened_in_a_row_survive_the_hairpins_changes,
    without_the_guard_the_routers_own_sessions_are_shadowed,
};

fn main() -> ExitCode {
    let long = Duration::from_secs(240);
    lab::harness::run(
        [
            // The long ones first.
            scenario!(router_and_servers_share_one_range_of_ports).within(long),
            scenario!(both_may_be_restarted_and_killed_while_mappings_are_renewed).within(long),
            scenario!(sessions_that_are_opened_in_a_row_survive_the_hairpins_changes),
            scenario!(without_the_guard_the_routers_own_sessions_are_shadowed),
            scenario!(mosh_server_skips_a_held_port_however_it_binds),
            scenario!(a_port_of_the_routers_own_mosh_server_is_mapped_to_nobody),
            scenario!(a_port_that_somebody_has_is_told_and_held_once_it_is_free),
            scenario!(beside_a_session_on_the_inside_address_the_outside_one_is_held),
            scenario!(what_is_sent_to_a_held_port_reaches_its_server_and_nobody_else),
            scenario!(configured_ports_hold_inside_and_outside_and_the_clients_own_win),
            scenario!(forged_lines_hold_and_redirect_nothing),
            scenario!(a_hundred_thousand_forged_lines_cost_little_and_hide_nothing).within(long),
            scenario!(a_lease_file_that_is_a_pipe_is_told_and_not_waited_for),
            scenario!(whatever_path_says_nft_is_the_systems),
            scenario!(other_ports_than_the_routers_own_are_not_held),
            scenario!(a_dead_miniupnpds_ports_stay_held_after_their_leases),
            scenario!(stock_mosh_works_from_inside_by_the_outside_address),
            scenario!(without_hairpin_it_does_not),
            scenario!(beside_a_hairpin_the_routers_own_sessions_are_reached_from_inside),
            scenario!(the_hairpin_goes_with_the_guard_or_with_the_next_one),
            scenario!(rules_that_are_refused_are_told_with_the_cure),
            scenario!(the_manager_is_told_when_it_serves_and_when_it_ends),
            scenario!(one_capability_is_all_it_needs),
            scenario!(in_the_sandbox_of_its_unit_it_does_what_it_promises).needs(&[
                "strace",
                "systemd-analyze",
                "prlimit",
                "unshare",
            ]),
            scenario!(systemd_accepts_the_unit).needs(&["systemd-analyze"]),
            scenario!(a_configuration_with_a_latin_1_comment_is_read),
            scenario!(a_configuration_without_a_lease_file_is_told_with_the_cure),
        ]
        .map(|scenario| scenario.needs(&["mosh", "sshd", "miniupnpd", "nft", "upnpc", "setpriv"])),
    )
}
