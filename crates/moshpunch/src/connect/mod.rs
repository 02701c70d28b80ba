//! The client's parts: from the words of the user to a session over the best path.
//!
//! [`connecting`] is the time until the connect line: [`login`] runs [`ssh`] to a [`destination`] with a
//! [`remote_command`] and reads its [`transcript`]; [`diagnosis`] says why that led to nothing, and [`fallback`]
//! whether mosh's own line may help. [`console`] is the user's terminal meanwhile.
//! [`forwarder`] then stands between [`mosh_client`], which knows its [`front`], and the paths of a [`path::Agent`];
//! [`gate`] decides what it lets through, and [`scout`] looks for more [`candidates`], of which only what is
//! [`reachable`] counts: [`background`] logs in on the [`occasions`] for that. [`flood`] bounds what a login may print.
//! [`progress`], [`messages`], [`silence`] and [`farewell`] are what the user reads.

pub(crate) mod attendance;
mod background;
mod candidates;
pub(crate) mod child;
pub(crate) mod colours;
pub(crate) mod connecting;
mod console;
pub(crate) mod destination;
mod diagnosis;
pub(crate) mod eraser;
mod fallback;
pub(crate) mod farewell;
mod flood;
pub(crate) mod forwarder;
pub(crate) mod front;
pub(crate) mod gate;
pub(crate) mod handover;
mod keyboard;
mod listened;
mod locale_variables;
mod login;
pub(crate) mod look_up;
mod messages;
pub(crate) mod mosh_client;
mod network;
mod occasions;
mod pasted;
mod progress;
mod question;
mod reachable;
pub(crate) mod remote_command;
pub(crate) mod scout;
mod screen;
mod silence;
mod ssh;
mod surroundings;
mod terminal_modes;
pub(crate) mod transcript;
mod whereabouts;
