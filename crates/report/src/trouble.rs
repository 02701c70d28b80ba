//! What stands in the way: a value until it is told.

use serde::{Deserialize, Serialize};

/// Made where it is known, handed on as it is, and put into words once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trouble<C = Told> {
    /// Where something has to be done about it.
    pub machine: Machine,
    /// What could not be done.
    pub step: Step,
    pub cause: C,
}

/// A machine of the picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Machine {
    Laptop,
    /// Between laptop and host, by ssh.
    JumpHost,
    Host,
    Router,
}

impl Machine {
    /// As two machines of ours tell it each other.
    pub fn word(self) -> &'static str {
        match self {
            Self::Laptop => "laptop",
            Self::JumpHost => "jumphost",
            Self::Host => "host",
            Self::Router => "router",
        }
    }
}

/// From the words of the user to a session that lasts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Step {
    /// What was said is resolved into what holds.
    Configuration,
    /// Somebody is let in by ssh.
    Login,
    /// mosh-server is started.
    Start,
    /// A gateway opens a port.
    Mapping,
    /// Datagrams go from end to end.
    Session,
}

impl Step {
    /// As two machines of ours tell it each other.
    pub fn word(self) -> &'static str {
        match self {
            Self::Configuration => "configuration",
            Self::Login => "login",
            Self::Start => "start",
            Self::Mapping => "mapping",
            Self::Session => "session",
        }
    }
}

/// What happened, and what to do.
pub trait Explain {
    /// Of one line, as it would be said behind "moshpunch: ".
    fn what(&self) -> String;
    /// `None`: there is nothing that the user could do.
    fn cure(&self) -> Option<String>;
}

/// A cause that was put into words where it was found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Told {
    pub what: String,
    pub cure: Option<String>,
}

impl Told {
    /// What happened, and what to do.
    pub fn in_one_line(&self) -> String {
        in_one_line(self)
    }
}

/// What happened, and what to do.
pub(crate) fn in_one_line(cause: &impl Explain) -> String {
    match cause.cure() {
        Some(cure) => format!("{}; {cure}", cause.what()),
        None => cause.what(),
    }
}

impl Explain for Told {
    fn what(&self) -> String {
        self.what.clone()
    }

    fn cure(&self) -> Option<String> {
        self.cure.clone()
    }
}

impl<C: Explain> Trouble<C> {
    /// In words.
    pub fn put_into_words(&self) -> Trouble {
        let Self { machine, step, ref cause } = *self;
        Trouble { machine, step, cause: Told { what: cause.what(), cure: cause.cure() } }
    }
}

impl Trouble {
    /// In words, where no caller wants to tell this cause from another.
    pub fn told(machine: Machine, step: Step, what: impl Into<String>, cure: impl Into<String>) -> Self {
        Self { machine, step, cause: Told { what: what.into(), cure: Some(cure.into()) } }
    }
}
