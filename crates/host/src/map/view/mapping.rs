//! One mapping of ours in one line.

use std::fmt::{self, Display, Formatter};
use std::net::IpAddr;
use std::num::NonZeroU16;

use portmap::mapper::{Mapping, Protocol};
use serde::Serialize;

use super::super::record::MapRecord;
use super::{ReachView, protocol_name, protocol_word, transport_word};

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(in super::super) struct MappingView {
    transport: &'static str,
    protocol: &'static str,
    gateway: IpAddr,
    external_address: Option<IpAddr>,
    external_port: NonZeroU16,
    reach: ReachView,
    internal_address: IpAddr,
    internal_port: NonZeroU16,
    /// `None`: until it is removed.
    lease_seconds: Option<u64>,
    description: String,
    #[serde(skip)]
    protocol_name: &'static str,
}

impl MappingView {
    pub(in super::super) fn new(mapping: &Mapping, description: &str) -> Self {
        let record = &mapping.record;
        Self {
            transport: transport_word(record.transport),
            protocol: protocol_word(record.protocol),
            gateway: record.control.gateway(),
            external_address: mapping.external_address,
            external_port: record.external_port,
            reach: ReachView::of(mapping.external_address),
            internal_address: mapping.internal.ip(),
            internal_port: record.internal_port,
            lease_seconds: mapping.lease.map(|lease| lease.as_secs()),
            description: description.to_owned(),
            protocol_name: protocol_name(record.protocol),
        }
    }

    pub(super) fn of_record(record: &MapRecord, now: u64) -> Self {
        let (mapping, protocol): (_, Protocol) = (&record.mapping, record.mapping.protocol());
        Self {
            transport: transport_word(mapping.transport()),
            protocol: protocol_word(protocol),
            gateway: mapping.gateway,
            external_address: record.external_address,
            external_port: mapping.external_port,
            reach: ReachView::of(record.external_address),
            internal_address: mapping.internal,
            internal_port: mapping.internal_port,
            lease_seconds: record.seconds_left(now),
            description: record.name.description.clone(),
            protocol_name: protocol_name(protocol),
        }
    }

    fn route(&self) -> impl Display + use<> {
        let external = self.external_address.map_or_else(|| "?".to_owned(), |address| address.to_string());
        format!(
            "{external}:{} -> {}:{} {} by {}",
            self.external_port,
            self.internal_address,
            self.internal_port,
            self.transport.to_ascii_uppercase(),
            self.protocol_name
        )
    }
}

impl Display for MappingView {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        match self.lease_seconds {
            Some(0) => write!(formatter, "{}, its lease is over", self.route()),
            Some(seconds) => write!(formatter, "{}, for {seconds} s", self.route()),
            None => write!(formatter, "{}, until it is removed", self.route()),
        }
    }
}

/// What became of one that was to be removed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(in super::super) struct RemovalView {
    removed: bool,
    #[serde(flatten)]
    mapping: MappingView,
}

impl RemovalView {
    pub(in super::super) fn new(record: &MapRecord, removed: bool) -> Self {
        Self { removed, mapping: MappingView { lease_seconds: None, ..MappingView::of_record(record, 0) } }
    }
}

impl Display for RemovalView {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        let verdict = if self.removed { "removed" } else { "not removed" };
        write!(formatter, "{verdict}: {}", self.mapping.route())
    }
}

/// One a line.
pub(in super::super) struct Lines<'a, T>(pub(in super::super) &'a [T]);

impl<T: Display> Display for Lines<'_, T> {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|line| writeln!(formatter, "{line}"))
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::record::tests::record;
    use super::*;

    #[test]
    fn a_mapping_is_one_line() {
        let view = |now| MappingView::of_record(&record(), now).to_string();
        assert_eq!(view(1_400), "20.0.0.1:60001 -> 192.168.1.10:60001 UDP by UPnP, for 3600 s");
        assert_eq!(view(5_000), "20.0.0.1:60001 -> 192.168.1.10:60001 UDP by UPnP, its lease is over");
        let unknown = MapRecord { external_address: None, expires: None, ..record() };
        let expected = "?:60001 -> 192.168.1.10:60001 UDP by UPnP, until it is removed";
        assert_eq!(MappingView::of_record(&unknown, 0).to_string(), expected);
        let removed = [RemovalView::new(&record(), true), RemovalView::new(&record(), false)];
        assert_eq!(
            Lines(&removed).to_string(),
            "removed: 20.0.0.1:60001 -> 192.168.1.10:60001 UDP by UPnP\n\
             not removed: 20.0.0.1:60001 -> 192.168.1.10:60001 UDP by UPnP\n"
        );
    }

    #[test]
    fn its_json_has_these_fields() {
        let value = serde_json::to_value(MappingView::of_record(&record(), 4_000)).unwrap();
        let expected = serde_json::json!({
            "transport": "udp",
            "protocol": "upnp",
            "gateway": "192.168.1.1",
            "external_address": "20.0.0.1",
            "external_port": 60001,
            "reach": "public",
            "internal_address": "192.168.1.10",
            "internal_port": 60001,
            "lease_seconds": 1000,
            "description": "moshpunch alice@server 1a2b3c4d",
        });
        assert_eq!(value, expected);
        let value = serde_json::to_value(RemovalView::new(&record(), true)).unwrap();
        assert_eq!((&value["removed"], &value["external_port"]), (&true.into(), &60001.into()));
    }
}
