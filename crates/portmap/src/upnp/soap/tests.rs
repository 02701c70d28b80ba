mod calls;
mod replies;

const WAN_IP_1: &str = "urn:schemas-upnp-org:service:WANIPConnection:1";
const WAN_IP_2: &str = "urn:schemas-upnp-org:service:WANIPConnection:2";
const FIREWALL: &str = "urn:schemas-upnp-org:service:WANIPv6FirewallControl:1";
