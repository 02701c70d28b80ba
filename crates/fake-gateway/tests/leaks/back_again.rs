//! A host that goes to another address and comes back, at any moment.

use std::time::Duration;

use fake_gateway::{FakeGateway, Protocol as Spoken};
use portmap::mapper::Protocol;

use super::lives::{ADDRESSES, Life};

/// Half of an answer's time.
const STEP: Duration = Duration::from_millis(10);

/// All that is asked at another address: the search, the deletion from there, and the mapping.
const ASKING: u32 = 60;

/// The gateway deletes for whoever asks.
#[test]
fn a_mapping_that_was_deleted_from_afar_is_written_down_before_it_is_made_again() {
    let builder = FakeGateway::builder().protocols(&[Spoken::Upnp]).secure_mode(false);
    for away in (0..ASKING).map(|steps| steps * STEP) {
        let mut life = Life::new(builder.clone().simulate(ADDRESSES[0]), &Protocol::ALL, 1);
        life.advance(Duration::from_secs(10));
        life.move_to(ADDRESSES[1]);
        life.advance(away);
        life.move_to(ADDRESSES[0]);
        for _ in 0..2 * ASKING {
            life.advance(STEP);
            assert_eq!(life.unknown(), [], "back after {away:?}");
        }
    }
}

/// NAT-PMP had to give another port than the one asked for, and nobody heard of it. Back there, UPnP serves.
#[test]
fn what_was_granted_unheard_on_another_port_is_not_taken_for_one_that_is_held_since() {
    let builder = FakeGateway::builder().protocols(&[Spoken::NatPmp, Spoken::Upnp]);
    let mut life = Life::new(builder.simulate(ADDRESSES[0]), &Protocol::ALL, 1);
    life.advance(Duration::from_secs(10));
    life.move_to(ADDRESSES[1]);
    life.advance(Duration::from_millis(15));
    life.gateway.queue(Duration::from_secs(2));
    life.advance(Duration::from_millis(30));
    life.move_to(ADDRESSES[0]);
    life.advance(Duration::from_secs(60));
    life.gateway.queue(Duration::from_secs(10));
    life.move_to(ADDRESSES[1]);
    for _ in 0..2 * ASKING {
        life.advance(STEP);
        assert_eq!(life.unknown(), []);
    }
}
