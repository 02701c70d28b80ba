//! `moshpunch router setup`.

use std::io::{self, BufRead, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use miniupnpd::build::Build;
use miniupnpd::configuration::{ChainNames, Configuration};
use miniupnpd::interfaces::{Interface, candidates};
use miniupnpd::plan::{Part, Plan, Server};
use miniupnpd::rule::{Network, PortRange};
use miniupnpd::ruleset::Ruleset;
use miniupnpd::setup::{Files, Flavour, SERVICE_FILE, Surroundings, Wishes, edit, look};
use miniupnpd::{firewall, openwrt};
use report::{note, sanitized};

use super::diff::unified;
use super::files::{self, Change, DIRECTORY};
use super::system::{
    DEFAULTS, interfaces, miniupnpd_version, nft_ruleset, read_if_any, routes_out, uses_iptables,
};

const CONFIGURATION: &str = "/etc/miniupnpd/miniupnpd.conf";

/// OpenWrt's network of that name.
const OPENWRT_NETWORK: &str = "192.168.1.0/24";

/// What was said to `router setup`.
#[derive(Debug)]
pub struct Setup {
    /// Make the changes; without this they are only shown.
    pub apply: bool,
    /// Put back what was there before the first change.
    pub revert: bool,
    /// Of files that were edited since, too.
    pub discard_edits: bool,
    /// The interface outside; that of the default route, if nothing is said.
    pub wan: Option<String>,
    /// The interface inside; the other one with a private address, if nothing is said.
    pub lan: Option<String>,
    /// Who may map ports; the network of the interface inside, if nothing is said.
    pub network: Option<Network>,
    /// The ports that may be mapped.
    pub range: Option<PortRange>,
    /// Between which and the router itself they are divided.
    pub servers: Vec<Server>,
    pub platform: Platform,
}

/// What runs on the router.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Platform {
    Debian,
    /// Commands are printed that make the same there.
    Openwrt,
}

/// # Errors
///
/// The files cannot be read or changed, or it is not certain what they should say.
pub fn run(said: &Setup) -> Result<ExitCode> {
    if said.revert {
        return revert(said.discard_edits);
    }
    let plan = Plan::new(said.range, &said.servers)?;
    match said.platform {
        Platform::Debian => debian(said, &plan),
        Platform::Openwrt => print_for_openwrt(said, &plan),
    }
}

fn revert(discard_edits: bool) -> Result<ExitCode> {
    for path in files::revert(discard_edits)? {
        note(format_args!("{} is as it was before", path.display()));
    }
    note("what runs has not changed: systemctl restart miniupnpd, or systemctl disable --now miniupnpd");
    Ok(ExitCode::SUCCESS)
}

fn print_for_openwrt(said: &Setup, plan: &Plan) -> Result<ExitCode> {
    if said.apply {
        bail!("--apply is for Debian; run the commands that are printed without it on the router");
    }
    let (wan, lan) = (said.wan.as_deref().unwrap_or("wan"), said.lan.as_deref().unwrap_or("lan"));
    let network = match said.network {
        Some(network) => network,
        None => OPENWRT_NETWORK.parse().context("OpenWrt's network")?,
    };
    print(&openwrt::commands(wan, lan, network, plan))?;
    print(&for_the_servers(plan))?;
    note(format_args!(
        "nothing is changed; run these on the router, whose network inside must be {network} (--network)"
    ));
    Ok(ExitCode::SUCCESS)
}

fn debian(said: &Setup, plan: &Plan) -> Result<ExitCode> {
    let path = Path::new(CONFIGURATION);
    let Some(configuration) = read_if_any(path)? else {
        bail!(
            "there is no {CONFIGURATION}; install miniupnpd first: apt install miniupnpd miniupnpd-nftables"
        );
    };
    let defaults = read_if_any(Path::new(DEFAULTS))?;
    let (wishes, closed) = wishes(said, plan, &configuration)?;
    let files = edit(&configuration, defaults.as_deref().unwrap_or_default(), &wishes);
    files.notes.iter().for_each(note);
    if let Some(closed) = closed.filter(|_| files.firewall.is_some()) {
        note(closed);
    }
    let changes = changes(configuration, defaults, files)?;
    for Change { path, before, after } in &changes {
        print(&unified(&path.display().to_string(), before.as_deref(), Some(after)))?;
    }
    print(&for_the_servers(plan))?;
    finish(&changes, said.apply)
}

fn finish(changes: &[Change], apply: bool) -> Result<ExitCode> {
    match (changes.is_empty(), apply) {
        (true, _) => note("nothing has to be changed"),
        (false, false) => note("nothing is changed yet; to change it: --apply"),
        (false, true) => {
            files::apply(changes)?;
            note(format_args!("changed; what was there before is in {DIRECTORY}, and --revert puts it back"));
            note(
                "next: systemctl daemon-reload && systemctl enable miniupnpd && systemctl restart miniupnpd && moshpunch router check",
            );
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn changes(configuration: Vec<u8>, defaults: Option<Vec<u8>>, files: Files) -> Result<Vec<Change>> {
    let change = |path: &str, before, after| Change { path: PathBuf::from(path), before, after };
    let mut changes = vec![
        change(CONFIGURATION, Some(configuration), files.configuration),
        change(DEFAULTS, defaults, files.defaults),
    ];
    let service = files.service.map(str::to_owned);
    for (path, text) in [(firewall::FILE, files.firewall), (SERVICE_FILE, service)] {
        if let Some(text) = text {
            changes.push(change(path, read_if_any(Path::new(path))?, text.into_bytes()));
        }
    }
    changes.retain(Change::is_one);
    Ok(changes)
}

/// What is wanted, and what of the administrator's firewall will stop it.
fn wishes(said: &Setup, plan: &Plan, configuration: &[u8]) -> Result<(Wishes, Option<String>)> {
    let interfaces = interfaces()?;
    let named = (said.wan.as_deref(), said.lan.as_deref());
    let wan = choose("outside", "--wan", &candidates(&interfaces, &routes_out(), named).wan, &interfaces)?;
    let lan =
        choose("inside", "--lan", &candidates(&interfaces, &[], (Some(&wan), named.1)).lan, &interfaces)?;
    if wan == lan {
        bail!("{wan} cannot be outside and inside; say which is which: --wan INTERFACE --lan INTERFACE");
    }
    if !interfaces.iter().any(|interface| interface.name == wan) {
        note(format_args!("{wan} has no IPv4 address now; miniupnpd does not start before it has one"));
    }
    let lan_network = match said.network {
        Some(network) => network,
        None => network_of(&lan, &interfaces)?,
    };
    let flavour = if uses_iptables() { Flavour::Iptables } else { Flavour::Nftables };
    let build = miniupnpd_version().as_deref().map(Build::parse).unwrap_or_default();
    let Surroundings { chains_are_there, closed } = match flavour {
        Flavour::Nftables => {
            let names = Configuration::parse(configuration).chain_names(&build);
            surroundings(names.as_ref(), &wan, &lan, lan_network)
        }
        Flavour::Iptables => Surroundings::default(),
    };
    let wishes = Wishes { wan, lan, lan_network, plan: plan.clone(), flavour, build, chains_are_there };
    Ok((wishes, closed))
}

fn surroundings(names: Option<&ChainNames>, wan: &str, lan: &str, lan_network: Network) -> Surroundings {
    let Some(ruleset) = nft_ruleset().and_then(|text| Ruleset::parse(&text).ok()) else {
        note("the rules of nftables cannot be read (as root, they can): it is taken that there are none");
        return Surroundings::default();
    };
    look(&ruleset, names, wan, lan, lan_network)
}

fn network_of(lan: &str, interfaces: &[Interface]) -> Result<Network> {
    let interface = interfaces.iter().find(|interface| interface.name == lan);
    let (_, network) = interface.and_then(Interface::network).with_context(|| {
        format!("{lan} has no IPv4 address; say which network is inside: --network ADDRESS/PREFIX")
    })?;
    Ok(network)
}

/// The only candidate, or what the user says when asked.
fn choose(side: &str, flag: &str, candidates: &[String], interfaces: &[Interface]) -> Result<String> {
    if let [certain] = candidates {
        return Ok(certain.clone());
    }
    let names: Vec<_> = match candidates {
        [] => interfaces.iter().map(|interface| interface.name.clone()).collect(),
        several => several.to_vec(),
    };
    let names = sanitized(&names.join(", "));
    if !(io::stdin().is_terminal() && io::stderr().is_terminal()) {
        bail!("which interface is {side}? It is not certain; say it: {flag} INTERFACE (perhaps {names})");
    }
    eprint!("Which interface is {side} ({names})? ");
    io::stderr().flush()?;
    let mut answer = String::new();
    io::stdin().lock().read_line(&mut answer)?;
    let answer = answer.trim();
    let known = interfaces.iter().find(|interface| interface.name == answer);
    let known = known.with_context(|| format!("there is no interface {answer:?} with an IPv4 address"))?;
    Ok(known.name.clone())
}

/// What a divided range means for each host.
fn for_the_servers(plan: &Plan) -> String {
    match plan {
        Plan::Shared(_) => String::new(),
        Plan::Divided(parts) => parts.iter().map(for_one).collect(),
    }
}

fn for_one(Part { server, ports }: &Part) -> String {
    match server {
        None => {
            format!("\n# For sessions on the router itself: mosh --port={}:{} …\n", ports.first, ports.last)
        }
        Some(server) => format!(
            "\n# On {} ({}), in ~/.config/moshpunch/config.toml; or: mosh --port={}:{} …\n[server]\nports = \"{ports}\"\n",
            sanitized(&server.name),
            server.address,
            ports.first,
            ports.last
        ),
    }
}

fn print(text: &str) -> Result<()> {
    let shown = |line: &str| line.split('\t').map(sanitized).collect::<Vec<_>>().join("\t");
    Ok(text.lines().try_for_each(|line| writeln!(io::stdout(), "{}", shown(line)))?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plan_is_told_to_each_host() {
        let servers = [Server { name: "server1".into(), address: [192, 168, 1, 10].into() }];
        assert_eq!(
            for_the_servers(&Plan::new(None, &servers).unwrap()),
            "\n# For sessions on the router itself: mosh --port=60001:60005 …\n\
             \n# On server1 (192.168.1.10), in ~/.config/moshpunch/config.toml; or: mosh --port=60006:60010 …\n\
             [server]\nports = \"60006-60010\"\n"
        );
        assert_eq!(for_the_servers(&Plan::new(None, &[]).unwrap()), "");
    }
}
