//! What can be said to `moshpunch router`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

#[derive(Debug, Subcommand)]
pub(crate) enum RouterCommand {
    /// Hold every mapped UDP port, so that this router's own mosh-server takes another
    Guard(GuardArguments),
}

#[derive(Debug, Args)]
pub(crate) struct GuardArguments {
    /// Lead clients inside, too, from the outside address and a mapped port to the server
    #[arg(long)]
    pub(crate) hairpin: bool,

    /// How miniupnpd is configured
    #[arg(long, value_name = "PATH", default_value = "/etc/miniupnpd/miniupnpd.conf")]
    pub(crate) miniupnpd_conf: PathBuf,
}
