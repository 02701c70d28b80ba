use super::{Reply, parse_reply};

mod calls;
mod out_arguments;
mod replies;

const WAN_IP_1: &str = "urn:schemas-upnp-org:service:WANIPConnection:1";
const WAN_IP_2: &str = "urn:schemas-upnp-org:service:WANIPConnection:2";
const FIREWALL: &str = "urn:schemas-upnp-org:service:WANIPv6FirewallControl:1";

/// A successful reply to `action` with these out-arguments as XML.
fn response(action: &str, arguments: &str) -> String {
    format!(
        "<?xml version=\"1.0\"?>\r\n<s:Envelope xmlns:s=\"http://schemas.xmlsoap.org/soap/envelope/\"><s:Body>\
         <u:{action}Response xmlns:u=\"urn:schemas-upnp-org:service:WANIPConnection:1\">{arguments}\
         </u:{action}Response></s:Body></s:Envelope>"
    )
}

fn read(arguments: &str) -> Reply {
    let body = response("Any", arguments);
    parse_reply(200, body.as_bytes()).unwrap_or_else(|fault| panic!("{body}: {fault}"))
}
