//! The client's parts: from the words of the user to a session over the best path.
//!
//! [`connecting`] is the time until the connect line: [`login`] runs [`ssh`] to a [`destination`] with a
//! [`remote_command`] and reads its [`transcript`]; [`diagnosis`] says why that led to nothing, and [`fallback`]
//! whether mosh's own line may help.
//! [`forwarder`] then stands between [`mosh_client`], which knows its [`front`], and the paths of a [`path::Agent`];
//! [`gate`] decides what it lets through, and [`scout`] looks for more [`candidates`], of which only what is
//! [`reachable`] counts: [`background`] logs in on the [`occasions`] for that. [`flood`] bounds what a login may print.
//! [`progress`], [`messages`] and [`farewell`] are what the user reads.

pub(crate) mod attendance;
pub(crate) mod background;
pub(crate) mod candidates;
pub(crate) mod child;
pub(crate) mod colours;
pub(crate) mod connecting;
pub(crate) mod console;
pub(crate) mod destination;
pub(crate) mod diagnosis;
pub(crate) mod eraser;
mod fallback;
pub(crate) mod farewell;
pub(crate) mod flood;
pub(crate) mod forwarder;
pub(crate) mod front;
pub(crate) mod gate;
pub(crate) mod handover;
pub(crate) mod keyboard;
pub(crate) mod listened;
pub(crate) mod locale_variables;
pub(crate) mod login;
pub(crate) mod look_up;
pub(crate) mod messages;
pub(crate) mod mosh_client;
pub(crate) mod network;
pub(crate) mod occasions;
pub(crate) mod progress;
pub(crate) mod question;
pub(crate) mod reachable;
pub(crate) mod remote_command;
pub(crate) mod scout;
pub(crate) mod screen;
pub(crate) mod silence;
pub(crate) mod ssh;
pub(crate) mod surroundings;
pub(crate) mod terminal_modes;
pub(crate) mod transcript;
pub(crate) mod whereabouts;
