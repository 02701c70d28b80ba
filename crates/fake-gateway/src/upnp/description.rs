//! The device description.

use crate::effect::Effect;
use crate::state::State;

const CONTROL_PATH: &str = "/ctl/IPConn";

/// The document, with what is wrong with it.
pub(super) fn text(state: &State, effects: &[Effect]) -> String {
    let mut text = match &state.settings.description_file {
        Some(file) => file
            .replace("{address}", &state.address.to_string())
            .replace("{port}", &state.http_port.to_string()),
        None => own(state),
    };
    for effect in effects {
        match effect {
            Effect::ControlUrl(url) => text = with_control_url(&text, url),
            Effect::UrlBase(url) => {
                text = text.replacen("<device>", &format!("<URLBase>{url}</URLBase><device>"), 1);
            }
            _ => {}
        }
    }
    text
}

pub(super) fn takes_actions(state: &State, path: &str) -> bool {
    state.settings.description_file.is_some() || path == CONTROL_PATH
}

/// Whether there is such a service.
pub(super) fn names(state: &State, service_type: &str) -> bool {
    match &state.settings.description_file {
        Some(file) => file.contains(&format!(">{service_type}<")),
        None => service_type == state.settings.service_type,
    }
}

fn with_control_url(text: &str, url: &str) -> String {
    const START: &str = "<controlURL>";
    let mut pieces = text.split(START);
    let mut changed = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        let rest = piece.find("</controlURL>").map_or(piece, |end| &piece[end..]);
        changed += &format!("{START}{url}{rest}");
    }
    changed
}

fn own(state: &State) -> String {
    let version = state.settings.igd_version;
    let number = state.address.to_bits();
    let wan_connection = device("WANConnectionDevice", version, number, 3, &connection_service(state));
    let wan_inside =
        format!("<serviceList>{COMMON_SERVICE}</serviceList><deviceList>{wan_connection}</deviceList>");
    let wan = device("WANDevice", version, number, 2, &wan_inside);
    let root_inside = format!("<deviceList>{wan}</deviceList><presentationURL>/</presentationURL>");
    format!(
        "<?xml version=\"1.0\"?>\r\n<root xmlns=\"urn:schemas-upnp-org:device-1-0\">\
         <specVersion><major>1</major><minor>1</minor></specVersion>{}</root>\r\n",
        device("InternetGatewayDevice", version, number, 1, &root_inside)
    )
}

fn device(kind: &str, version: u8, number: u32, place: u8, inside: &str) -> String {
    format!(
        "<device><deviceType>urn:schemas-upnp-org:device:{kind}:{version}</deviceType>\
         <friendlyName>fake {kind}</friendlyName><manufacturer>moshpunch</manufacturer>\
         <modelName>fake gateway</modelName><modelNumber>1</modelNumber>\
         <UDN>uuid:{number:08x}-0000-0000-0000-{place:012x}</UDN>{inside}</device>"
    )
}

fn connection_service(state: &State) -> String {
    format!(
        "<serviceList><service><serviceType>{}</serviceType><serviceId>urn:upnp-org:serviceId:WANIPConn1</serviceId>\
         <SCPDURL>/WANIPCn.xml</SCPDURL><controlURL>{CONTROL_PATH}</controlURL>\
         <eventSubURL>/evt/IPConn</eventSubURL></service></serviceList>",
        state.settings.service_type
    )
}

const COMMON_SERVICE: &str = "<service>\
    <serviceType>urn:schemas-upnp-org:service:WANCommonInterfaceConfig:1</serviceType>\
    <serviceId>urn:upnp-org:serviceId:WANCommonIFC1</serviceId><SCPDURL>/WANCfg.xml</SCPDURL>\
    <controlURL>/ctl/CmnIfCfg</controlURL><eventSubURL>/evt/CmnIfCfg</eventSubURL></service>";
