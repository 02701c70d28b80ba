//! SSDP: answers to searches, and notifications (UDA 1.1 §1).

use std::net::SocketAddr;
use std::time::Instant;

use portmap::upnp::ssdp::MULTICAST;

use crate::counters::Arrival;
use crate::effect::Effect;
use crate::server::Outgoing;
use crate::state::State;

const ROOT_DEVICE: &str = "upnp:rootdevice";

pub(crate) fn answer_search(
    state: &mut State,
    from: SocketAddr,
    payload: &[u8],
    multicast: bool,
    now: Instant,
) -> Vec<Outgoing> {
    let host =
        if multicast { MULTICAST.to_string() } else { format!("{}:{}", state.address, MULTICAST.port()) };
    let wanted = match target(payload, &host, multicast) {
        Ok(target) => target.to_owned(),
        // Other hosts' business is not ours.
        Err(_) if multicast && !payload.starts_with(b"M-SEARCH") => return Vec::new(),
        Err(complaint) => {
            state.counters.unknown += 1;
            state.complain(format!("SSDP: {complaint}"));
            return Vec::new();
        }
    };
    let effects = state.meet(&Arrival::Search { multicast, target: wanted.clone() }, now);
    let answered = targets(state).into_iter().filter(|target| wanted == "ssdp:all" || wanted == *target);
    let replies = answered.flat_map(|target| {
        let reply = format!(
            "HTTP/1.1 200 OK\r\nCACHE-CONTROL: max-age=120\r\nST: {target}\r\nEXT:\r\n{}\r\n",
            common_headers(state, &target, &effects)
        );
        Outgoing::after(&effects, MULTICAST.port(), from, reply.into_bytes())
    });
    replies.collect()
}

/// `ssdp:alive` for everything that answers searches.
pub(crate) fn notifications(state: &State) -> Vec<Vec<u8>> {
    let notification = |target: String| {
        format!(
            "NOTIFY * HTTP/1.1\r\nHOST: {MULTICAST}\r\nCACHE-CONTROL: max-age=120\r\nNT: {target}\r\n\
             NTS: ssdp:alive\r\n{}\r\n",
            common_headers(state, &target, &[])
        )
        .into_bytes()
    };
    targets(state).into_iter().map(notification).collect()
}

fn common_headers(state: &State, target: &str, effects: &[Effect]) -> String {
    let told = effects.iter().find_map(|effect| match effect {
        Effect::Location(location) => Some(location.clone()),
        _ => None,
    });
    let location = told.unwrap_or_else(|| {
        format!("http://{}:{}{}", state.address, state.http_port, state.settings.description_path)
    });
    let unique = format!("uuid:{:032x}", state.address.to_bits());
    format!(
        "USN: {unique}::{target}\r\nLOCATION: {location}\r\nSERVER: fake/1 UPnP/1.1 gateway/1\r\n\
         BOOTID.UPNP.ORG: {}\r\nCONFIGID.UPNP.ORG: 1\r\n",
        state.boot_id
    )
}

/// What the gateway answers to: a device of a version answers to all lower ones (UDA 1.1 §1.3.2).
fn targets(state: &State) -> Vec<String> {
    let devices = (1..=state.settings.igd_version)
        .map(|version| format!("urn:schemas-upnp-org:device:InternetGatewayDevice:{version}"));
    let service = &state.settings.service_type;
    let services = service.rsplit_once(':').and_then(|(name, version)| {
        let version: u8 = version.parse().ok()?;
        Some((1..=version).map(|version| format!("{name}:{version}")).collect::<Vec<_>>())
    });
    let services = services.unwrap_or_else(|| vec![service.clone()]);
    [ROOT_DEVICE.to_owned()].into_iter().chain(devices).chain(services).collect()
}

/// What is searched for, from a search without fault (UDA 1.1 §1.3.2).
fn target<'a>(payload: &'a [u8], host: &str, multicast: bool) -> Result<&'a str, String> {
    let text = str::from_utf8(payload).map_err(|_| "not UTF-8".to_owned())?;
    let head = text.strip_suffix("\r\n\r\n").ok_or("no empty line at the end")?;
    let mut lines = head.split("\r\n");
    match lines.next() {
        Some("M-SEARCH * HTTP/1.1") => {}
        line => return Err(format!("start line {line:?}")),
    }
    let headers: Vec<_> = lines.map(|line| line.split_once(": ").ok_or(line)).collect::<Result<_, _>>()?;
    let header = |name: &str| {
        let found = headers.iter().find(|(found, _)| found.eq_ignore_ascii_case(name));
        found.map(|(_, value)| *value).ok_or(format!("no {name}"))
    };
    if header("HOST")? != host {
        return Err(format!("HOST {}, not {host}", header("HOST")?));
    }
    if header("MAN")? != "\"ssdp:discover\"" {
        return Err(format!("MAN {}", header("MAN")?));
    }
    if multicast && !matches!(header("MX")?.parse(), Ok(1..=5)) {
        return Err(format!("MX {}", header("MX")?));
    }
    header("ST")
}
