//! Runs scenarios as tests, each in a lab of its own, several at once.
//!
//! A scenario that fails shows the log of each program of its lab. One that cannot run on this machine is shown
//! as ignored, with the reason before its name.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use anyhow::{Result, anyhow};
use libtest_mimic::{Arguments, Failed, Trial};

use crate::lab::Lab;
use crate::requirements::{Requirements, check_delays};

/// Of those that take their time, and of busy machines.
const DEFAULT_LIMIT: Duration = Duration::from_secs(180);
/// How long a scenario may take to notice that its lab is gone.
const TIME_TO_NOTICE: Duration = Duration::from_secs(30);

const WAITING_PER_PROCESSOR: usize = 4;

/// A named function to be run in an empty lab.
#[derive(Clone, Debug)]
#[must_use = "a scenario does nothing until the harness runs it"]
pub struct Scenario {
    name: &'static str,
    play: fn(&Lab) -> Result<()>,
    within: Duration,
    requirements: Requirements,
    delays: bool,
}

impl Scenario {
    /// See [`scenario!`](crate::scenario), which takes the name from the function.
    pub fn new(name: &'static str, play: fn(&Lab) -> Result<()>) -> Self {
        Self { name, play, within: DEFAULT_LIMIT, requirements: Requirements::default(), delays: false }
    }

    /// The limit for the whole scenario; three minutes unless said.
    pub fn within(self, within: Duration) -> Self {
        Self { within, ..self }
    }

    /// Programs without which it cannot run.
    pub fn needs(mut self, programs: &[&str]) -> Self {
        self.requirements.programs.extend(programs.iter().map(|&program| program.to_owned()));
        self
    }

    /// Says that links or interfaces get delays, which not every machine can give them.
    pub fn needs_delays(mut self) -> Self {
        self.delays = true;
        self
    }

    fn trial(self) -> Trial {
        match self.requirements.check().and_then(|()| if self.delays { check_delays() } else { Ok(()) }) {
            Ok(()) => Trial::test(self.name, move || self.run().map_err(Failed::from)),
            Err(reason) => {
                let name = self.name;
                let failure = reason.clone();
                Trial::test(name, move || Err(failure.into())).with_kind(reason).with_ignored_flag(true)
            }
        }
    }

    /// The error text is all that a developer gets to see of a failure.
    fn run(&self) -> Result<(), String> {
        let lab = Lab::new(self.name).map_err(|error| format!("no lab: {error:#}"))?;
        let tear_down = lab.tear_down_handle();
        let (finished, outcome) = mpsc::channel();
        let play = self.play;
        thread::spawn(move || {
            let result = catch_unwind(AssertUnwindSafe(|| play(&lab)));
            let result = result.unwrap_or_else(|panic| Err(anyhow!("panicked: {}", panic_message(&*panic))));
            let result = result.map_err(|error| format!("{error:#}\n{}", lab.report()));
            drop(lab);
            let _nobody_waits_any_more = finished.send(result);
        });
        match outcome.recv_timeout(self.within) {
            Ok(result) => result,
            Err(RecvTimeoutError::Disconnected) => {
                Err("the scenario's thread ended without a word".to_owned())
            }
            Err(RecvTimeoutError::Timeout) => {
                tear_down();
                let end = outcome.recv_timeout(TIME_TO_NOTICE);
                let last_words = match end {
                    Ok(Ok(())) => "it went on to succeed".to_owned(),
                    Ok(Err(failure)) => failure,
                    Err(_) => "it did not notice that its lab was torn down".to_owned(),
                };
                Err(format!("still running after {:?}; its lab was torn down\n{last_words}", self.within))
            }
        }
    }
}

/// Makes a [`Scenario`] of a function and names it so.
#[macro_export]
macro_rules! scenario {
    ($function:path) => {
        $crate::harness::Scenario::new(stringify!($function), $function)
    };
}

/// The `main` of a test target with `harness = false`.
pub fn run(scenarios: impl IntoIterator<Item = Scenario>) -> ExitCode {
    run_by(Arguments::from_args(), scenarios)
}

/// The same for scenarios that wait, for time-outs and intervals, far more than they work.
pub fn run_waiting(scenarios: impl IntoIterator<Item = Scenario>) -> ExitCode {
    let mut arguments = Arguments::from_args();
    let processors = thread::available_parallelism().map_or(1, usize::from);
    arguments.test_threads.get_or_insert(WAITING_PER_PROCESSOR * processors);
    run_by(arguments, scenarios)
}

fn run_by(arguments: Arguments, scenarios: impl IntoIterator<Item = Scenario>) -> ExitCode {
    let trials = scenarios.into_iter().map(Scenario::trial).collect();
    libtest_mimic::run(&arguments, trials).exit_code()
}

fn panic_message(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("without a message")
}
