//! Beside the session.
//!
//! [`forwarder`] stands between [`mosh_client`], which knows its [`front`], and the paths of a [`path::Agent`]; [`gate`]
//! decides what it lets through, and [`scout`] looks for more candidates: [`background`] logs in on the [`occasions`] for
//! that, [`listened`] is what came of it, and [`refusal`] whether to try again. A login whose host is asked for a
//! [`channel`] and has one becomes one of the [`channels`], as long as there is [`need`]; by it the host is asked for rounds of
//! hole [`punching`], for which this network's router may have to help ([`own_mapping`]), or a server ([`relay`]). [`farewell`] is what is said at the
//! end.

mod asking;
mod background;
mod channel;
mod channels;
pub(crate) mod farewell;
pub(crate) mod forwarder;
pub(crate) mod front;
pub(crate) mod gate;
mod listened;
pub(crate) mod mosh_client;
mod named_server;
mod need;
mod network;
mod occasions;
mod own_mapping;
mod punching;
mod refusal;
pub(crate) mod relay;
pub(crate) mod scout;
mod stun_servers;
