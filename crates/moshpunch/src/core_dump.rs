//! A process that has seen a session's key leaves no core, and lets nobody else's debugger in.

use rustix::process::{DumpableBehavior, set_dumpable_behavior};

/// For good. What this process starts is not concerned.
pub(crate) fn prevent() {
    if let Err(error) = set_dumpable_behavior(DumpableBehavior::NotDumpable) {
        tracing::debug!(%error, "cores are not prevented");
    }
}
