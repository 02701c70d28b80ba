//! Whether a gateway that speaks up has started anew since it was heard last.
//!
//! UPnP has no epoch. But a device tells its boot id and its location in each answer and each notification (UDA 1.1 §1.2.2),
//! and a gateway that starts tells everybody: with another boot id, often on another port. One that has no boot id (UDA
//! 1.0) should take its leave before it comes again (§1.2.2).

use super::ssdp::{Message, MessageKind};
use super::url::Url;

/// A gateway speaks for three devices, and some for a few more; who has more is not listened to about the rest.
const DEVICES_MAXIMUM: usize = 8;

/// `uuid:` and 36 characters, where routers keep to the standard.
const NAME_CHARACTERS: usize = 64;

/// What a gateway was heard of.
#[derive(Debug, Default)]
pub(super) struct Presence {
    devices: Vec<Device>,
}

#[derive(Debug)]
struct Device {
    name: String,
    life: Life,
    has_left: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Life {
    boot_id: Option<u32>,
    /// Of its descriptions. An IPv6 gateway has several addresses, and may tell now this one, now that.
    http_port: u16,
}

/// What a message gives away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sign {
    /// It is as it was, as far as anybody can tell.
    Alive,
    Restarted,
    /// It has its descriptions elsewhere, and surely its controls: it has restarted, too.
    Moved,
}

impl Presence {
    /// `message` is of the gateway, and `location` what it says of its own, checked. A leave and the answer to a search
    /// say nothing by themselves, but the next notification is held against them.
    pub(super) fn hear(&mut self, message: &Message, location: Option<&Url>) -> Option<Sign> {
        let name = name(message);
        if message.kind == MessageKind::ByeBye {
            self.devices.iter_mut().filter(|device| device.name == name).for_each(|it| it.has_left = true);
            return None;
        }
        let life = Life { boot_id: message.boot_id, http_port: location?.port() };
        let sign = self.sign_of(&name, life);
        self.remember(name, life);
        (message.kind == MessageKind::Alive).then_some(sign)
    }

    fn sign_of(&self, name: &str, life: Life) -> Sign {
        let known = self.devices.iter().find(|device| device.name == name);
        let is_familiar = |device: &Device| {
            // Some tell their boot id in notifications only.
            let may_not_tell = known.is_none_or(|known| known.name == device.name);
            device.life.is_continued_by(life, may_not_tell) && !device.came_back()
        };
        let is_full = known.is_none() && self.devices.len() >= DEVICES_MAXIMUM;
        if is_full || self.devices.is_empty() || self.devices.iter().any(is_familiar) {
            return Sign::Alive;
        }
        match self.devices.iter().any(|device| device.life.http_port == life.http_port) {
            true => Sign::Restarted,
            false => Sign::Moved,
        }
    }

    fn remember(&mut self, name: String, life: Life) {
        if let Some(device) = self.devices.iter_mut().find(|device| device.name == name) {
            (device.life, device.has_left) = (life, false);
        } else if self.devices.len() < DEVICES_MAXIMUM {
            self.devices.push(Device { name, life, has_left: false });
        }
    }
}

impl Life {
    fn is_continued_by(self, other: Self, may_not_tell: bool) -> bool {
        let tell_both = self.boot_id.is_some() && other.boot_id.is_some();
        let same_boot = self.boot_id == other.boot_id || (may_not_tell && !tell_both);
        self.http_port == other.http_port && same_boot
    }
}

impl Device {
    /// A boot id says that better.
    fn came_back(&self) -> bool {
        self.has_left && self.life.boot_id.is_none()
    }
}

fn name(message: &Message) -> String {
    let text = message.unique_service_name.as_deref().unwrap_or_default();
    text.split("::").next().unwrap_or_default().chars().take(NAME_CHARACTERS).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(kind: MessageKind, name: &str, boot_id: impl Into<Option<u32>>) -> Message {
        Message {
            kind,
            target: "urn:schemas-upnp-org:device:InternetGatewayDevice:1".into(),
            location: None,
            server: None,
            unique_service_name: Some(format!("uuid:{name}::urn:a:b:1")),
            boot_id: boot_id.into(),
        }
    }

    fn location(port: u16) -> Url {
        Url::parse(&format!("http://192.168.1.1:{port}/d.xml")).unwrap()
    }

    fn alive(presence: &mut Presence, name: &str, boot_id: impl Into<Option<u32>>, port: u16) -> Sign {
        presence.hear(&message(MessageKind::Alive, name, boot_id), Some(&location(port))).unwrap()
    }

    fn bye(presence: &mut Presence, name: &str, boot_id: impl Into<Option<u32>>) {
        assert_eq!(presence.hear(&message(MessageKind::ByeBye, name, boot_id), None), None);
    }

    #[test]
    fn who_is_heard_for_the_first_time_may_always_have_been_there() {
        assert_eq!(alive(&mut Presence::default(), "a", 7, 5000), Sign::Alive);
    }

    #[test]
    fn another_boot_id_is_a_restart_told_once_for_all_devices() {
        let mut presence = Presence::default();
        for name in ["a", "b", "c", "a", "b", "c"] {
            assert_eq!(alive(&mut presence, name, 7, 5000), Sign::Alive);
        }
        assert_eq!(alive(&mut presence, "b", 3, 5000), Sign::Restarted, "a clock may begin in 1970");
        for name in ["a", "c", "b", "a"] {
            assert_eq!(alive(&mut presence, name, 3, 5000), Sign::Alive);
        }
    }

    #[test]
    fn another_port_is_a_move() {
        for (before, after) in [(Some(7), Some(8)), (Some(7), Some(7)), (None, None)] {
            let mut presence = Presence::default();
            alive(&mut presence, "a", before, 5000);
            assert_eq!(alive(&mut presence, "a", after, 5001), Sign::Moved);
            assert_eq!(alive(&mut presence, "a", after, 5001), Sign::Alive);
        }
    }

    #[test]
    fn what_the_answer_to_a_search_tells_is_what_notifications_are_held_against() {
        let mut presence = Presence::default();
        let reply = |boot_id| message(MessageKind::SearchReply, "a", boot_id);
        assert_eq!(presence.hear(&reply(7), Some(&location(5000))), None);
        assert_eq!(alive(&mut presence, "a", 7, 5000), Sign::Alive);
        assert_eq!(presence.hear(&reply(8), Some(&location(5000))), None, "whoever asks knows already");
        assert_eq!(alive(&mut presence, "a", 8, 5000), Sign::Alive);
        assert_eq!(alive(&mut presence, "a", 9, 5000), Sign::Restarted);
    }

    #[test]
    fn a_boot_id_that_was_not_told_before_says_nothing() {
        for name in ["a", "b"] {
            let mut presence = Presence::default();
            let reply = message(MessageKind::SearchReply, "a", None);
            presence.hear(&reply, Some(&location(5000)));
            assert_eq!(alive(&mut presence, name, 7, 5000), Sign::Alive);
            assert_eq!(alive(&mut presence, name, 8, 5000), Sign::Restarted);
        }
    }

    #[test]
    fn without_a_boot_id_who_left_and_comes_back_has_restarted() {
        let mut presence = Presence::default();
        alive(&mut presence, "a", None, 5000);
        bye(&mut presence, "b", None);
        assert_eq!(alive(&mut presence, "a", None, 5000), Sign::Alive);
        bye(&mut presence, "a", None);
        assert_eq!(alive(&mut presence, "a", None, 5000), Sign::Restarted);
        assert_eq!(alive(&mut presence, "a", None, 5000), Sign::Alive);
    }

    #[test]
    fn with_one_the_boot_id_alone_counts() {
        let mut presence = Presence::default();
        alive(&mut presence, "a", 7, 5000);
        bye(&mut presence, "a", 7);
        assert_eq!(alive(&mut presence, "a", 7, 5000), Sign::Alive);
    }

    #[test]
    fn two_gateways_in_one_box_are_told_apart() {
        let mut presence = Presence::default();
        alive(&mut presence, "a", 7, 5000);
        assert_eq!(alive(&mut presence, "b", 9, 6000), Sign::Moved, "once");
        for _ in 0..3 {
            assert_eq!(alive(&mut presence, "a", 7, 5000), Sign::Alive);
            assert_eq!(alive(&mut presence, "b", 9, 6000), Sign::Alive);
        }
    }

    #[test]
    fn no_crowd_of_names_is_remembered_or_heard_again_and_again() {
        let mut presence = Presence::default();
        for number in 0..1000 {
            let sign = alive(&mut presence, &number.to_string(), number, 5000);
            assert!(sign == Sign::Alive || number < 8, "{number}");
        }
        assert_eq!(presence.devices.len(), DEVICES_MAXIMUM);
        let long = "x".repeat(5000);
        assert!(name(&message(MessageKind::Alive, &long, 1)).len() <= NAME_CHARACTERS);
    }
}
