//! Who floods the screen over a slow line may end it: nothing lags.

use std::time::Duration;

use anyhow::Result;
use lab::harness::Scenario;
use lab::{Impairment, Lab, Terminal, scenario};

use crate::common::{PATIENCE, computes_within};
use crate::scene::{LINE, Scene};
use crate::wall::Wall;

pub(crate) fn scenarios() -> Vec<Scenario> {
    vec![scenario!(an_interrupt_of_a_flood_shows_over_a_slow_line).needs_delays()]
}

/// In bytes a second.
const SLOW: u32 = 32_000;

/// ssh shows first all that it has under way.
const OF_SSH: Duration = Duration::from_secs(120);

fn an_interrupt_of_a_flood_shows_over_a_slow_line(lab: &Lab) -> Result<()> {
    let mut scene = Scene::in_session(lab, &[Wall::AtLaptop], LINE)?;
    scene.place.network.internet.impair(Impairment::NONE.rate(SLOW))?;
    let interrupted = interrupts(&mut scene.shell.terminal, PATIENCE);
    scene.explained(interrupted)?;
    scene.leaves_having_gone_over_ssh()?;
    scene.shell.run("clear; ssh -t -p 2222 router")?;
    scene.shell.sees("alice@router:")?;
    interrupts(&mut scene.shell.terminal, OF_SSH)
}

/// What is typed then is answered, and so is what was typed before.
fn interrupts(terminal: &mut Terminal, within: Duration) -> Result<()> {
    let flood = "yes 'a flood of words that nobody wants to read'";
    terminal.type_text(&format!("{flood}\r"))?;
    let full = |screen: &str| screen.matches("that nobody wants").count() >= 22;
    terminal.wait_until("a flood", PATIENCE, full)?;
    terminal.type_text("\x03")?;
    terminal.wait_until("the interrupt", within, |screen| screen.trim_end().ends_with('$'))?;
    computes_within(terminal, 4_701, within)
}
