//! SOAP actions: read strictly, written plainly (UDA 1.1 §3).

use portmap::upnp::xml::escape;

/// What the `SOAPAction` header names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Invocation<'a> {
    pub(super) service_type: &'a str,
    pub(super) name: &'a str,
}

/// An action with the arguments of its SCPD, in that order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Action {
    pub(super) name: String,
    arguments: Vec<(&'static str, String)>,
}

/// What is answered with a UPnP error, and noted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Refused {
    pub(super) code: u16,
    pub(super) complaint: String,
}

const MAPPING: [&str; 8] = [
    "NewRemoteHost",
    "NewExternalPort",
    "NewProtocol",
    "NewInternalPort",
    "NewInternalClient",
    "NewEnabled",
    "NewPortMappingDescription",
    "NewLeaseDuration",
];
const ENTRY: [&str; 3] = ["NewRemoteHost", "NewExternalPort", "NewProtocol"];

/// The in-arguments of WANIPConnection:1 and :2 in the order of the SCPD.
fn parameters(action: &str) -> Option<&'static [&'static str]> {
    Some(match action {
        "GetStatusInfo" | "GetExternalIPAddress" => &[],
        "AddPortMapping" | "AddAnyPortMapping" => &MAPPING,
        "GetSpecificPortMappingEntry" | "DeletePortMapping" => &ENTRY,
        "GetGenericPortMappingEntry" => &["NewPortMappingIndex"],
        _ => return None,
    })
}

impl Action {
    pub(super) fn read(service_type: &str, name: &str, body: &str) -> Result<Self, Refused> {
        let refused = |code, complaint: String| Refused { code, complaint };
        let wanted =
            parameters(name).ok_or_else(|| refused(super::INVALID_ACTION, "no such action".into()))?;
        let invalid = |complaint: String| refused(402, complaint);
        let start = format!("<u:{name} xmlns:u=\"{}\">", escape(service_type));
        let inside = enclosed(body, &start, &format!("</u:{name}>")).map_err(invalid)?;
        let found = arguments(inside).map_err(invalid)?;
        let names: Vec<_> = found.iter().map(|(name, _)| *name).collect();
        if names != wanted {
            return Err(invalid(format!("arguments {names:?}, the SCPD has {wanted:?}")));
        }
        let values = found.into_iter().map(|(_, value)| value);
        Ok(Self { name: name.to_owned(), arguments: wanted.iter().copied().zip(values).collect() })
    }

    /// # Panics
    /// When the SCPD has no such argument.
    pub(super) fn argument(&self, name: &str) -> &str {
        let found = self.arguments.iter().find(|(found, _)| *found == name);
        found.map(|(_, value)| value.as_str()).expect("the SCPD has been checked")
    }
}

/// What stands between the action's tags, in an envelope that any parser can read.
fn enclosed<'a>(body: &'a str, start: &str, end: &str) -> Result<&'a str, String> {
    const ENVELOPE: &str = "<s:Envelope xmlns:s=\"http://schemas.xmlsoap.org/soap/envelope/\" \
                            s:encodingStyle=\"http://schemas.xmlsoap.org/soap/encoding/\"><s:Body>";
    let rest = body.trim_end();
    let rest = rest.strip_prefix("<?xml version=\"1.0\"?>").ok_or("no XML declaration")?.trim_start();
    let rest = rest.strip_prefix(ENVELOPE).ok_or("no envelope of SOAP 1.1 with the prefix s")?;
    let rest = rest.strip_suffix("</s:Body></s:Envelope>").ok_or("the envelope does not end")?;
    let rest = rest.strip_prefix(start).ok_or_else(|| format!("the body does not begin with {start}"))?;
    rest.strip_suffix(end).ok_or_else(|| format!("the body does not end with {end}"))
}

fn arguments(mut text: &str) -> Result<Vec<(&str, String)>, String> {
    let mut arguments = Vec::new();
    while !text.is_empty() {
        let tag = text.strip_prefix('<').and_then(|text| text.split_once('>'));
        let (name, rest) = tag.ok_or_else(|| format!("no start tag at {text:?}"))?;
        let end = format!("</{name}>");
        let (value, rest) = rest.split_once(&end).ok_or_else(|| format!("{name} does not end"))?;
        arguments.push((name, unescaped(value)?));
        text = rest;
    }
    Ok(arguments)
}

fn unescaped(text: &str) -> Result<String, String> {
    if text.contains('<') {
        return Err(format!("tags inside of {text:?}"));
    }
    let pairs = [("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&apos;", "'"), ("&amp;", "&")];
    Ok(pairs.iter().fold(text.to_owned(), |text, (entity, character)| text.replace(entity, character)))
}

pub(super) fn response(service_type: &str, name: &str, arguments: &[(&str, String)]) -> String {
    let service_type = escape(service_type);
    let arguments: String =
        arguments.iter().map(|(name, value)| format!("<{name}>{}</{name}>", escape(value))).collect();
    envelope(&format!("<u:{name}Response xmlns:u=\"{service_type}\">{arguments}</u:{name}Response>"))
}

pub(super) fn fault(code: u16) -> String {
    envelope(&format!(
        "<s:Fault><faultcode>s:Client</faultcode><faultstring>UPnPError</faultstring><detail>\
         <UPnPError xmlns=\"urn:schemas-upnp-org:control-1-0\"><errorCode>{code}</errorCode>\
         <errorDescription>{}</errorDescription></UPnPError></detail></s:Fault>",
        description(code)
    ))
}

fn envelope(inside: &str) -> String {
    format!(
        "<?xml version=\"1.0\"?>\r\n<s:Envelope xmlns:s=\"http://schemas.xmlsoap.org/soap/envelope/\" \
         s:encodingStyle=\"http://schemas.xmlsoap.org/soap/encoding/\"><s:Body>{inside}</s:Body></s:Envelope>\r\n"
    )
}

/// WANIPConnection:2 §2.5, UDA 1.1 §3.2.2.
fn description(code: u16) -> &'static str {
    match code {
        401 => "Invalid Action",
        402 => "Invalid Args",
        501 => "Action Failed",
        606 => "Action not authorized",
        713 => "SpecifiedArrayIndexInvalid",
        714 => "NoSuchEntryInArray",
        716 => "WildCardNotPermittedInExtPort",
        718 => "ConflictInMappingEntry",
        724 => "SamePortValuesRequired",
        725 => "OnlyPermanentLeasesSupported",
        726 => "RemoteHostOnlySupportsWildcard",
        728 => "NoPortMapsAvailable",
        _ => "UnknownError",
    }
}

#[cfg(test)]
mod tests {
    use portmap::upnp::soap;

    use super::*;

    const SERVICE: &str = "urn:schemas-upnp-org:service:WANIPConnection:1";

    fn read(body: &str) -> Result<Action, Refused> {
        Action::read(SERVICE, "GetGenericPortMappingEntry", body)
    }

    #[test]
    fn an_action_as_the_engine_writes_it_is_read() {
        let call = soap::get_generic_port_mapping_entry(SERVICE, 7);
        assert_eq!(read(&call.body).unwrap().argument("NewPortMappingIndex"), "7");
    }

    #[test]
    fn an_action_with_any_fault_is_refused() {
        let good = soap::get_generic_port_mapping_entry(SERVICE, 7).body;
        for (fault, from, to) in [
            ("another prefix", "u:Get", "m:Get"),
            ("another service", "WANIPConnection:1", "WANIPConnection:2"),
            ("another argument", "NewPortMappingIndex", "NewIndex"),
            ("one more argument", "</u:", "<a></a></u:"),
            ("white space", "<u:", " <u:"),
            ("no end", "</s:Envelope>", ""),
        ] {
            let refused = read(&good.replace(from, to)).unwrap_err();
            assert_eq!(refused.code, 402, "{fault}: {}", refused.complaint);
        }
        let unknown = Action::read(SERVICE, "ForceTermination", &good).unwrap_err();
        assert_eq!(unknown.code, 401);
    }
}
