//! What has arrived.

use std::collections::BTreeMap;

/// How many messages of each kind a gateway has heard.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Counters {
    pub searches: usize,
    pub multicast_searches: usize,
    /// TCP connections accepted.
    pub connections: usize,
    pub descriptions: usize,
    /// By action.
    pub soap: BTreeMap<String, usize>,
    pub nat_pmp_address: usize,
    pub nat_pmp_map: usize,
    pub nat_pmp_unmap: usize,
    pub pcp_announce: usize,
    pub pcp_map: usize,
    pub pcp_unmap: usize,
    /// Of a version that is not spoken here.
    pub other_version: usize,
    /// Nothing that any of the protocols knows.
    pub unknown: usize,
    /// Those of the others that a fault was played on.
    pub faulty: usize,
}

impl Counters {
    /// How often an action was invoked.
    #[must_use]
    pub fn action(&self, name: &str) -> usize {
        self.soap.get(name).copied().unwrap_or_default()
    }

    /// Without the searches and connections: a search is repeated when a busy machine answers late.
    #[must_use]
    pub fn without_searches(&self) -> Self {
        Self { searches: 0, multicast_searches: 0, connections: 0, ..self.clone() }
    }

    pub(crate) fn count(&mut self, arrival: &Arrival) {
        let counter = match arrival {
            Arrival::Search { multicast: false, .. } => &mut self.searches,
            Arrival::Search { multicast: true, .. } => &mut self.multicast_searches,
            Arrival::Description => &mut self.descriptions,
            Arrival::Action(name) => self.soap.entry(name.clone()).or_default(),
            Arrival::NatPmpAddress => &mut self.nat_pmp_address,
            Arrival::NatPmpMap => &mut self.nat_pmp_map,
            Arrival::NatPmpUnmap => &mut self.nat_pmp_unmap,
            Arrival::PcpAnnounce => &mut self.pcp_announce,
            Arrival::PcpMap => &mut self.pcp_map,
            Arrival::PcpUnmap => &mut self.pcp_unmap,
        };
        *counter += 1;
    }
}

/// A message that was understood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Arrival {
    Search { multicast: bool, target: String },
    Description,
    Action(String),
    NatPmpAddress,
    NatPmpMap,
    NatPmpUnmap,
    PcpAnnounce,
    PcpMap,
    PcpUnmap,
}
