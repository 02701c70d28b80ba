//! A released program on bare Debian 12 systems (`make release-check` makes both): one command puts it there, and then it serves.

mod common;

use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Result, ensure};
use lab::{Daemon, Host, Lab, Nat, Protocol, USER, WriteUp, scenario, wait_until};

use common::program;

/// What `make dist` builds.
const DIST: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../target/dist");
const PLACE: &str = "/home/alice/.local/bin/moshpunch";
const PORT: u16 = 2200;

/// Programs of another processor are slow.
const PATIENCE: Duration = Duration::from_secs(120);

fn main() -> ExitCode {
    let needs =
        ["mosh", "ssh", "miniupnpd", concat!(env!("CARGO_MANIFEST_DIR"), "/../../target/dist/SHA256SUMS")];
    let scenarios = [
        scenario!(amd64_is_served_once_it_is_there)
            .needs(&["/var/lib/moshpunch-lab/bare-amd64", runs("x86_64")]),
        scenario!(arm64_is_up_to_date_once_it_is_there)
            .needs(&["/var/lib/moshpunch-lab/bare-arm64", runs("aarch64")]),
    ];
    lab::harness::run(scenarios.map(|scenario| scenario.needs(&needs).within(10 * PATIENCE)))
}

/// By which the kernel here runs programs of this processor.
fn runs(processor: &str) -> &'static str {
    match processor {
        _ if processor == std::env::consts::ARCH => "/proc",
        "x86_64" => "/proc/sys/fs/binfmt_misc/qemu-x86_64",
        _ => "/proc/sys/fs/binfmt_misc/qemu-aarch64",
    }
}

fn amd64_is_served_once_it_is_there(lab: &Lab) -> Result<()> {
    let bare = Bare::raise(lab, "amd64", "x86_64")?;
    bare.has_it_put_there("x86_64")?;
    let words = ["--no-carry", "--no-punch", "--ssh=ssh -p 8022", "router"];
    let connect = bare.network.laptop.command("moshpunch").args(words).as_user(USER);
    let mut terminal = bare.network.laptop.terminal(&connect, 24, 100)?;
    terminal.wait_for("alice@server", PATIENCE)?;
    common::computes_within(&mut terminal, 7400, PATIENCE)?;
    bare.is_mapped()?;
    terminal.type_text("exit\r")?;
    ensure!(terminal.wait_exit(PATIENCE)?.success(), "{}", terminal.screen());
    terminal.wait_for("mapped by its router", PATIENCE)?;
    common::wait_for_empty_table(&bare.network.router, PATIENCE)?;
    bare.is_up_to_date()
}

/// Without a session: Debian's qemu (7.2) knows neither all that a terminal is asked (TCGETS2) nor each option of a socket.
fn arm64_is_up_to_date_once_it_is_there(lab: &Lab) -> Result<()> {
    let bare = Bare::raise(lab, "arm64", "aarch64")?;
    bare.has_it_put_there("aarch64")?;
    bare.is_up_to_date()?;
    let told = bare.says("--uninstall")?;
    ensure!(told.contains("is removed from router"), "{told}");
    Ok(())
}

/// The write-up's network, whose server is such a system.
struct Bare {
    network: WriteUp,
    _daemons: [Daemon; 2],
}

impl Bare {
    fn raise(lab: &Lab, architecture: &str, processor: &str) -> Result<Self> {
        let network = WriteUp::raise(lab)?;
        network.laptop.install(&program::path())?;
        let sshd = start(&network.server, architecture)?;
        let nat = Nat::home(WriteUp::OUTSIDE).forward(Protocol::Tcp, 8022, &format!("192.168.1.10:{PORT}"));
        network.router.nat(&nat)?;
        let miniupnpd = network.router.miniupnpd(&WriteUp::miniupnpd())?;
        // Beside the one that the laptop runs.
        network.laptop.install(&Path::new(DIST).join(format!("moshpunch-{processor}-linux")))?;
        Ok(Self { network, _daemons: [sshd, miniupnpd] })
    }

    fn says(&self, option: &str) -> Result<String> {
        let words = [option, "--ssh=ssh -p 8022", "router"];
        let call = self.network.laptop.command("moshpunch").args(words).as_user(USER);
        Ok(call.run(PATIENCE)?.stderr)
    }

    fn has_it_put_there(&self, processor: &str) -> Result<()> {
        let told = self.says("--install")?;
        let version = format!("({processor}-unknown-linux-musl");
        ensure!(told.contains("router has moshpunch ") && told.contains(&version), "{told}");
        ensure!(told.lines().count() == 1, "nothing is missing: {told}");
        Ok(())
    }

    fn is_up_to_date(&self) -> Result<()> {
        let told = self.says("--install")?;
        ensure!(told == format!("moshpunch: moshpunch on router is up to date, at {PLACE}\n"), "{told}");
        Ok(())
    }

    fn is_mapped(&self) -> Result<()> {
        let leases = || Ok((!self.network.router.leases()?.is_empty()).then_some(()));
        wait_until("a mapping", PATIENCE, leases)
    }
}

/// The system as it is, but for a user who may log in; what changes is the host's alone, and goes with it.
fn start(host: &Host, architecture: &str) -> Result<Daemon> {
    let root = format!("/var/lib/moshpunch-lab/bare-{architecture}");
    let script = "cd \"$1\"; mount -t proc none proc; mount --rbind /dev dev; mount --rbind /sys sys; mount -t tmpfs none run; \
         mkdir run/sshd; cp /etc/ssh/lab_host_key etc/ssh/; chmod 600 etc/ssh/lab_host_key; \
         echo 127.0.0.1 localhost server >etc/hosts; \
         chroot . useradd --create-home --uid 1000 --shell /bin/bash --password '*' alice; \
         mkdir -p home/alice/.ssh; cp /home/alice/.ssh/authorized_keys home/alice/.ssh/; \
         chown -R 1000:1000 home/alice";
    host.command("sh").args(["-ec", script, "sh", &root]).run(PATIENCE)?;
    let options = ["UsePAM no", "UseDNS no", "PrintMotd no", "AcceptEnv LANG LC_*"];
    let options = options.into_iter().flat_map(|option| ["-o", option]);
    let port = PORT.to_string();
    let sshd = ["/usr/sbin/sshd", "-D", "-e", "-h", "/etc/ssh/lab_host_key", "-p", &port];
    let sshd = host.command("chroot").arg(&root).args(sshd).args(options);
    let daemon = host.spawn("bare sshd", &sshd)?;
    daemon.wait_for_log("Server listening on 0.0.0.0", PATIENCE)?;
    Ok(daemon)
}
