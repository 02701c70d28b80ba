//! Who is taken for miniupnpd: what listens, not what is called so.

use super::*;

fn daemon(change: impl FnOnce(&mut Vec<Listener>)) -> (Verdict, String) {
    let mut facts = sound();
    change(facts.listeners.as_mut().unwrap());
    let finding = judge(&facts).into_iter().find(|finding| finding.name == "daemon").unwrap();
    (finding.verdict, finding.what)
}

fn called(program: Option<&str>, arguments: &[&str]) -> Process {
    let arguments = arguments.iter().map(|&argument| argument.to_owned()).collect();
    Process { program: program.map(str::to_owned), arguments, ..miniupnpd() }
}

#[test]
fn miniupnpd_is_known_by_the_file_that_runs_or_by_what_was_called() {
    for process in [
        called(Some("/usr/sbin/miniupnpd"), &["busy", "-f", PATH]),
        called(Some("/usr/sbin/miniupnpd-nftables"), &["upnp", "-f", PATH]),
        called(Some("/usr/sbin/miniupnpd (deleted)"), &["upnp", "-f", PATH]),
        called(Some("/usr/bin/qemu-aarch64"), &["/usr/bin/qemu-aarch64", "/usr/sbin/miniupnpd", "-f", PATH]),
        called(None, &["miniupnpd", "-f", PATH]),
    ] {
        let found = daemon(|listeners| *listeners = all_by(&process));
        assert_eq!(found, (Verdict::Ok, "miniupnpd runs as process 77".into()), "{process:?}");
    }
}

#[test]
fn one_that_listens_elsewhere_does_not_run_here() {
    let nobody = "miniupnpd does not run: nobody listens on UDP 1900 or UDP 5351 here";
    assert_eq!(daemon(Vec::clear), (Verdict::Fault, nobody.into()));
}

#[test]
fn another_program_on_its_ports_is_not_taken_for_it() {
    let other = called(Some("/usr/sbin/natpmpd"), &["natpmpd"]);
    let found = daemon(|listeners| *listeners = all_by(&other));
    let what = "process 77 (/usr/sbin/natpmpd) listens on UDP 5351, where miniupnpd would; whether that is one cannot be said";
    assert_eq!(found, (Verdict::Unknown, what.into()));

    let media_server = called(Some("/usr/sbin/minidlnad"), &["minidlnad"]);
    let found = daemon(|listeners| {
        listeners.truncate(1);
        listeners[0].owner = Some(media_server);
    });
    assert_eq!(found.0, Verdict::Fault, "any program may search by UPnP: {found:?}");
}

#[test]
fn a_port_that_another_program_has_is_missed() {
    for (taken, missed) in [(1, "UDP 5351"), (2, "TCP 5000")] {
        let other = Process { pid: 99, ..called(Some("/usr/sbin/other"), &["other"]) };
        let what = format!("miniupnpd runs as process 77, but does not listen on {missed}, as {PATH} says");
        let found = daemon(|listeners| listeners[taken].owner = Some(other));
        assert_eq!(found, (Verdict::Fault, what.clone()));
        assert_eq!(daemon(|listeners| drop(listeners.remove(taken))), (Verdict::Fault, what));
    }
    // minissdpd may have SSDP's.
    let with_minissdpd = daemon(|listeners| drop(listeners.remove(0)));
    assert_eq!(with_minissdpd.0, Verdict::Ok);
}

#[test]
fn a_port_that_several_have_is_missed_by_none_of_them() {
    let child = Process { pid: 99, ..called(Some("/bin/sh"), &["sh"]) };
    let found = daemon(|listeners| {
        let shared: Vec<_> = all_by(&child);
        listeners.splice(0..0, shared);
    });
    assert_eq!(found.0, Verdict::Ok);
}

#[test]
fn whose_owner_cannot_be_seen_is_unknown() {
    let hidden = daemon(|listeners| listeners.iter_mut().for_each(|listener| listener.owner = None));
    let what = "somebody listens on UDP 1900, and it cannot be seen whether that is miniupnpd";
    assert_eq!(hidden, (Verdict::Unknown, what.into()));
}

#[test]
fn of_two_the_one_with_this_file_is_meant() {
    let other =
        Process { pid: 99, ..called(Some("/usr/sbin/miniupnpd"), &["miniupnpd", "-f", "/etc/guests.conf"]) };
    let alone = daemon(|listeners| *listeners = all_by(&other));
    assert_eq!(alone, (Verdict::Fault, format!("miniupnpd runs with /etc/guests.conf in place of {PATH}")));
    let beside = daemon(|listeners| drop(listeners.splice(0..0, all_by(&other))));
    assert_eq!(beside, (Verdict::Ok, "miniupnpd runs as process 77".into()));
}

#[test]
fn without_a_file_it_reads_the_one_of_its_version() {
    let (old, new) = ("/etc/miniupnpd.conf", "/etc/miniupnpd/miniupnpd.conf");
    for (version, path, expected) in [
        ("2.3.1", old, Verdict::Ok),
        ("2.3.1", new, Verdict::Unknown),
        ("2.3.5", old, Verdict::Unknown),
        ("2.3.5", new, Verdict::Ok),
        ("?", old, Verdict::Ok),
    ] {
        let mut facts = sound();
        facts.version = Some(format!("miniupnpd {version} Jan  1 2026\n"));
        facts.configuration_path = path.into();
        facts.listeners = Some(all_by(&called(Some("/usr/sbin/miniupnpd"), &["miniupnpd"])));
        let finding = judge(&facts).into_iter().find(|finding| finding.name == "daemon").unwrap();
        assert_eq!(finding.verdict, expected, "{version} {path}: {finding:?}");
    }
}

#[test]
fn the_first_file_that_it_is_told_is_the_one_that_it_reads() {
    let twice = called(Some("/usr/sbin/miniupnpd"), &["miniupnpd", "-f", PATH, "-f", "/etc/guests.conf"]);
    assert_eq!(daemon(|listeners| *listeners = all_by(&twice)).0, Verdict::Ok);
}
