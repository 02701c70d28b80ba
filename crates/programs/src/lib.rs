//! Other programs, as this one starts and follows them: what they print, the signals that come and go, and what becomes
//! of them. [`own`] is this very program, started once more.

pub mod exit_code;
pub mod family;
pub mod own;
pub mod pipe;
pub mod pseudo_terminal;
pub mod secrets;
pub mod signals;
