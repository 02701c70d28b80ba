//! Hosts that no datagram from outside reaches, of every kind; stock mosh beside it has no prompt.

use std::time::Duration;

use anyhow::{Result, ensure};
use lab::harness::Scenario;
use lab::{Daemon, Lab, Nat, Protocol, Sshd, USER, scenario, wait_until};

use crate::common::PATIENCE;
use crate::common::world::{BY_JUMP, FROM_OUTSIDE, Spot, Walker, World};
use crate::stock::Stock;

pub(crate) fn scenarios() -> Vec<Scenario> {
    let scenarios = vec![
        scenario!(behind_a_cone_nat_that_maps_nothing_there_is_a_prompt),
        scenario!(behind_a_symmetric_nat_that_maps_nothing_there_is_a_prompt),
        scenario!(through_a_jump_host_alone_there_is_a_prompt),
        scenario!(through_a_reverse_tunnel_out_of_a_carriers_nat_there_is_a_prompt),
        scenario!(from_ipv6_alone_to_ipv4_alone_there_is_a_prompt),
    ];
    scenarios.into_iter().map(|scenario| scenario.needs(&["miniupnpd"])).collect()
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Behind {
    ConeNat,
    SymmetricNat,
    JumpHost,
    /// ssh -R of the host's, to somebody whom all can reach.
    ReverseTunnel,
    /// The host has IPv4 alone, and the jump host both.
    Ipv4,
}

pub(crate) struct Hidden {
    pub(crate) world: World,
    behind: Behind,
    _tunnel: Option<Tunnel>,
}

struct Tunnel {
    _sshd: Daemon,
    _ssh: Daemon,
}

const TUNNEL_PORT: u16 = 2_200;

impl Hidden {
    pub(crate) fn raise(lab: &Lab, behind: Behind, laptop: Spot) -> Result<Self> {
        let mut world = World::raise(lab, laptop)?;
        world.lose_mappings()?;
        let let_ssh_in = |nat: Nat| nat.forward(Protocol::Tcp, 8022, "192.168.1.10:22");
        let mut tunnel = None;
        match behind {
            Behind::ConeNat => world.router.nat(&let_ssh_in(Nat::home("wan0")))?,
            Behind::SymmetricNat => world.router.nat(&let_ssh_in(Nat::symmetric("wan0")))?,
            Behind::JumpHost => world.router.nat(&Nat::home("wan0"))?,
            Behind::ReverseTunnel => {
                world.router.nat(&Nat::symmetric("wan0"))?;
                tunnel = Some(Tunnel::dig(lab, &world)?);
            }
            Behind::Ipv4 => {
                world.router.nat(&Nat::home("wan0"))?;
                world.server.readdress("eth0", &["192.168.1.10/24"], &["192.168.1.1"])?;
            }
        }
        Ok(Self { world, behind, _tunnel: tunnel })
    }

    pub(crate) fn words(&self) -> [&'static str; 2] {
        match self.behind {
            Behind::ConeNat | Behind::SymmetricNat => FROM_OUTSIDE,
            Behind::JumpHost | Behind::Ipv4 => BY_JUMP,
            Behind::ReverseTunnel => ["--ssh=ssh -p 2200", "bastion"],
        }
    }

    pub(crate) fn connect(&self) -> Result<Walker> {
        self.world.connect_by_any_way(&[&["--no-punch"], &self.words()[..]].concat())
    }

    /// mosh would replace the jump by its own ProxyCommand.
    fn stock(&self) -> Result<Stock> {
        let [ssh, host] = self.words();
        let remote_ip = if host == "server" { "remote" } else { "proxy" };
        let remote_ip = format!("--experimental-remote-ip={remote_ip}");
        Stock::hears_nothing(&self.world.laptop, &[ssh, &remote_ip, host])
    }
}

impl Tunnel {
    fn dig(lab: &Lab, world: &World) -> Result<Self> {
        let bastion = world.on_the_internet(lab, "bastion", "20.0.0.70/24")?;
        let sshd = bastion.sshd(&Sshd { extra: vec!["GatewayPorts yes".to_owned()], ..Sshd::default() })?;
        let forward = format!("{TUNNEL_PORT}:127.0.0.1:22");
        let ssh = world.server.command("ssh").args(["-N", "-R", &forward, "bastion"]).as_user(USER);
        let ssh = world.server.spawn("tunnel", &ssh)?;
        let filter = format!("sport = :{TUNNEL_PORT}");
        wait_until("the tunnel's other end", PATIENCE, || {
            let listening = bastion.command("ss").args(["-tlnH", &filter]).run(PATIENCE)?.stdout;
            Ok((!listening.is_empty()).then_some(()))
        })?;
        Ok(Self { _sshd: sshd, _ssh: ssh })
    }
}

fn there_is_a_prompt(lab: &Lab, behind: Behind, laptop: Spot) -> Result<()> {
    let hidden = Hidden::raise(lab, behind, laptop)?;
    let stock = hidden.stock()?;
    let mut session = hidden.connect()?;
    session.computes_within(PATIENCE)?;
    stock.has_heard_nothing()?;
    let paths = session.leave()?;
    ensure!(paths == ["ssh"], "{paths:?}");
    Ok(())
}

fn behind_a_cone_nat_that_maps_nothing_there_is_a_prompt(lab: &Lab) -> Result<()> {
    there_is_a_prompt(lab, Behind::ConeNat, Spot::CafeA)
}

fn behind_a_symmetric_nat_that_maps_nothing_there_is_a_prompt(lab: &Lab) -> Result<()> {
    there_is_a_prompt(lab, Behind::SymmetricNat, Spot::CafeB)
}

fn through_a_jump_host_alone_there_is_a_prompt(lab: &Lab) -> Result<()> {
    there_is_a_prompt(lab, Behind::JumpHost, Spot::CafeA)
}

fn through_a_reverse_tunnel_out_of_a_carriers_nat_there_is_a_prompt(lab: &Lab) -> Result<()> {
    there_is_a_prompt(lab, Behind::ReverseTunnel, Spot::CafeA)
}

fn from_ipv6_alone_to_ipv4_alone_there_is_a_prompt(lab: &Lab) -> Result<()> {
    there_is_a_prompt(lab, Behind::Ipv4, Spot::Ipv6Only)
}

/// A login in the background, and what mosh says then.
pub(crate) const FOUND_AGAIN: Duration = Duration::from_secs(40);
