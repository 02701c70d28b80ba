//! What knows a session's key shows its memory to nobody: not in a core dump, nor to other programs of the same user.

use rustix::process::{DumpableBehavior, set_dumpable_behavior};

/// Until this process becomes another program.
pub fn keep() {
    if let Err(error) = set_dumpable_behavior(DumpableBehavior::NotDumpable) {
        tracing::debug!(%error, "memory can be read");
    }
}
