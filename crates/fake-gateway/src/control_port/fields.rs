//! Where the numbers are in a packet.

use crate::effect::Effect;

/// The offsets of an answer's fields, as far as it has them.
#[derive(Debug, Clone, Copy)]
pub(super) struct Layout {
    pub(super) epoch: usize,
    pub(super) lifetime: usize,
    pub(super) internal_port: usize,
    pub(super) external_port: usize,
    pub(super) nonce: usize,
}

/// Writes the fields that are to be wrong.
pub(super) fn falsify(mut packet: Vec<u8>, layout: Layout, effects: &[Effect]) -> Vec<u8> {
    for effect in effects {
        match effect {
            Effect::Epoch(seconds) => write(&mut packet, layout.epoch, &seconds.to_be_bytes()),
            Effect::Lifetime(seconds) => write(&mut packet, layout.lifetime, &seconds.to_be_bytes()),
            Effect::InternalPort(port) => write(&mut packet, layout.internal_port, &port.to_be_bytes()),
            Effect::ExternalPort(port) => write(&mut packet, layout.external_port, &port.to_be_bytes()),
            Effect::WrongNonce => {
                if let Some(byte) = packet.get_mut(layout.nonce) {
                    *byte ^= 1;
                }
            }
            _ => {}
        }
    }
    packet
}

/// A packet without that field keeps what it has.
fn write(packet: &mut [u8], at: usize, value: &[u8]) {
    if let Some(field) = packet.get_mut(at..at + value.len()) {
        field.copy_from_slice(value);
    }
}

/// # Panics
/// When the packet is too short; its length has been checked.
pub(super) fn read<const LENGTH: usize>(packet: &[u8], at: usize) -> [u8; LENGTH] {
    packet[at..at + LENGTH].try_into().expect("the slice has that length")
}
