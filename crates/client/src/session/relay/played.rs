//! A TURN server that a test plays.

use std::net::{SocketAddr, UdpSocket};
use std::time::Duration;

use turn_client_proto::types::attribute::{Lifetime, XorRelayedAddress};
use turn_client_proto::types::stun::attribute::{ErrorCode, Nonce, Realm};
use turn_client_proto::types::stun::message::{
    IntegrityAlgorithm, LongTermKeyCredentials, Message, MessageIntegrityCredentials, MessageWriteVec,
};
use turn_client_proto::types::stun::prelude::{MessageWrite, MessageWriteExt};

use super::*;

pub(super) const USER: &str = "alice";

pub(super) const PASSWORD: &str = "vollgeheim";

const PATIENCE: Duration = Duration::from_secs(20);

const REALM: &str = "home";

#[derive(Debug)]
pub(super) struct Played {
    socket: UdpSocket,
    client: Option<SocketAddr>,
}

impl Played {
    pub(super) fn new() -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        socket.set_read_timeout(Some(Duration::from_millis(5))).unwrap();
        Self { socket, client: None }
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.socket.local_addr().unwrap()
    }

    /// A client leaves some time between two.
    pub(super) fn question(&mut self, relays: &mut Relays) -> Vec<u8> {
        let (mut asked, end) = (vec![0; 2_000], clock::now() + PATIENCE);
        while clock::now() < end {
            relays.handle_timeout(clock::now());
            if let Ok((length, client)) = self.socket.recv_from(&mut asked) {
                self.client = Some(client);
                asked.truncate(length);
                return asked;
            }
        }
        panic!("nothing is asked");
    }

    /// RFC 8489 §9.2.4: who is it?
    pub(super) fn asks_who(&mut self, relays: &mut Relays) {
        self.refuses(ErrorCode::UNAUTHORIZED, relays);
    }

    /// And says what a question is to be signed with.
    pub(super) fn refuses(&mut self, code: u16, relays: &mut Relays) {
        let question = self.question(relays);
        let question = Message::from_bytes(&question).unwrap();
        let mut answer = Message::builder_error(&question, MessageWriteVec::new());
        answer.add_attribute(&ErrorCode::builder(code).build().unwrap()).unwrap();
        answer.add_attribute(&Realm::new(REALM).unwrap()).unwrap();
        answer.add_attribute(&Nonce::new("once").unwrap()).unwrap();
        self.say(&answer.finish(), relays);
    }

    pub(super) fn gives(&mut self, place: SocketAddr, lifetime: u32, relays: &mut Relays) {
        let question = self.question(relays);
        let question = Message::from_bytes(&question).unwrap();
        let mut answer = Message::builder_success(&question, MessageWriteVec::new());
        answer.add_attribute(&XorRelayedAddress::new(place, question.transaction_id())).unwrap();
        answer.add_attribute(&Lifetime::new(lifetime)).unwrap();
        self.say(&sealed(answer), relays);
    }

    /// To what is returned.
    pub(super) fn agrees(&mut self, relays: &mut Relays) -> Vec<u8> {
        let question = self.question(relays);
        let asked = Message::from_bytes(&question).unwrap();
        self.say(&sealed(Message::builder_success(&asked, MessageWriteVec::new())), relays);
        question
    }

    /// By loopback it is there once it was sent.
    pub(super) fn say(&self, datagram: &[u8], relays: &mut Relays) {
        self.socket.send_to(datagram, self.client.expect("a question")).unwrap();
        relays.look_again([true]);
        assert!(relays.receive(&mut []).is_none());
    }
}

fn sealed(mut answer: MessageWriteVec) -> Vec<u8> {
    let credentials = LongTermKeyCredentials::new(USER.into(), PASSWORD.into(), REALM.into());
    let credentials = MessageIntegrityCredentials::LongTerm(credentials);
    answer.add_message_integrity(&credentials, IntegrityAlgorithm::Sha1).unwrap();
    answer.finish()
}
