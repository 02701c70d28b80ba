//! The client's parts: from the words of the user to a session over the best path.
//!
//! [`connecting`] is the time until the connect line: [`login`] runs [`ssh`] to a [`destination`] with a
//! [`remote_command`] and reads its [`transcript`]; [`diagnosis`] says why that led to nothing.
//! [`forwarder`] then stands between [`mosh_client`] and the paths of a [`path::Agent`]; [`gate`] decides what it lets
//! through, and [`scout`] looks for more [`candidates`]. [`progress`], [`messages`]
//! and [`farewell`] are what the user reads.

pub(crate) mod attendance;
pub(crate) mod candidates;
pub(crate) mod child;
pub(crate) mod colours;
pub(crate) mod connecting;
pub(crate) mod destination;
pub(crate) mod diagnosis;
pub(crate) mod farewell;
pub(crate) mod forwarder;
pub(crate) mod gate;
pub(crate) mod handover;
pub(crate) mod login;
pub(crate) mod look_up;
pub(crate) mod messages;
pub(crate) mod mosh_client;
pub(crate) mod progress;
pub(crate) mod remote_command;
pub(crate) mod scout;
pub(crate) mod ssh;
pub(crate) mod surroundings;
pub(crate) mod terminal_modes;
pub(crate) mod transcript;
