//! Where the default routes lead.

use std::io;
use std::net::IpAddr;

use super::netlink::{address, attributes, blocks, half, list, word};
use crate::network::Gateway;

/// rtnetlink(7), linux/rtnetlink.h.
const NEW_ROUTE: u16 = 24;
const GET_ROUTE: u16 = 26;
const OUTGOING_INTERFACE: u16 = 4;
const GATEWAY: u16 = 5;
const PRIORITY: u16 = 6;
const MULTIPATH: u16 = 9;
const TABLE: u16 = 15;

/// `rtmsg`: family, length of destination and of source, TOS, table, protocol, scope, type, flags.
const HEADER_BYTES: usize = 12;
const UNICAST: u8 = 1;
const MAIN_TABLE: u32 = 254;

/// `rtnexthop`: length, flags, hops, interface.
const HOP_HEADER_BYTES: usize = 8;
/// Dead, or without a link.
const HOP_IS_OF_NO_USE: u8 = 0x01 | 0x10;

/// Those of the main table first, and then by their metric.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Preference {
    is_of_another_table: bool,
    metric: u32,
}

/// The best first, and each once.
///
/// # Errors
///
/// The kernel does not tell.
pub fn gateways() -> io::Result<Vec<Gateway>> {
    let mut found = list(GET_ROUTE, NEW_ROUTE, hops)?;
    found.sort_by_key(|(preference, _)| *preference);
    let mut gateways = Vec::new();
    for (_, gateway) in found {
        if !gateways.contains(&gateway) {
            gateways.push(gateway);
        }
    }
    Ok(gateways)
}

/// The routers of a default route, of which there may be several; none of any other route.
fn hops(route: &[u8]) -> Vec<(Preference, Gateway)> {
    let Some((header, rest)) = route.split_at_checked(HEADER_BYTES) else { return Vec::new() };
    let (destination_bits, table, kind) = (header[1], header[4], header[7]);
    if (destination_bits, kind) != (0, UNICAST) {
        return Vec::new();
    }
    let number = |kind| attribute(rest, kind).and_then(|it| word(it, 0));
    let is_of_another_table = number(TABLE).unwrap_or(table.into()) != MAIN_TABLE;
    let preference = Preference { is_of_another_table, metric: number(PRIORITY).unwrap_or(0) };
    let one = gateway(number(OUTGOING_INTERFACE), rest);
    let several = attribute(rest, MULTIPATH).into_iter().flat_map(of_several);
    one.into_iter().chain(several).map(|gateway| (preference, gateway)).collect()
}

fn of_several(hops: &[u8]) -> impl Iterator<Item = Gateway> {
    let hops = blocks(hops, HOP_HEADER_BYTES, |hop| half(hop, 0).map(usize::from));
    let usable = hops.filter(|hop| hop[2] & HOP_IS_OF_NO_USE == 0);
    usable.filter_map(|hop| gateway(word(hop, 4), &hop[HOP_HEADER_BYTES..]))
}

fn gateway(interface: Option<u32>, rest: &[u8]) -> Option<Gateway> {
    let address: IpAddr = attribute(rest, GATEWAY).and_then(address)?;
    Some(Gateway { interface: interface?, address })
}

fn attribute(bytes: &[u8], kind: u16) -> Option<&[u8]> {
    attributes(bytes).find(|(it, _)| *it == kind).map(|(_, payload)| payload)
}

#[cfg(test)]
mod tests {
    use super::super::netlink::tests::attribute;
    use super::*;

    fn route(destination_bits: u8, table: u8, attributes: &[Vec<u8>]) -> Vec<u8> {
        let header = [2, destination_bits, 0, 0, table, 3, 0, UNICAST, 0, 0, 0, 0];
        [header.to_vec(), attributes.concat()].concat()
    }

    fn number(kind: u16, number: u32) -> Vec<u8> {
        attribute(kind, &number.to_ne_bytes())
    }

    fn hop(flags: u8, interface: u32, router: [u8; 4]) -> Vec<u8> {
        let router = attribute(GATEWAY, &router);
        let length = u16::try_from(HOP_HEADER_BYTES + router.len()).unwrap();
        [&length.to_ne_bytes()[..], &[flags, 0], &interface.to_ne_bytes(), &router].concat()
    }

    fn told(route: &[u8]) -> Vec<(bool, u32, u32, String)> {
        let hops = hops(route).into_iter().map(|(preference, gateway)| {
            let Preference { is_of_another_table, metric } = preference;
            (is_of_another_table, metric, gateway.interface, gateway.address.to_string())
        });
        hops.collect()
    }

    #[test]
    fn a_default_route_tells_its_router() {
        let router = attribute(GATEWAY, &[192, 168, 1, 1]);
        let attributes =
            [number(TABLE, 254), router.clone(), number(OUTGOING_INTERFACE, 7), number(PRIORITY, 600)];
        assert_eq!(told(&route(0, 254, &attributes)), [(false, 600, 7, "192.168.1.1".to_owned())]);
        assert_eq!(told(&route(8, 254, &attributes)), [], "of another route");
        assert_eq!(told(&route(0, 254, &[number(OUTGOING_INTERFACE, 7)])), [], "without a router");
        let elsewhere = [number(TABLE, 1000), router, number(OUTGOING_INTERFACE, 7)];
        assert_eq!(told(&route(0, 252, &elsewhere)), [(true, 0, 7, "192.168.1.1".to_owned())]);
        assert_eq!(told(&[0; HEADER_BYTES - 1]), []);
    }

    #[test]
    fn of_several_hops_those_with_a_link_are_told() {
        let hops = [hop(0, 2, [10, 0, 0, 1]), hop(0x10, 3, [10, 1, 0, 1]), hop(0, 4, [10, 2, 0, 1])].concat();
        let told = told(&route(0, 254, &[attribute(MULTIPATH, &hops)]));
        let addresses: Vec<_> =
            told.iter().map(|(_, _, interface, address)| (*interface, &**address)).collect();
        assert_eq!(addresses, [(2, "10.0.0.1"), (4, "10.2.0.1")]);
    }

    #[test]
    fn the_main_table_comes_first_and_then_the_lower_metric() {
        let preference = |is_of_another_table, metric| Preference { is_of_another_table, metric };
        assert!(preference(false, 600) < preference(true, 0));
        assert!(preference(false, 100) < preference(false, 600));
    }
}
