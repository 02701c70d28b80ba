use portmap::upnp::description::Description;
use portmap::upnp::url::Url;

use super::*;

const ROUTER: [u8; 4] = [192, 168, 1, 1];

fn finding(protocol: Protocol, outcome: Outcome, milliseconds: u64, epoch: Option<u32>) -> Finding {
    Finding { protocol, outcome, after: Some(Duration::from_millis(milliseconds)), epoch_seconds: epoch }
}

fn answered(address: Option<[u8; 4]>) -> Outcome {
    Outcome::Answered { external_address: address.map(IpAddr::from) }
}

fn found(name: &str, external: [u8; 4]) -> Found {
    Found {
        location: Url::parse("http://192.168.1.1:5000/rootDesc.xml").unwrap(),
        answered_after: Duration::from_micros(2_340),
        description: Some(Description {
            device_type: None,
            friendly_name: Some(name.into()),
            manufacturer: None,
            model_name: Some("miniupnpd".into()),
            model_number: Some("2.3.1".into()),
            unique_device_name: None,
            services: Vec::new(),
        }),
        connections: vec![FoundConnection {
            service_type: "urn:schemas-upnp-org:service:WANIPConnection:1".into(),
            control_url: Url::parse("http://192.168.1.1:5000/ctl/IPConn").unwrap(),
            connected: Some(true),
            external_address: Some(external.into()),
            uptime_seconds: Some(34),
            answered_after: Some(Duration::from_millis(6)),
        }],
    }
}

fn view(findings: &[Finding], found: &[Found]) -> SurveyView {
    let gateways = gateways(ROUTER.into(), findings, found);
    SurveyView { internal_address: [192, 168, 1, 10].into(), gateways, cause: None, cure: None }
}

#[test]
fn a_gateway_that_speaks_all_three() {
    let findings = [
        finding(Protocol::Pcp, answered(None), 1, Some(120)),
        finding(Protocol::NatPmp, answered(Some([20, 0, 0, 1])), 1, Some(121)),
        finding(Protocol::Upnp, answered(Some([20, 0, 0, 1])), 6, None),
    ];
    assert_eq!(
        view(&findings, &[found("a \x1brouter", [20, 0, 0, 1])]).to_string(),
        "192.168.1.1  a \u{fffd}router, miniupnpd 2.3.1\n  \
           outside  20.0.0.1 (public)\n  \
           PCP      answers after 1 ms, up for 120 s\n  \
           NAT-PMP  answers after 1 ms, up for 121 s\n  \
           UPnP     answers after 2.3 ms\n           \
                    WANIPConnection:1 at http://192.168.1.1:5000/ctl/IPConn: \
                    connected, outside 20.0.0.1, up for 34 s, ready after 6 ms\n"
    );
}

#[test]
fn a_gateway_that_says_why_not() {
    let findings = [
        finding(Protocol::Pcp, Outcome::Absent(Absence::VersionUnsupported { supported: 0 }), 1, None),
        finding(Protocol::NatPmp, Outcome::Refused(Refusal::NotAuthorized), 2, Some(5)),
        finding(Protocol::Upnp, Outcome::Absent(Absence::NoAnswer), 900, None),
    ];
    assert_eq!(
        view(&findings, &[]).to_string(),
        "192.168.1.1\n  \
           outside  not told\n  \
           PCP      it speaks the older NAT-PMP only (said after 1 ms)\n  \
           NAT-PMP  it is switched off, or not for this host (said after 2 ms), up for 5 s\n  \
           UPnP     no answer\n"
    );
}

#[test]
fn another_gateway_than_the_one_that_was_asked_gets_lines_of_its_own() {
    let other =
        Found { location: Url::parse("http://192.168.1.9/d.xml").unwrap(), ..found("mesh", [10, 0, 0, 2]) };
    let findings = [finding(Protocol::Upnp, answered(None), 6, None)];
    let text = view(&findings, &[other]).to_string();
    let beginnings: Vec<_> = text.lines().filter(|line| !line.starts_with(' ')).collect();
    assert_eq!(beginnings, ["192.168.1.1", "192.168.1.9  mesh, miniupnpd 2.3.1"]);
    assert!(text.contains("  UPnP     no answer from there\n"), "{text}");
    assert!(text.contains("  outside  10.0.0.2 (private: behind another NAT)\n"), "{text}");
}

#[test]
fn its_json_has_these_fields() {
    let findings = [finding(Protocol::NatPmp, answered(Some([100, 64, 0, 1])), 1, Some(7))];
    let value = serde_json::to_value(view(&findings, &[])).unwrap();
    let no = serde_json::Value::Null;
    let expected = serde_json::json!({
        "internal_address": "192.168.1.10",
        "gateways": [{
            "address": "192.168.1.1",
            "name": no, "model": no,
            "external_address": "100.64.0.1",
            "reach": "carrier_nat",
            "pcp": no,
            "nat_pmp": { "answers": true, "milliseconds": 1.0, "uptime_seconds": 7, "why": no },
            "upnp": { "answers": false, "milliseconds": no, "uptime_seconds": no, "why": "no answer from there" },
            "services": [],
        }],
        "cause": no, "cure": no,
    });
    assert_eq!(value, expected);
    let value = serde_json::to_value(view(&findings, &[found("x", [20, 0, 0, 1])])).unwrap();
    assert_eq!(value["gateways"][0]["services"][0]["milliseconds"], 6.0);
}
