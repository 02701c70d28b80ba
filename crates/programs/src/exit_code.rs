//! How this program ends as another did.

use std::os::unix::process::ExitStatusExt;
use std::process;

/// That of a program which ends with another. A signal counts as in a shell.
pub fn of(status: process::ExitStatus) -> process::ExitCode {
    let code = status.code().unwrap_or_else(|| 128 + status.signal().unwrap_or(0));
    u8::try_from(code).map_or(process::ExitCode::FAILURE, process::ExitCode::from)
}

/// As [`of`], but by a signal where the other ended by one: a shell tells which, and puts the terminal in order.
pub fn end_as(status: process::ExitStatus) -> process::ExitCode {
    if let Some(signal) = status.signal() {
        let _it_had_no_effect = signal_hook::low_level::emulate_default_handler(signal);
    }
    of(status)
}
