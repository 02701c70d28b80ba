//! Which messages are answered otherwise than they should be, and how often.

use crate::counters::Arrival;
use crate::effect::Effect;

/// The messages that a [`Fault`] is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MessageKind {
    Search,
    UnicastSearch,
    MulticastSearch,
    /// A search with exactly this target.
    SearchFor(&'static str),
    /// Descriptions and all actions.
    Http,
    Description,
    /// All actions.
    Soap,
    Action(&'static str),
    NatPmp,
    NatPmpAddress,
    NatPmpMap,
    NatPmpUnmap,
    Pcp,
    PcpAnnounce,
    PcpMap,
    PcpUnmap,
}

/// How a gateway is answered for: the first fault that fits a message decides, and is used up by it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    on: MessageKind,
    /// `None`: for ever.
    times: Option<usize>,
    spared: usize,
    effects: Vec<Effect>,
}

impl Fault {
    /// # Panics
    /// When the effect means nothing for such messages.
    #[must_use]
    pub fn once(on: MessageKind, effect: Effect) -> Self {
        Self::times(1, on, effect)
    }

    /// # Panics
    /// As [`Self::once`].
    #[must_use]
    pub fn times(times: usize, on: MessageKind, effect: Effect) -> Self {
        Self { times: Some(times), ..Self::always(on, effect) }
    }

    /// # Panics
    /// As [`Self::once`].
    #[must_use]
    pub fn always(on: MessageKind, effect: Effect) -> Self {
        Self { on, times: None, spared: 0, effects: Vec::new() }.and(effect)
    }

    /// Another effect on the same answers.
    ///
    /// # Panics
    /// As [`Self::once`].
    #[must_use]
    pub fn and(mut self, effect: Effect) -> Self {
        assert!(effect.concerns(self.on), "{effect:?} means nothing for {:?}", self.on);
        self.effects.push(effect);
        self
    }

    /// Begins only after so many messages of its kind.
    #[must_use]
    pub fn after(mut self, spared: usize) -> Self {
        self.spared = spared;
        self
    }
}

/// The faults that are still to come, in the order in which they were told.
#[derive(Debug, Default)]
pub(crate) struct Script(Vec<Fault>);

impl Script {
    pub(crate) fn push(&mut self, fault: Fault) {
        self.0.push(fault);
    }

    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }

    /// The effects on the answer to this message.
    pub(crate) fn play(&mut self, arrival: &Arrival) -> Vec<Effect> {
        for fault in self.0.iter_mut().filter(|fault| fault.on.covers(arrival)) {
            if fault.spared > 0 {
                fault.spared -= 1;
                continue;
            }
            match &mut fault.times {
                Some(0) => continue,
                Some(times) => *times -= 1,
                None => {}
            }
            return fault.effects.clone();
        }
        Vec::new()
    }
}

impl MessageKind {
    pub(crate) fn is_search(self) -> bool {
        matches!(self, Self::Search | Self::UnicastSearch | Self::MulticastSearch | Self::SearchFor(_))
    }

    pub(crate) fn is_action(self) -> bool {
        matches!(self, Self::Soap | Self::Action(_))
    }

    pub(crate) fn is_http(self) -> bool {
        self.is_action() || matches!(self, Self::Http | Self::Description)
    }

    pub(crate) fn is_pcp(self) -> bool {
        matches!(self, Self::Pcp | Self::PcpAnnounce | Self::PcpMap | Self::PcpUnmap)
    }

    pub(crate) fn is_nat_pmp(self) -> bool {
        matches!(self, Self::NatPmp | Self::NatPmpAddress | Self::NatPmpMap | Self::NatPmpUnmap)
    }

    fn covers(self, arrival: &Arrival) -> bool {
        match arrival {
            Arrival::Search { multicast, target } => match self {
                Self::Search => true,
                Self::UnicastSearch => !multicast,
                Self::MulticastSearch => *multicast,
                Self::SearchFor(wanted) => wanted == target,
                _ => false,
            },
            Arrival::Action(name) => match self {
                Self::Http | Self::Soap => true,
                Self::Action(wanted) => wanted == name,
                _ => false,
            },
            Arrival::Description => matches!(self, Self::Http | Self::Description),
            Arrival::NatPmpAddress => matches!(self, Self::NatPmp | Self::NatPmpAddress),
            Arrival::NatPmpMap => matches!(self, Self::NatPmp | Self::NatPmpMap),
            Arrival::NatPmpUnmap => matches!(self, Self::NatPmp | Self::NatPmpUnmap),
            Arrival::PcpAnnounce => matches!(self, Self::Pcp | Self::PcpAnnounce),
            Arrival::PcpMap => matches!(self, Self::Pcp | Self::PcpMap),
            Arrival::PcpUnmap => matches!(self, Self::Pcp | Self::PcpUnmap),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn played(script: &mut Script, action: &str) -> Vec<Effect> {
        script.play(&Arrival::Action(action.into()))
    }

    #[test]
    fn faults_of_one_kind_follow_each_other() {
        let mut script = Script::default();
        script.push(Fault::once(MessageKind::Action("AddPortMapping"), Effect::ErrorCode(402)));
        script.push(Fault::times(2, MessageKind::Soap, Effect::ErrorCode(501)));
        assert_eq!(played(&mut script, "GetStatusInfo"), [Effect::ErrorCode(501)]);
        assert_eq!(played(&mut script, "AddPortMapping"), [Effect::ErrorCode(402)]);
        assert_eq!(played(&mut script, "AddPortMapping"), [Effect::ErrorCode(501)]);
        assert_eq!(played(&mut script, "AddPortMapping"), []);
    }

    #[test]
    fn a_fault_may_spare_the_first_messages() {
        let mut script = Script::default();
        script.push(Fault::always(MessageKind::Soap, Effect::Silence).after(1));
        assert_eq!(played(&mut script, "GetStatusInfo"), []);
        assert_eq!(played(&mut script, "GetStatusInfo"), [Effect::Silence]);
        assert_eq!(played(&mut script, "GetStatusInfo"), [Effect::Silence]);
    }

    #[test]
    #[should_panic(expected = "means nothing")]
    fn an_effect_that_could_never_show_is_refused() {
        let _ = Fault::once(MessageKind::PcpMap, Effect::HoldOpen);
    }
}
