//! The user's terminal until mosh-client has it.

pub(crate) mod colours;
pub(crate) mod console;
pub mod eraser;
mod keyboard;
mod messages;
pub(crate) mod progress;
mod question;
mod screen;
pub(crate) mod silence;
pub(crate) mod terminal_modes;
