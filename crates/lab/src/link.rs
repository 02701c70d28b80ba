//! Links: the Ethernets that hosts attach to.

use std::sync::Arc;

use anyhow::Result;

use crate::fabric::Fabric;
use crate::impairment::Impairment;

/// An Ethernet that hosts attach to. Clones are the same link.
#[derive(Clone, Debug)]
pub struct Link {
    name: String,
    fabric: Arc<Fabric>,
}

impl Link {
    pub(crate) fn add(fabric: &Arc<Fabric>, name: &str) -> Result<Self> {
        fabric.add_link(name)?;
        Ok(Self { name: name.to_owned(), fabric: Arc::clone(fabric) })
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    /// Impairs every frame that one host sends to another over this link, from now on; [`Impairment::NONE`] ends
    /// it. A frame meets this impairment once, so that a delay of 20 ms makes a round trip of 40 ms.
    ///
    /// A delay is never shorter than said. It is longer by half a millisecond as a rule, and by 10 ms and more for
    /// one frame in a hundred where two cores are busy: take the shortest of several to measure. Frames keep
    /// their order.
    ///
    /// # Errors
    /// When the lab has ended, or the machine offers no TAP interfaces for a delay.
    pub fn impair(&self, impairment: Impairment) -> Result<()> {
        self.fabric.impair_link(&self.name, impairment)
    }
}
