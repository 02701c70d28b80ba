//! Where there can be no session of tmux, the user gets what stock mosh gives, and one line that says why.

use anyhow::{Result, ensure};
use lab::Lab;

use crate::common::{PATIENCE, computes, leave};
use crate::network::{Network, is_login_shell};

/// The line, and under it the shell or the command that stock mosh would have run.
fn explains(network: &Network, line: &str) -> Result<()> {
    let mut shell = network.run_in_tmux(&[])?;
    shell.wait_for(line, PATIENCE)?;
    shell.type_text("shopt login_shell; echo =${TMUX-none}=\r")?;
    shell.wait_for("=none=", PATIENCE)?;
    shell.wait_until("the line still there, and a login shell", PATIENCE, |screen| {
        screen.contains(&format!("{line}\nalice@server:~$")) && is_login_shell(screen)
    })?;
    leave(shell)?;
    let mut command = network.run_in_tmux(&["sh", "-c", "echo \"<$0>\"; exec cat", "two words"])?;
    command.wait_for(&format!("{line}\n<two words>"), PATIENCE)?;
    command.type_text("\x04")?;
    ensure!(command.wait_exit(PATIENCE)?.success());
    Ok(())
}

pub(crate) fn without_tmux_a_line_says_so_above_the_plain_shell(lab: &Lab) -> Result<()> {
    let network = Network::raise(lab)?;
    network.root("mount --bind /dev/null \"$(command -v tmux)\"")?;
    explains(&network, "moshpunch: --tmux: this host has no tmux; install it (Debian: apt install tmux)")
}

pub(crate) fn an_old_tmux_is_named_above_the_plain_shell(lab: &Lab) -> Result<()> {
    let network = Network::raise(lab)?;
    for version in ["1.8", "2.9a", "3.1c"] {
        let stub = format!("#!/bin/sh\necho tmux {version}\n");
        network.host.write_script("/usr/local/bin/tmux", &stub)?;
        let line = format!("moshpunch: --tmux: this host has tmux {version}; 3.2 or newer is needed");
        explains(&network, &line)?;
    }
    Ok(())
}

pub(crate) fn a_tmux_that_starts_no_session_is_quoted_above_the_plain_shell(lab: &Lab) -> Result<()> {
    let network = Network::raise(lab)?;
    let stub = "#!/bin/sh\n[ $1 != -V ] || exec echo tmux next-3.10\necho out of luck >&2\nexit 1\n";
    network.host.write_script("/usr/local/bin/tmux", stub)?;
    explains(&network, "moshpunch: --tmux: no session here: out of luck")
}

pub(crate) fn inside_tmux_nothing_is_nested(lab: &Lab) -> Result<()> {
    let network = Network::raise(lab)?;
    network.host.write_file("/tmp/tmux.sh", include_str!("../../../client/src/tmux.sh"))?;
    let tmux = network.host.command("tmux").args(["new-session", "-s", "outer"]).as_user(lab::USER);
    let mut terminal = network.host.terminal(&tmux, 24, 120)?;
    terminal.wait_for("alice@server", PATIENCE)?;
    terminal.type_text("mosh --local 127.0.0.1 -- sh -c \"$(cat /tmp/tmux.sh)\" moshpunch inner ''\r")?;
    terminal.wait_for("moshpunch: --tmux: this is inside tmux already; nothing is nested", PATIENCE)?;
    computes(&mut terminal, 51)?;
    assert_eq!(network.tmux(&["list-sessions", "-F", "#{session_name}"])?, "outer");
    Ok(())
}
