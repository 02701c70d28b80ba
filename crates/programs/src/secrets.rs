//! What knows a session's key shows its memory to nobody: not in a core dump, nor to other programs of the same user.

use system::process::keep_memory_private;

/// Until this process becomes another program.
pub fn keep() {
    if let Err(error) = keep_memory_private() {
        tracing::debug!(%error, "memory can be read");
    }
}
