//! Numbers that nobody can guess.

pub use getrandom::{fill, u32, u64};
