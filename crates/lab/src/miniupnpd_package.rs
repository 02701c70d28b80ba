//! miniupnpd as Debian's packages bring it: their files in the router's own /etc, started as their service starts it.
//!
//! `scripts/install-test-programs` unpacks the package `miniupnpd`; what its postinst makes of the files, where every
//! question is answered by default, is made here. The daemon is that of the package `miniupnpd-nftables`, which is
//! installed, or that of `miniupnpd-iptables`, which is unpacked with all that it needs.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result};

use crate::daemon::Daemon;
use crate::host::Host;
use crate::miniupnpd::TIME_TO_START;

const UNPACKED: &str = "/var/lib/moshpunch-lab/miniupnpd";
const CONFIGURATION: &str = "/etc/miniupnpd/miniupnpd.conf";
const DEFAULTS: &str = "/etc/default/miniupnpd";
const HELPER: &str = "/var/lib/moshpunch-lab/miniupnpd/usr/libexec/miniupnpd-startstop-helper.sh";

/// A scenario [`needs`](crate::harness::Scenario::needs) this, if it uses the package.
pub const MINIUPNPD_PACKAGE: &str = "/var/lib/moshpunch-lab/miniupnpd/usr/share/miniupnpd/miniupnpd.conf";

const UNPACKED_FOR_IPTABLES: &str = "/var/lib/moshpunch-lab/miniupnpd-iptables";

/// A scenario needs this beside the former, if its router has the flavour for iptables.
pub const MINIUPNPD_IPTABLES_PACKAGE: &str = "/var/lib/moshpunch-lab/miniupnpd-iptables/usr/sbin/miniupnpd";

/// What of the unpacked packages is which program in the host, where it comes before what the machine has.
const FOR_IPTABLES: [(&str, &str); 2] = [
    ("/usr/local/sbin/miniupnpd", "usr/sbin/miniupnpd"),
    ("/usr/local/sbin/iptables", "usr/sbin/xtables-legacy-multi iptables"),
];

impl Host {
    /// `apt install miniupnpd`, without a word said.
    ///
    /// # Errors
    /// When the package has not been unpacked on this machine.
    pub fn install_miniupnpd_package(&self) -> Result<()> {
        self.inside(|| {
            let unpacked = Path::new(UNPACKED);
            for file in ["etc/init.d/miniupnpd", "etc/miniupnpd/miniupnpd_functions.sh"] {
                copy(&unpacked.join(file), &Path::new("/").join(file))?;
            }
            fs::create_dir_all("/var/lib/miniupnpd")?;
            let shared = unpacked.join("usr/share/miniupnpd");
            let configuration = read(&shared.join("miniupnpd.conf"))?;
            fs::write(CONFIGURATION, configured(&configuration))?;
            let defaults = read(&shared.join("miniupnpd.default"))?;
            Ok(fs::write(DEFAULTS, defaults.replace("_ip6tables_enable=\n", "_ip6tables_enable=0\n"))?)
        })
    }

    /// `apt install miniupnpd miniupnpd-iptables`, with `iptables-legacy` for iptables, which that needs.
    ///
    /// # Errors
    /// When one of the packages has not been unpacked on this machine.
    pub fn install_miniupnpd_package_for_iptables(&self) -> Result<()> {
        self.install_miniupnpd_package()?;
        let flavour = format!(
            "rm -f /etc/miniupnpd/nft_* && cp {UNPACKED_FOR_IPTABLES}/etc/miniupnpd/* /etc/miniupnpd/"
        );
        self.command("sh").args(["-c", &flavour]).run(TIME_TO_START)?;
        FOR_IPTABLES.iter().try_for_each(|(place, program)| self.write_script(place, &runs(program)))
    }

    /// `systemctl start miniupnpd`, without systemd; it answers UPnP and PCP when this returns.
    ///
    /// # Errors
    /// When the package's start script or miniupnpd itself fails.
    pub fn start_packaged_miniupnpd(&self) -> Result<Daemon> {
        self.command(HELPER).arg("start").run(TIME_TO_START)?;
        // Not in the background, so that the lab sees its end.
        let command = self.command("miniupnpd").args(["-d", "-f", CONFIGURATION]);
        let daemon = self.spawn("miniupnpd", &command.args(["-P", "/run/miniupnpd.pid"]))?;
        self.wait_for_miniupnpd(&daemon, true, true)?;
        Ok(daemon)
    }

    /// `systemctl stop miniupnpd`.
    ///
    /// # Errors
    /// When the package's stop script fails.
    pub fn stop_packaged_miniupnpd(&self, daemon: Daemon) -> Result<()> {
        daemon.stop()?;
        self.command(HELPER).arg("stop").run(TIME_TO_START)?;
        Ok(())
    }
}

/// With the libraries that were unpacked beside it.
fn runs(program: &str) -> String {
    format!(
        "#!/bin/sh\nexport LD_LIBRARY_PATH=$(echo {UNPACKED_FOR_IPTABLES}/usr/lib/*-linux-gnu*)\n\
         export XTABLES_LIBDIR=$LD_LIBRARY_PATH/xtables\nexec {UNPACKED_FOR_IPTABLES}/{program} \"$@\"\n"
    )
}

/// The postinst gives the router a name of its own, and answers its own question about IGD.
fn configured(configuration: &str) -> String {
    let named = configuration.replace("\nuuid=\n", "\nuuid=6d6f7368-7075-6e63-6820-6c6162206777\n");
    named.replace("\n#force_igd_desc_v1=no\n", "\nforce_igd_desc_v1=no\n")
}

fn read(path: &Path) -> Result<String> {
    fs::read_to_string(path).with_context(|| format!("reading {}", path.display()))
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    fs::copy(from, to).with_context(|| format!("copying {}", from.display()))?;
    Ok(())
}
