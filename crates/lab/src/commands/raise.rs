//! `lab raise`

use std::io::Read as _;

use lab::{Lab, WriteUp};

/// Runs until its input ends, so that whoever started it can end it without a signal.
pub(crate) fn run() -> anyhow::Result<()> {
    let lab = Lab::new("raised")?;
    let network = WriteUp::raise(&lab)?;
    let _miniupnpd = network.router.miniupnpd(&WriteUp::miniupnpd())?;
    println!("{}", lab.directory().display());
    for host in [&network.router, &network.server, &network.laptop] {
        println!("{}: nsenter -t {} -a", host.name(), host.holder_pid());
    }
    println!("end with Ctrl-D");
    std::io::stdin().read_to_end(&mut Vec::new())?;
    Ok(())
}
