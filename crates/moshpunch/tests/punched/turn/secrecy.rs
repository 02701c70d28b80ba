//! The password is known to the client, which the file is for, and to nobody else who looks around on the laptop.

use anyhow::{Result, ensure};
use lab::harness::Scenario;
use lab::{Lab, scenario};

use super::{NAMED, host_on_the_internet, shows_no_password, spawned, two_symmetric};
use crate::common::secret::{can_be_looked_into, is_in_memory, is_nowhere_but};
use crate::common::{PATIENCE, attendant, client, process};

/// As `pwgen` makes them: what nobody else would have by chance.
const PASSWORD: &str = "Aeph7ieSh0quee9Pi5ahQu";
const FILE: &str = "/home/alice/password";

pub(super) fn scenarios() -> Vec<Scenario> {
    vec![scenario!(the_password_is_in_no_argument_list_environment_file_log_or_message)]
}

fn the_password_is_in_no_argument_list_environment_file_log_or_message(lab: &Lab) -> Result<()> {
    let mut scene = two_symmetric(lab)?;
    let host = host_on_the_internet(lab, &scene)?;
    scene.laptop().write_user_file(FILE, PASSWORD)?;
    host.write_user_file(
        "/tmp/turnserver.conf",
        &format!("listening-ip=20.0.0.3\nrealm=lab\nlt-cred-mech\nuser=alice:{PASSWORD}\n"),
    )?;
    let _server = spawned(&host, &["-c", "/tmp/turnserver.conf"])?;
    scene.begin(&NAMED)?;
    scene.goes("Relayed")?;
    let laptop = scene.laptop().clone();
    is_nowhere_but(&laptop, PASSWORD, Some(FILE))?;
    shows_no_password(&scene)?;
    let ours = client(&laptop)?;
    ensure!(is_in_memory(ours.pid, PASSWORD)?, "who asks the server remembers it");
    ensure!(!can_be_looked_into(&laptop, &ours)?, "and shows it to nobody, nor in a core");
    let mut others = vec![attendant(&laptop)?, process(&laptop, "mosh-client")?];
    others.extend(laptop.processes("ssh")?);
    others.extend(laptop.processes("moshpunch")?.into_iter().filter(|other| other.pid != ours.pid));
    for other in others {
        ensure!(!is_in_memory(other.pid, PASSWORD)?, "{other:?} remembers it");
    }
    let hidden =
        laptop.spawn("who hides nothing", &laptop.command("sleep").arg("1000").as_user(lab::USER))?;
    let planted = lab::wait_until("it", PATIENCE, || Ok(laptop.processes("sleep")?.pop()))?;
    ensure!(can_be_looked_into(&laptop, &planted)?, "whose memory can be read is told from whose cannot");
    drop(hidden);
    ensure!(!scene.leaves()?.contains(PASSWORD), "it is said");
    is_nowhere_but(&laptop, PASSWORD, Some(FILE))
}
