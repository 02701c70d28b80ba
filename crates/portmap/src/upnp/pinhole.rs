//! The questions that open or close one pinhole in an IPv6 firewall, in order, and what each answer leads to
//! (WANIPv6FirewallControl:1).
//!
//! ```text
//! obtain:   Add ─► granted      hold:   Extend ─► granted      release:   Close ─► released
//!            └─► Add (once)                └─► Add
//! ```
//!
//! A firewall lists its pinholes to nobody. All that is known of one is the number that the gateway gave it, so a
//! pinhole cannot be looked at before it is added, nor verified afterwards. `Add` is safe to repeat: for an equal
//! pinhole the gateway answers with the number of the one that it has. It is not used to extend it: miniupnpd 2.3.1
//! then adds its own uptime to the lease.
//!
//! *Known limit*: after a restart a gateway counts anew, and the number may be that of another pinhole. One of another
//! host is refused to us (606); one of another session of this host is not, and that session has to open its own
//! again. PCP, which names pinholes by a nonce, has no such limit.

use std::net::Ipv6Addr;
use std::ops::RangeInclusive;
use std::time::Duration;

use super::answer::{self, Failure};
use super::soap::{self, Call, Fault, Pinhole, Reply};
use crate::client::{Code, Refusal, Request};

/// WANIPv6FirewallControl:1, `LeaseTime`; miniupnpd answers 402 to others.
const LEASE_SECONDS: RangeInclusive<u32> = 1..=86_400;

mod code {
    pub(super) const ACTION_NOT_AUTHORIZED: u16 = 606;
    pub(super) const PINHOLE_SPACE_EXHAUSTED: u16 = 701;
    pub(super) const FIREWALL_DISABLED: u16 = 702;
    pub(super) const INBOUND_PINHOLE_NOT_ALLOWED: u16 = 703;
    pub(super) const NO_SUCH_ENTRY: u16 = 704;
    pub(super) const PROTOCOL_NOT_SUPPORTED: u16 = 705;
    pub(super) const INTERNAL_PORT_WILDCARDING_NOT_ALLOWED: u16 = 706;
    pub(super) const PROTOCOL_WILDCARDING_NOT_ALLOWED: u16 = 707;
    pub(super) const SOURCE_WILDCARDING_NOT_ALLOWED: u16 = 708;
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    Extend(u16),
    Add,
    Close(u16),
}

type Next = answer::Next<Step>;

#[derive(Debug)]
pub(super) struct Opening {
    request: Request,
    internal: Ipv6Addr,
    lease_seconds: u32,
    /// Of the pinhole, as far as there is one.
    id: Option<u16>,
    /// Or need not be.
    added_again: bool,
    closed_again: bool,
    releasing: bool,
}

impl Opening {
    /// `id` is the number of the pinhole that is held, to be kept open for longer.
    pub(super) fn to_obtain(request: Request, internal: Ipv6Addr, id: Option<u16>) -> (Self, Step) {
        (Self::new(request, internal, id, false), id.map_or(Step::Add, Step::Extend))
    }

    /// One whose number nobody has told us is asked for once more, which tells it.
    pub(super) fn to_release(request: Request, internal: Ipv6Addr, id: Option<u16>) -> (Self, Step) {
        (Self::new(request, internal, id, true), id.map_or(Step::Add, Step::Close))
    }

    fn new(request: Request, internal: Ipv6Addr, id: Option<u16>, releasing: bool) -> Self {
        let seconds = u32::try_from(request.lease.as_secs()).unwrap_or(u32::MAX);
        let lease_seconds = seconds.clamp(*LEASE_SECONDS.start(), *LEASE_SECONDS.end());
        Self { request, internal, lease_seconds, id, added_again: false, closed_again: false, releasing }
    }

    pub(super) fn request(&self) -> &Request {
        &self.request
    }

    pub(super) fn id(&self) -> Option<u16> {
        self.id
    }

    pub(super) fn is_releasing(&self) -> bool {
        self.releasing
    }

    /// From now on whatever the open question brings is deleted.
    pub(super) fn turn_to_release(&mut self) {
        self.releasing = true;
    }

    /// Instead of what was to be asked.
    pub(super) fn withdraw(&self) -> Next {
        match self.id {
            Some(id) => Next::Ask(Step::Close(id)),
            // The first one may have added it.
            None if self.added_again => Next::Ask(Step::Add),
            None => Next::Released { confirmed: true },
        }
    }

    pub(super) fn call(&self, step: Step, service_type: &str) -> Call {
        match step {
            Step::Extend(id) => soap::update_pinhole(service_type, id, self.lease_seconds),
            Step::Add => soap::add_pinhole(service_type, &self.pinhole()),
            Step::Close(id) => soap::delete_pinhole(service_type, id),
        }
    }

    pub(super) fn advance(&mut self, step: Step, reply: Result<Reply, Failure>) -> Next {
        match step {
            Step::Extend(id) => self.extended(id, &reply),
            Step::Add => self.added(reply),
            Step::Close(id) => self.closed(id, &reply),
        }
    }

    /// Not every gateway says "no such entry": miniupnpd 2.3.1 judges what its memory happens to hold (402, measured). So
    /// whatever it is, the pinhole is made anew, and the number is forgotten: it may become another's.
    fn extended(&mut self, id: u16, reply: &Result<Reply, Failure>) -> Next {
        if self.releasing {
            return Next::Ask(Step::Close(id));
        }
        match reply {
            Ok(_) => self.opened(Some(id)),
            Err(failure) => {
                tracing::debug!(id, ?failure, "pinhole not extended");
                match failure {
                    Failure::Fault(_) => self.id = None,
                    Failure::NoReply => self.added_again = true,
                }
                Next::Ask(Step::Add)
            }
        }
    }

    fn added(&mut self, reply: Result<Reply, Failure>) -> Next {
        match reply.map(|reply| soap::pinhole_id(&reply)) {
            Ok(Ok(id)) => self.opened(Some(id)),
            Ok(Err(_)) => self.add_again_or(Refusal::Unconfirmed, false),
            // What is not filtered needs no pinhole.
            Err(Failure::Fault(Fault::Upnp { code: code::FIREWALL_DISABLED, .. })) => self.opened(None),
            Err(Failure::Fault(Fault::Upnp { code, .. })) => self.refused(refusal(code), true),
            Err(Failure::Fault(Fault::Http(status))) => {
                self.add_again_or(Refusal::Other { code: Code::Http(status) }, true)
            }
            Err(Failure::NoReply | Failure::Fault(Fault::Malformed { .. })) => {
                self.add_again_or(Refusal::NoAnswer, false)
            }
        }
    }

    fn opened(&mut self, id: Option<u16>) -> Next {
        self.id = id;
        match (self.releasing, id) {
            (false, _) => Next::Granted {
                port: self.request.internal_port,
                lease: Some(Duration::from_secs(self.lease_seconds.into())),
            },
            (true, Some(id)) => Next::Ask(Step::Close(id)),
            (true, None) => Next::Released { confirmed: true },
        }
    }

    /// The answer to the second one tells the number of what the first may have added.
    fn add_again_or(&mut self, refusal: Refusal, plainly: bool) -> Next {
        if self.added_again {
            return self.refused(refusal, plainly);
        }
        self.added_again = true;
        Next::Ask(Step::Add)
    }

    fn refused(&mut self, refusal: Refusal, plainly: bool) -> Next {
        match (self.releasing, plainly) {
            (true, plainly) => Next::Released { confirmed: plainly },
            (false, true) => Next::Refused(refusal),
            (false, false) => {
                let lease = Some(Duration::from_secs(self.lease_seconds.into()));
                Next::Refused(Refusal::LeftBehind { port: self.request.internal_port, lease })
            }
        }
    }

    /// No list of pinholes shows whether it is gone. Anything but a plain yes is asked for once more.
    fn closed(&mut self, id: u16, reply: &Result<Reply, Failure>) -> Next {
        if reply.is_err() && !self.closed_again {
            self.closed_again = true;
            return Next::Ask(Step::Close(id));
        }
        let confirmed = is_closed(reply);
        if confirmed {
            self.id = None;
        }
        Next::Released { confirmed }
    }

    fn pinhole(&self) -> Pinhole {
        Pinhole {
            internal_client: self.internal,
            internal_port: self.request.internal_port,
            transport: self.request.transport,
            lease_seconds: self.lease_seconds,
        }
    }
}

/// One that is not there, or is another host's by now, is not ours any more.
fn is_closed(reply: &Result<Reply, Failure>) -> bool {
    match reply {
        Ok(_) => true,
        Err(Failure::Fault(Fault::Upnp { code, .. })) => {
            [code::NO_SUCH_ENTRY, code::ACTION_NOT_AUTHORIZED].contains(code)
        }
        Err(_) => false,
    }
}

/// WANIPv6FirewallControl:1, `AddPinhole`. (709 is of `CheckPinholeWorking` alone.)
fn refusal(code: u16) -> Refusal {
    match code {
        code::ACTION_NOT_AUTHORIZED | code::INBOUND_PINHOLE_NOT_ALLOWED => Refusal::NotAuthorized,
        code::PINHOLE_SPACE_EXHAUSTED => Refusal::NoResources,
        code::PROTOCOL_NOT_SUPPORTED
        | code::INTERNAL_PORT_WILDCARDING_NOT_ALLOWED
        | code::PROTOCOL_WILDCARDING_NOT_ALLOWED
        | code::SOURCE_WILDCARDING_NOT_ALLOWED => Refusal::Unsupported { code: Code::Upnp(code) },
        code => Refusal::Other { code: Code::Upnp(code) },
    }
}
