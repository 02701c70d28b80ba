//! The log that `--log` asks for.

use std::fs::OpenOptions;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::Mutex;

use tracing::Level;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

/// Nobody would see that this failed, and the session is worth more than its log.
pub fn append_to(path: &Path) {
    let Ok(file) = OpenOptions::new().append(true).create(true).mode(0o600).open(path) else { return };
    let written = tracing_subscriber::fmt().with_max_level(Level::DEBUG).with_ansi(false);
    written.with_writer(Mutex::new(file)).finish().with(of_others_only_what_is_wrong()).init();
}

/// They tell each step, and may tell what is nobody's business.
fn of_others_only_what_is_wrong() -> Targets {
    let others = ["stun_proto", "stun_types", "turn_client_proto", "turn_types"];
    Targets::new().with_default(Level::DEBUG).with_targets(others.map(|other| (other, Level::WARN)))
}
