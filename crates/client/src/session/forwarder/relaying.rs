//! What a forwarder does for the relay that the user has named.

use std::net::SocketAddr;

use net::clock;
use path::{Family, Kind, Route, SocketId, WayId};

use super::{Forwarder, Found};
use crate::session::named_server::NamedServer;
use crate::session::relay::Outcome;

impl Forwarder {
    pub(super) fn allocate(&mut self, socket: SocketId, family: Family) {
        let servers = self.scout.turn.iter().flat_map(NamedServer::addresses);
        self.relays.allocate(socket, family, servers, clock::now());
    }

    pub(super) fn use_relay(&mut self, way: WayId, kind: Kind) {
        let way = self.agent.way(way).filter(|_| kind == Kind::Relayed);
        if let Some(Route::Udp { socket, remote }) = way.map(|way| way.route) {
            self.relays.is_used(socket, remote, clock::now());
        }
    }

    pub(super) fn handle_relays(&mut self) {
        while let Some(outcome) = self.relays.poll_outcome() {
            let now = clock::now();
            tracing::info!(?outcome);
            match outcome {
                Outcome::Opened { socket, place, by } => {
                    self.note(Found::Relay { by, place }, now);
                    self.agent.handle_opened(socket, now);
                }
                Outcome::Failed { socket, .. } => {
                    self.scout.look_up_turn_again();
                    self.agent.handle_open_failed(socket, now);
                }
            }
        }
    }

    pub(super) fn ask_for_openers_to_relay(&mut self, number: u32, place: SocketAddr) {
        let now = clock::now();
        let round = self.punching.ask_by_relay(number, place);
        if !round.is_ok_and(|round| self.scout.punch(&round, now)) {
            self.agent.handle_punch_refused(number, now);
        }
    }
}
