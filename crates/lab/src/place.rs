//! Where a host is in the network, and the `ip` commands that bring it there.

use std::fmt::Write as _;
use std::net::IpAddr;

/// A host's interfaces, routes, and the names that it alone knows.
#[derive(Clone, Debug, Default)]
pub(crate) struct Place {
    pub(crate) name: String,
    pub(crate) attachments: Vec<Attachment>,
    pub(crate) routes: Vec<Route>,
    /// Further names that this host alone knows, with their addresses.
    pub(crate) known: Vec<(String, String)>,
}

#[derive(Clone, Debug)]
pub(crate) struct Attachment {
    pub(crate) interface: String,
    pub(crate) link: String,
    /// With prefix length.
    pub(crate) addresses: Vec<String>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Route {
    pub(crate) destination: String,
    pub(crate) gateway: String,
}

impl Route {
    pub(crate) fn default(gateway: &str) -> Self {
        Self { destination: "default".to_owned(), gateway: gateway.to_owned() }
    }
}

impl Attachment {
    fn reaches(&self, gateway: &str) -> bool {
        self.addresses.iter().any(|network| network_has(network, gateway))
    }
}

impl Place {
    pub(crate) fn attachment(&self, interface: &str) -> Option<&Attachment> {
        self.attachments.iter().find(|attachment| attachment.interface == interface)
    }

    /// Exchanges addresses and default gateways of an interface. Its other routes stay while their gateways can
    /// be reached.
    pub(crate) fn readdress(&mut self, interface: &str, addresses: &[&str], gateways: &[&str]) {
        let Some(attachment) = self.attachments.iter_mut().find(|found| found.interface == interface) else {
            return;
        };
        let before = attachment.clone();
        attachment.addresses = addresses.iter().map(|&address| address.to_owned()).collect();
        let lost = |route: &Route| {
            before.reaches(&route.gateway)
                && (route.destination == "default" || !attachment.reaches(&route.gateway))
        };
        self.routes.retain(|route| !lost(route));
        self.routes.extend(gateways.iter().map(|gateway| Route::default(gateway)));
    }

    /// Brings up the whole host.
    pub(crate) fn addressing(&self) -> String {
        let interfaces = self.attachments.iter().map(bring_up);
        let loopback = "link set lo up\n".to_owned();
        [loopback].into_iter().chain(interfaces).chain([set_routes(self.routes.iter())]).collect()
    }

    /// Brings up one interface, with its routes.
    pub(crate) fn addressing_of(&self, interface: &str) -> String {
        let Some(attachment) = self.attachment(interface) else { return String::new() };
        let routes = self.routes.iter().filter(|route| attachment.reaches(&route.gateway));
        bring_up(attachment) + &set_routes(routes)
    }
}

/// IPv6 addresses serve at once: in the lab nobody else can have them.
fn bring_up(attachment: &Attachment) -> String {
    let Attachment { interface, addresses, .. } = attachment;
    let mut batch = format!("link set {interface} up\n");
    for address in addresses {
        let no_detection = if address.contains(':') { " nodad" } else { "" };
        writeln!(batch, "address replace {address} dev {interface}{no_detection}")
            .expect("a String takes every write");
    }
    batch
}

fn set_routes<'a>(routes: impl Iterator<Item = &'a Route>) -> String {
    routes.map(|route| format!("route replace {} via {}\n", route.destination, route.gateway)).collect()
}

/// Whether `network`, an address with prefix length, is the network that `address` is in.
fn network_has(network: &str, address: &str) -> bool {
    let Some((own, length)) = network.split_once('/') else { return false };
    match (own.parse(), address.parse(), length.parse::<u32>()) {
        (Ok(IpAddr::V4(own)), Ok(IpAddr::V4(other)), Ok(length)) => {
            (own.to_bits() ^ other.to_bits()).leading_zeros() >= length
        }
        (Ok(IpAddr::V6(own)), Ok(IpAddr::V6(other)), Ok(length)) => {
            (own.to_bits() ^ other.to_bits()).leading_zeros() >= length
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn laptop() -> Place {
        let attachment = |interface: &str, addresses: &[&str]| Attachment {
            interface: interface.to_owned(),
            link: String::new(),
            addresses: addresses.iter().map(|&address| address.to_owned()).collect(),
        };
        Place {
            attachments: vec![
                attachment("wlan0", &["10.0.0.2/24", "2001:db8:a::2/64"]),
                attachment("eth0", &["10.9.0.2/24"]),
            ],
            routes: vec![
                Route::default("10.0.0.1"),
                Route { destination: "10.8.0.0/16".to_owned(), gateway: "10.9.0.1".to_owned() },
                Route::default("2001:db8:a::1"),
            ],
            ..Place::default()
        }
    }

    #[test]
    fn an_address_is_in_its_network_and_no_other() {
        assert!(network_has("10.0.0.2/24", "10.0.0.255"));
        assert!(!network_has("10.0.0.2/24", "10.0.1.1"));
        assert!(network_has("2001:db8::1/64", "2001:db8::ffff:1"));
        assert!(!network_has("2001:db8::1/64", "2001:db8:0:1::1"));
        assert!(!network_has("10.0.0.2/24", "2001:db8::1"));
    }

    #[test]
    fn a_new_address_takes_the_old_default_routes_away() {
        let mut place = laptop();
        place.readdress("wlan0", &["10.1.0.2/24"], &["10.1.0.1"]);
        let gateways: Vec<_> = place.routes.iter().map(|route| route.gateway.as_str()).collect();
        assert_eq!(gateways, ["10.9.0.1", "10.1.0.1"]);
    }

    #[test]
    fn an_interface_comes_up_with_its_own_routes_only() {
        assert_eq!(
            laptop().addressing_of("wlan0"),
            "link set wlan0 up\naddress replace 10.0.0.2/24 dev wlan0\n\
             address replace 2001:db8:a::2/64 dev wlan0 nodad\n\
             route replace default via 10.0.0.1\nroute replace default via 2001:db8:a::1\n"
        );
    }
}
