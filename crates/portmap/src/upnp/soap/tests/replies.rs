use std::net::Ipv4Addr;

use super::super::*;
use super::{read, response};
use crate::upnp::mutation::mutants;

fn fault(details: &str) -> String {
    format!(
        "<s:Envelope xmlns:s=\"http://schemas.xmlsoap.org/soap/envelope/\"><s:Body><s:Fault>\
         <faultcode>s:Client</faultcode><faultstring>UPnPError</faultstring><detail>\
         <UPnPError xmlns=\"urn:schemas-upnp-org:control-1-0\">{details}</UPnPError></detail></s:Fault></s:Body>\
         </s:Envelope>"
    )
}

fn coded_fault(code: u16) -> String {
    fault(&format!("<errorCode>{code}</errorCode><errorDescription>Text</errorDescription>"))
}

fn refused(status: u16, body: &str) -> Fault {
    parse_reply(status, body.as_bytes()).expect_err(body)
}

fn upnp(code: u16, description: &str) -> Fault {
    Fault::Upnp { code, description: description.to_owned() }
}

#[test]
fn out_arguments_are_found_by_name() {
    let reply = read("<NewFirst> 1 </NewFirst><NewSecond/>");
    assert_eq!(reply.argument("NewFirst"), Some("1"));
    assert_eq!(reply.argument("newSECOND"), Some(""));
    assert_eq!(reply.argument("NewThird"), None);
}

#[test]
fn a_reply_without_out_arguments_is_a_success() {
    assert!(parse_reply(200, response("AddPortMapping", "").as_bytes()).is_ok());
}

#[test]
fn an_empty_reply_is_a_success_without_arguments() {
    for body in ["", " \r\n\t", "\0"] {
        assert_eq!(parse_reply(200, body.as_bytes()).unwrap().argument("NewReservedPort"), None);
    }
}

#[test]
fn quirk_31_any_prefix_is_read() {
    for body in [
        "<Envelope><Body><XResponse><NewExternalIPAddress>203.0.113.7</NewExternalIPAddress>",
        "<a:Envelope><a:Body><b:XResponse><b:NewExternalIPAddress>203.0.113.7</b:NewExternalIPAddress>",
        "<S-E:Envelope><S-E:Body><m:XResponse><NewExternalIPAddress dt:dt='string'>203.0.113.7</NewExternalIPAddress>",
        "<s:Envelope><s:Body><u:GetExternalIPAddress><NewExternalIPAddress>203.0.113.7</NewExternalIPAddress>",
    ] {
        let reply = parse_reply(200, body.as_bytes()).unwrap();
        assert_eq!(external_ip_address(&reply), Ok(Some(Ipv4Addr::new(203, 0, 113, 7).into())), "{body}");
    }
}

#[test]
fn quirk_32_an_error_is_found_under_any_status() {
    for status in [200, 400, 500, 501] {
        assert_eq!(refused(status, &coded_fault(718)), upnp(718, "Text"), "{status}");
    }
}

#[test]
fn quirk_32_an_error_is_found_amid_garbage() {
    for body in [
        "\r\n\t<?xml version=\"1.0\"?><s:Fault><errorCode>725</errorCode>",
        "\u{feff}junk<UPnPError><errorCode> 725 </errorCode></UPnPError>\0\0junk",
        "<a><s:Fault><detail><errorCode>725<errorDescription></a></errorDescription>",
        "<errorCode>725</errorCode",
        "<!-- <errorCode>725",
        "ERRORCODE> 725",
        "<detail errorcode>725 OnlyPermanentLeasesSupported",
    ] {
        assert_eq!(refused(500, body), upnp(725, ""), "{body}");
        assert_eq!(refused(200, body), upnp(725, ""), "{body}");
    }
}

#[test]
fn quirk_32_an_error_is_found_in_a_body_beyond_the_caps_of_xml() {
    let deep = format!("{}<errorCode>725</errorCode>", "<a>".repeat(1000));
    assert_eq!(refused(500, &deep), upnp(725, ""));
}

#[test]
fn quirk_35_an_error_without_description_keeps_its_code() {
    for details in [
        "<errorCode>725</errorCode>",
        "<errorCode>725</errorCode><errorDescription/>",
        "<errorCode>725</errorCode><errorDescription></errorDescription>",
        "\n<errorDescription></errorDescription>\n<errorCode>\n725\n</errorCode>",
    ] {
        assert_eq!(refused(500, &fault(details)), upnp(725, ""), "{details}");
    }
}

#[test]
fn quirks_36_37_38_41_42_44_45_46_47_55_error_codes_are_told_apart() {
    for code in [402, 501, 605, 606, 713, 714, 715, 716, 718, 724, 725, 726, 727, 728, 729] {
        assert_eq!(refused(500, &coded_fault(code)), upnp(code, "Text"));
    }
}

#[test]
fn what_is_no_error_code_is_no_upnp_error() {
    for code in ["0", "-1", "70000", "none", ""] {
        let body = fault(&format!("<errorCode>{code}</errorCode>"));
        assert_eq!(refused(500, &body), Fault::Http(500), "{code}");
        assert_eq!(refused(200, &body), Fault::Malformed { found: "Envelope".to_owned() }, "{code}");
    }
}

#[test]
fn a_description_of_a_mapping_cannot_pose_as_an_error() {
    let entry = "<NewInternalPort>1</NewInternalPort><NewInternalClient>192.168.1.5</NewInternalClient>\
                 <NewPortMappingDescription><s:Fault><errorCode>713</errorCode></s:Fault></NewPortMappingDescription>";
    assert!(port_mapping_entry(&read(entry)).is_ok());
    let escaped = "<NewPortMappingDescription>&lt;errorCode>713</NewPortMappingDescription>";
    assert_eq!(read(escaped).argument("NewPortMappingDescription"), Some("<errorCode>713"));
}

#[test]
fn an_error_before_a_response_is_an_error() {
    let body = "<Envelope><Body><Fault><errorCode>718</errorCode></Fault><AddPortMappingResponse/></Body></Envelope>";
    assert_eq!(refused(200, body), upnp(718, ""));
}

#[test]
fn quirk_33_the_body_counts_and_not_its_content_type() {
    let stream = format!(
        "HTTP/1.1 200 OK\r\nContent-Type: application/soap+xml\r\n\r\n{}",
        response("GetExternalIPAddress", "<NewExternalIPAddress>203.0.113.7</NewExternalIPAddress>")
    );
    let mut reader = crate::upnp::http::ReplyReader::new();
    reader.push(stream.as_bytes()).unwrap();
    let http = reader.end_of_stream().unwrap();
    let reply = parse_reply(http.status, &http.body).unwrap();
    assert_eq!(external_ip_address(&reply), Ok(Some(Ipv4Addr::new(203, 0, 113, 7).into())));
}

#[test]
fn quirk_33_a_web_page_is_a_failure() {
    let page = "<html><head><title>501</title></head><body><h1>Not implemented</h1></body></html>";
    assert_eq!(refused(501, page), Fault::Http(501));
    assert_eq!(refused(404, ""), Fault::Http(404));
    assert_eq!(refused(200, page), Fault::Malformed { found: "html".to_owned() });
    assert_eq!(refused(200, "OK"), Fault::Malformed { found: "OK".to_owned() });
}

#[test]
fn a_response_under_an_error_status_is_a_failure() {
    assert_eq!(refused(500, &response("AddPortMapping", "")), Fault::Http(500));
}

#[test]
fn quirk_34_texts_and_their_number_are_capped() {
    let long = "\u{e9}".repeat(MAXIMUM_VALUE_CHARACTERS + 1);
    let value = read(&format!("<NewA>{long}</NewA>"));
    assert_eq!(value.argument("NewA").unwrap().chars().count(), MAXIMUM_VALUE_CHARACTERS);
    let details = format!("<errorCode>501</errorCode><errorDescription>{long}</errorDescription>");
    let Fault::Upnp { description, .. } = refused(500, &fault(&details)) else { panic!("not a upnp error") };
    assert_eq!(description.chars().count(), MAXIMUM_VALUE_CHARACTERS);
    let Fault::Malformed { found } = refused(200, &long) else { panic!("text was accepted") };
    assert_eq!(found.chars().count(), MAXIMUM_VALUE_CHARACTERS);
    let many = read(&format!("{}<NewLast>1</NewLast>", "<NewA/>".repeat(MAXIMUM_ARGUMENTS)));
    assert_eq!(many.argument("NewLast"), None);
}

#[test]
fn mutants_are_survived_within_bounds() {
    let entry = response(
        "GetSpecificPortMappingEntry",
        "<NewInternalPort>1</NewInternalPort><NewInternalClient>10.0.0.2</NewInternalClient>\
         <NewEnabled>1</NewEnabled><NewPortMappingDescription>x</NewPortMappingDescription>",
    );
    let address = response("X", "<NewExternalIPAddress>203.0.113.7</NewExternalIPAddress>");
    let fault = coded_fault(718);
    let originals = [entry.as_bytes(), address.as_bytes(), fault.as_bytes()];
    let tokens: [&[u8]; 8] =
        [b"<", b"errorCode>", b"&#x", b"]]>", b"Response>", b"\xff", b"<NewEnabled>", b"99999999999"];
    let (mut replies, mut faults) = (0, 0);
    for mutant in mutants(718, &originals, &tokens) {
        match parse_reply(200, &mutant) {
            Ok(reply) => {
                replies += 1;
                assert!(
                    reply.argument("NewPortMappingDescription").unwrap_or_default().len() <= mutant.len()
                );
                let _ = (port_mapping_entry(&reply), external_ip_address(&reply), assigned_port(&reply));
            }
            Err(Fault::Upnp { code, description }) => {
                faults += 1;
                assert!(code > 0 && description.chars().count() <= MAXIMUM_VALUE_CHARACTERS);
            }
            Err(Fault::Http(_) | Fault::Malformed { .. }) => {}
        }
    }
    assert!(replies > 5_000 && faults > 2_000, "{replies} replies and {faults} faults");
}
