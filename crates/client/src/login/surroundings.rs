//! The environment and the directory of what logs in, and of what is started here in place of ssh: as mosh's script
//! leaves them.

use std::env;
use std::path::PathBuf;
use std::process::{Command, id};

use crate::configuration::Configuration;

/// mosh's script becomes mosh-client; of ours, this is the process that stays.
const CLIENT: &str = "MOSH_CLIENT_PID";

pub(crate) fn prepare(configuration: &Configuration, command: &mut Command) {
    command.env(CLIENT, id().to_string()).env_remove("MOSH_PREDICTION_DISPLAY");
    if configuration.predict_overwrite {
        command.env("MOSH_PREDICTION_OVERWRITE", "yes");
    }
    if configuration.local {
        command.env_remove("SSH_CONNECTION");
        if let Some(home) = home() {
            command.current_dir(home);
        }
    }
}

/// As Perl's chdir without arguments: where there is none, the server starts where the user is.
fn home() -> Option<PathBuf> {
    let home = env::var_os("HOME").or_else(|| env::var_os("LOGDIR"));
    home.map(PathBuf::from).filter(|home| home.is_dir())
}
