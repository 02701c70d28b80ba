//! How a service is known.

use std::net::IpAddr;

use super::url::Url;

/// Where a service is controlled: enough to ask it again without a search.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Control {
    pub gateway: IpAddr,
    pub url: Url,
    /// As the router wrote it.
    pub service_type: String,
    pub external_address: Option<IpAddr>,
}
