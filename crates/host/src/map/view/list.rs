//! The router's table, with whose each entry is.

use std::fmt::{self, Display, Formatter};
use std::net::IpAddr;

use portmap::upnp::soap::{InternalClient, PortMappingEntry};
use portmap::upnp::table::{End, Table};
use report::sanitized;
use serde::Serialize;

use super::super::record::MapRecord;
use super::super::whose::Owner;
use super::{MappingView, transport_word};

const HEADINGS: [&str; COLUMNS] = ["OUTSIDE", "INSIDE", "LEASE", "WHOSE", "DESCRIPTION"];
const COLUMNS: usize = 5;

#[derive(Debug, Serialize)]
pub(in super::super) struct ListView {
    gateway: IpAddr,
    /// Whether the gateway can tell what it has mapped.
    table: bool,
    complete: bool,
    mappings: Vec<EntryView>,
    records: Vec<MappingView>,
}

#[derive(Debug, Serialize)]
struct EntryView {
    external_port: Option<u16>,
    transport: Option<&'static str>,
    internal_host: String,
    internal_port: u16,
    enabled: bool,
    /// 0: until it is removed.
    lease_seconds: Option<u32>,
    owner: &'static str,
    /// Of another moshpunch: `user@host`.
    owner_name: Option<String>,
    description: String,
}

impl ListView {
    pub(in super::super) fn of_table(
        gateway: IpAddr,
        table: &Table,
        owner: impl Fn(&PortMappingEntry) -> Owner,
        records: &[MapRecord],
        now: u64,
    ) -> Self {
        let mappings = table.entries.iter().map(|entry| EntryView::new(entry, owner(entry))).collect();
        let complete = table.end == End::Complete;
        Self { table: true, complete, mappings, ..Self::without_table(gateway, records, now) }
    }

    pub(in super::super) fn without_table(gateway: IpAddr, records: &[MapRecord], now: u64) -> Self {
        let records = records.iter().map(|record| MappingView::of_record(record, now)).collect();
        Self { gateway, table: false, complete: false, mappings: Vec::new(), records }
    }
}

impl EntryView {
    fn new(entry: &PortMappingEntry, owner: Owner) -> Self {
        let word = match &owner {
            Owner::Ours => "ours",
            Owner::ThisHost => "this_host",
            Owner::Moshpunch(_) => "moshpunch",
            Owner::AnotherHost => "another_host",
        };
        let owner_name = match owner {
            Owner::Moshpunch(name) => Some(sanitized(&name)),
            Owner::Ours | Owner::ThisHost | Owner::AnotherHost => None,
        };
        Self {
            external_port: entry.external_port,
            transport: entry.transport.map(transport_word),
            internal_host: match &entry.internal_client {
                InternalClient::Address(address) => address.to_string(),
                InternalClient::Name(name) => sanitized(name),
            },
            internal_port: entry.internal_port,
            enabled: entry.enabled,
            lease_seconds: entry.lease_seconds,
            owner: word,
            owner_name,
            description: sanitized(&entry.description),
        }
    }

    fn cells(&self) -> [String; COLUMNS] {
        let unknown = || "?".to_owned();
        let port = self.external_port.map_or_else(unknown, |port| port.to_string());
        let transport = self.transport.map_or_else(unknown, str::to_ascii_uppercase);
        let lease = match self.lease_seconds {
            Some(0) => "no end".to_owned(),
            Some(seconds) => format!("{seconds} s"),
            None => unknown(),
        };
        let whose = match &self.owner_name {
            Some(name) => format!("moshpunch of {name}"),
            None => self.owner.replace('_', " "),
        };
        let off = if self.enabled { "" } else { " (switched off)" };
        [
            format!("{port} {transport}"),
            format!("{}:{}", self.internal_host, self.internal_port),
            lease,
            whose,
            format!("{}{off}", self.description),
        ]
    }
}

impl Display for ListView {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        match self.table {
            true if self.mappings.is_empty() => writeln!(formatter, "{} has nothing mapped", self.gateway),
            true => columns(formatter, self.mappings.iter().map(EntryView::cells)),
            false => self.records.iter().try_for_each(|record| writeln!(formatter, "{record}")),
        }
    }
}

fn columns(formatter: &mut Formatter<'_>, rows: impl Iterator<Item = [String; COLUMNS]>) -> fmt::Result {
    let rows: Vec<_> = [HEADINGS.map(str::to_owned)].into_iter().chain(rows).collect();
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or_default();
    let widths: [usize; COLUMNS] = std::array::from_fn(width);
    for row in &rows {
        let cells = row.iter().zip(widths).map(|(cell, width)| format!("{cell:width$}"));
        writeln!(formatter, "{}", cells.collect::<Vec<_>>().join("  ").trim_end())?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use portmap::mapping::Transport;

    use super::super::super::record::tests::record;
    use super::*;

    fn entry(port: u16, client: InternalClient, lease: u32, description: &str) -> PortMappingEntry {
        PortMappingEntry {
            external_port: Some(port),
            transport: Some(Transport::Udp),
            internal_client: client,
            internal_port: port,
            enabled: true,
            description: description.into(),
            lease_seconds: Some(lease),
        }
    }

    fn table() -> Table {
        let address = |last| InternalClient::Address([192, 168, 1, last].into());
        Table {
            entries: vec![
                entry(60001, address(10), 3_412, "moshpunch alice@server 1a2b3c4d"),
                entry(9, InternalClient::Name("desk\x1btop".into()), 0, "a \x1b[2Jgame"),
            ],
            end: End::Complete,
        }
    }

    fn view(table: &Table) -> ListView {
        let owner = |entry: &PortMappingEntry| match entry.external_port {
            Some(9) => Owner::AnotherHost,
            _ => Owner::Moshpunch("alice@server".into()),
        };
        ListView::of_table([192, 168, 1, 1].into(), table, owner, &[], 0)
    }

    #[test]
    fn the_table_is_shown_in_columns_and_what_the_router_wrote_is_escaped() {
        assert_eq!(
            view(&table()).to_string(),
            "OUTSIDE    INSIDE              LEASE   WHOSE                      DESCRIPTION\n\
             60001 UDP  192.168.1.10:60001  3412 s  moshpunch of alice@server  moshpunch alice@server 1a2b3c4d\n\
             9 UDP      desk\u{fffd}top:9          no end  another host               a \u{fffd}[2Jgame\n"
        );
        let empty = Table { entries: Vec::new(), end: End::Complete };
        assert_eq!(view(&empty).to_string(), "192.168.1.1 has nothing mapped\n");
    }

    #[test]
    fn its_json_has_these_fields() {
        let value = serde_json::to_value(view(&table())).unwrap();
        assert_eq!((&value["gateway"], &value["table"]), (&"192.168.1.1".into(), &true.into()));
        assert_eq!((&value["complete"], &value["records"]), (&true.into(), &serde_json::json!([])));
        let expected = serde_json::json!({
            "external_port": 60001,
            "transport": "udp",
            "internal_host": "192.168.1.10",
            "internal_port": 60001,
            "enabled": true,
            "lease_seconds": 3412,
            "owner": "moshpunch",
            "owner_name": "alice@server",
            "description": "moshpunch alice@server 1a2b3c4d",
        });
        assert_eq!(value["mappings"][0], expected);
    }

    #[test]
    fn without_a_table_our_own_records_are_shown() {
        let view = ListView::without_table([192, 168, 1, 1].into(), &[record()], 4_000);
        let expected = "20.0.0.1:60001 -> 192.168.1.10:60001 UDP by UPnP, for 1000 s\n";
        assert_eq!(view.to_string(), expected);
        let value = serde_json::to_value(view).unwrap();
        assert_eq!((&value["table"], &value["records"][0]["lease_seconds"]), (&false.into(), &1000.into()));
    }
}
