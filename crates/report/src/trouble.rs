use serde::{Deserialize, Serialize};

/// What happened, and what to do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trouble {
    pub cause: String,
    pub cure: String,
}
