//! The guard's loop: the lease file, the firewall and the sockets around the decisions of [`miniupnpd::guard`].

mod holds;
mod lease_file;
mod nft;
mod start;

use std::io::ErrorKind;
use std::net::Ipv4Addr;
use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use miniupnpd::guard::{self, Action, Notice, Scope};
use miniupnpd::hairpin;
use miniupnpd::mapping::Mappings;
use miniupnpd::redirections::Reading;
use net::changes::Changes;
use net::wait::wait;
use net::{clock, interfaces};
use rustix::event::{PollFd, PollFlags};

use self::holds::Holds;
use self::lease_file::LeaseFile;
use self::nft::{Job, Nft};
pub use self::start::{Asked, run};
use programs::signals::Signals;

use crate::service_manager;

/// What is guarded.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) lease_file: PathBuf,
    pub(crate) chains: Vec<String>,
    pub(crate) outside_interface: String,
    pub(crate) told_address: Option<Ipv4Addr>,
    pub(crate) scope: Scope,
}

pub(crate) struct Guard {
    plan: Plan,
    machine: guard::Guard,
    lease_file: LeaseFile,
    holds: Holds,
    nft: Nft,
    changes: Changes,
    outside_addresses: Vec<Ipv4Addr>,
    signals: Signals,
    /// What was told last; `None` before it is ready.
    told: Option<String>,
    firewall_is_readable: bool,
}

impl Guard {
    pub(crate) fn new(plan: Plan) -> Result<Self> {
        let now = clock::now();
        let signals = Signals::of_the_end()?;
        let changes = Changes::open().context("hearing of changes of the interfaces")?;
        let lease_file = LeaseFile::watch(&plan.lease_file, now);
        let mut nft = Nft::default();
        if !plan.scope.hairpin {
            nft.queue(Job::CleanUp(hairpin::REMOVAL.to_owned()));
        }
        let mut guard = Self {
            machine: guard::Guard::new(plan.scope.clone(), now),
            outside_addresses: outside_addresses(&plan)?,
            plan,
            lease_file,
            holds: Holds::default(),
            nft,
            changes,
            signals,
            told: None,
            firewall_is_readable: true,
        };
        let claims = guard.lease_file.read(&guard.plan.scope);
        let claims = claims.with_context(|| guard.plan.lease_file.display().to_string())?;
        guard.machine.handle_claims(claims, clock::now());
        Ok(guard)
    }

    /// Until somebody wants it to end.
    pub(crate) fn run(mut self) -> Result<()> {
        loop {
            // 1. Do what is to be done, and hand over what came of it.
            self.perform()?;
            // 2. Tell how it is.
            self.tell();
            // 3. Wait, once everything that changes the deadline is done.
            self.wait()?;
            // 4. Hand over what came in.
            if self.signals.have_come() {
                return self.end();
            }
            if self.lease_file.has_changed(clock::now()) {
                self.machine.handle_change(clock::now());
            }
            if self.lease_file.is_due(clock::now()) {
                self.read_leases();
            }
            self.follow_addresses()?;
            // 5. Fire the timers.
            self.machine.handle_timeout(clock::now());
        }
    }

    fn perform(&mut self) -> Result<()> {
        loop {
            while let Some(action) = self.machine.poll_action() {
                self.perform_one(action)?;
            }
            let Some((job, result)) = self.nft.poll(clock::now()) else { return Ok(()) };
            self.handle_nft(job, result)?;
        }
    }

    fn perform_one(&mut self, action: Action) -> Result<()> {
        match action {
            Action::Hold(port) => {
                let extent = self.holds.hold(port, &self.outside_addresses);
                if extent == guard::Extent::Nothing(ErrorKind::Unsupported) {
                    bail!(
                        "this kernel has no IPv6, without which a port cannot be held; boot without ipv6.disable=1"
                    );
                }
                self.machine.handle_hold(port, extent, clock::now());
            }
            Action::Release(port) => self.holds.release(port),
            Action::ReadFirewall => self.nft.queue(Job::List),
            Action::Hairpin(mappings) => self.nft.queue(Job::Load(self.hairpin(&mappings))),
            Action::Tell(notice) => report::note(describe(&notice)),
        }
        Ok(())
    }

    fn hairpin(&self, mappings: &Mappings) -> String {
        // Clients are told that address; if it is another router's, their datagrams may come by here all the same.
        let told = self.plan.told_address.filter(|told| !self.outside_addresses.contains(told));
        let addresses: Vec<_> = self.outside_addresses.iter().copied().chain(told).collect();
        hairpin::rules(&self.plan.outside_interface, &addresses, mappings)
    }

    fn handle_nft(&mut self, job: Job, result: Result<String>) -> Result<()> {
        match job {
            Job::List => self.handle_listing(result),
            Job::Load(_) => {
                let applied = result.context("the rules for clients inside");
                if let Err(error) = &applied {
                    if self.told.is_none() {
                        return applied.map(drop).context("--hairpin needs nft, and CAP_NET_ADMIN");
                    }
                    report::error(error);
                }
                self.machine.handle_hairpin(applied.is_ok(), clock::now());
            }
            Job::CleanUp(_) => tracing::debug!(?result, "what an earlier guard may have left is removed"),
        }
        Ok(())
    }

    fn handle_listing(&mut self, listing: Result<String>) {
        let reading = match listing {
            Ok(ruleset) => Some(Reading::parse(&ruleset, &self.plan.chains)),
            Err(error) => {
                if std::mem::take(&mut self.firewall_is_readable) {
                    report::note(format_args!(
                        "the firewall cannot be read, the lease file has to do: {error:#}"
                    ));
                }
                None
            }
        };
        self.machine.handle_firewall(reading.as_ref(), clock::now());
    }

    fn read_leases(&mut self) {
        match self.lease_file.read(&self.plan.scope) {
            Ok(claims) => self.machine.handle_claims(claims, clock::now()),
            Err(error) => {
                report::note(format_args!("{}: {error}", self.plan.lease_file.display()));
            }
        }
    }

    fn follow_addresses(&mut self) -> Result<()> {
        if self.changes.any(clock::now()) {
            let addresses = outside_addresses(&self.plan)?;
            if addresses != self.outside_addresses {
                self.outside_addresses = addresses;
                self.machine.handle_addresses(clock::now());
            }
        }
        Ok(())
    }

    fn tell(&mut self) {
        if self.told.is_none() && !self.machine.is_ready() {
            return;
        }
        let (ports, missing) = self.machine.count();
        let status = format!("{} of {ports} mapped UDP ports held", ports - missing);
        match &self.told {
            None => {
                service_manager::ready(&status);
                report::note(format_args!("guarding: {status}"));
            }
            Some(told) if *told != status => service_manager::status(&status),
            Some(_) => return,
        }
        self.told = Some(status);
    }

    fn wait(&self) -> Result<()> {
        let deadlines = [
            self.machine.poll_timeout(),
            self.nft.poll_timeout(),
            self.lease_file.poll_timeout(),
            self.changes.poll_timeout(),
        ];
        let mut descriptors = vec![PollFd::new(&self.signals, PollFlags::IN)];
        descriptors.extend(self.changes.descriptor());
        descriptors.extend(self.lease_file.descriptor());
        descriptors.extend(self.nft.descriptor());
        Ok(wait(&mut descriptors, deadlines.into_iter().flatten().min())?)
    }

    /// The ports are free once this process has ended.
    fn end(mut self) -> Result<()> {
        service_manager::stopping();
        if self.plan.scope.hairpin {
            self.nft.queue(Job::CleanUp(hairpin::REMOVAL.to_owned()));
        }
        let mut last = Ok(String::new());
        while !self.nft.is_idle() {
            match self.nft.poll(clock::now()) {
                Some((_, result)) => last = result,
                None => {
                    let mut ended: Vec<_> = self.nft.descriptor().into_iter().collect();
                    wait(&mut ended, self.nft.poll_timeout())?;
                }
            }
        }
        last.map(drop).context("removing the rules for clients inside")
    }
}

fn outside_addresses(plan: &Plan) -> Result<Vec<Ipv4Addr>> {
    let mut addresses = interfaces::addresses_of(&plan.outside_interface)
        .with_context(|| format!("reading the addresses of {}", plan.outside_interface))?;
    addresses.sort_unstable();
    Ok(addresses)
}

fn describe(notice: &Notice) -> String {
    match notice {
        Notice::NotHeld { port, internal, why: ErrorKind::AddrInUse } => format!(
            "UDP port {port} leads to {internal}, and a program of this router has it too: from outside that program \
             cannot be reached; restart it on another port (ss -lunp 'sport = {port}' names it)"
        ),
        Notice::NotHeld { port, internal, why } => format!(
            "UDP port {port}, which leads to {internal}, is not held ({why}); if it is for want of file descriptors, \
             allow more (LimitNOFILE= of the service)"
        ),
        Notice::NowHeld { port } => format!("UDP port {port} is held now"),
        Notice::NoChain => {
            "nft shows no chain of miniupnpd, so the lease file has to do, and no client inside is led \
                            anywhere; start miniupnpd, or see docs/guard.md if it is the one for iptables"
                .to_owned()
        }
    }
}
