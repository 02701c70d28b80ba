use super::*;

const NONCE: Nonce = Nonce([0xa0, 0xa1, 0xa2, 0xa3, 0xa4, 0xa5, 0xa6, 0xa7, 0xa8, 0xa9, 0xaa, 0xab]);
const INTERNAL_PORT: NonZeroU16 = NonZeroU16::new(60001).unwrap();

fn map() -> Map {
    Map {
        nonce: NONCE,
        transport: Transport::Udp,
        internal_port: INTERNAL_PORT,
        external_port: 60002,
        external_address: None,
        prefer_failure: false,
        lifetime_seconds: 7200,
    }
}

fn encode(client: &str, operation: RequestOperation) -> Vec<u8> {
    Request { client: client.parse().unwrap(), operation }.encode()
}

#[test]
fn an_announce_request_is_a_header_with_lifetime_0() {
    #[rustfmt::skip]
    let expected = [
        0x02, 0x00, 0x00, 0x00, // version 2, R 0, opcode 0, reserved
        0x00, 0x00, 0x00, 0x00, // lifetime
        0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, // client ::ffff:192.168.1.10
        0x00, 0x00, 0xff, 0xff, 0xc0, 0xa8, 0x01, 0x0a,
    ];
    assert_eq!(encode("192.168.1.10", RequestOperation::Announce), expected);
}

#[rustfmt::skip]
const MAP_REQUEST: [u8; 60] = [
    0x02, 0x01, 0x00, 0x00, // version 2, R 0, opcode 1, reserved
    0x00, 0x00, 0x1c, 0x20, // 7200 s
    0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, // client ::ffff:192.168.1.10
    0x00, 0x00, 0xff, 0xff, 0xc0, 0xa8, 0x01, 0x0a,
    0xa0, 0xa1, 0xa2, 0xa3, 0xa4, 0xa5, 0xa6, 0xa7, 0xa8, 0xa9, 0xaa, 0xab, // nonce
    0x11, 0x00, 0x00, 0x00, // UDP (17), reserved
    0xea, 0x61, 0xea, 0x62, // internal 60001, suggested 60002
    0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, // any IPv4: ::ffff:0.0.0.0
    0x00, 0x00, 0xff, 0xff, 0x00, 0x00, 0x00, 0x00,
];

#[test]
fn a_map_request_has_the_layout_of_section_11_1() {
    assert_eq!(encode("192.168.1.10", RequestOperation::Map(map())), MAP_REQUEST);
}

#[test]
fn prefer_failure_is_an_option_without_content() {
    let map = Map { prefer_failure: true, ..map() };
    let expected = [&MAP_REQUEST[..], &[0x02, 0x00, 0x00, 0x00]].concat();
    assert_eq!(encode("192.168.1.10", RequestOperation::Map(map)), expected);
}

#[test]
fn a_suggested_address_and_tcp_stand_in_their_fields() {
    let external_address = Some(Ipv4Addr::new(203, 0, 113, 7).into());
    let map = Map { transport: Transport::Tcp, external_address, ..map() };
    let mut expected = MAP_REQUEST;
    expected[36] = 6;
    expected[56..].copy_from_slice(&[203, 0, 113, 7]);
    assert_eq!(encode("192.168.1.10", RequestOperation::Map(map)), expected);
}

#[test]
fn quirk_77_ipv6_addresses_are_plain() {
    let packet = encode("2001:db8::10", RequestOperation::Map(map()));
    let client = [0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10];
    assert_eq!(packet[8..24], client);
    assert_eq!(packet[44..60], [0; 16], "any IPv6 is ::");
}

#[rustfmt::skip]
const ANNOUNCEMENT: [u8; 24] = [
    0x02, 0x80, 0x00, 0x00, // version 2, R 1, opcode 0, reserved, success
    0x00, 0x00, 0x00, 0x00, // lifetime
    0x00, 0x00, 0x00, 0x2a, // up for 42 s
    0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, // reserved
];

#[rustfmt::skip]
const MAP_RESPONSE: [u8; 60] = [
    0x02, 0x81, 0x00, 0x00, // version 2, R 1, opcode 1, reserved, success
    0x00, 0x00, 0x0e, 0x10, // 3600 s
    0x00, 0x01, 0x51, 0x80, // up for 86400 s
    0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, // reserved
    0xa0, 0xa1, 0xa2, 0xa3, 0xa4, 0xa5, 0xa6, 0xa7, 0xa8, 0xa9, 0xaa, 0xab, // nonce
    0x11, 0x00, 0x00, 0x00, // UDP, reserved
    0xea, 0x61, 0xea, 0x63, // internal 60001, assigned 60003
    0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, // ::ffff:203.0.113.7
    0x00, 0x00, 0xff, 0xff, 0xcb, 0x00, 0x71, 0x07,
];

#[test]
fn an_announcement_is_read_by_the_layout_of_section_7_2() {
    let expected = Response::Current {
        result: ResultCode::Success,
        lifetime_seconds: 0,
        epoch_seconds: 42,
        operation: ResponseOperation::Announce,
    };
    assert_eq!(Response::parse(&ANNOUNCEMENT), Ok(expected));
}

#[test]
fn a_map_response_is_read_by_the_layout_of_section_11_1() {
    let expected = Response::Current {
        result: ResultCode::Success,
        lifetime_seconds: 3600,
        epoch_seconds: 86400,
        operation: ResponseOperation::Map {
            nonce: NONCE,
            transport: Transport::Udp,
            internal_port: 60001,
            external_port: 60003,
            external_address: Ipv4Addr::new(203, 0, 113, 7).into(),
        },
    };
    assert_eq!(Response::parse(&MAP_RESPONSE), Ok(expected));
}

#[test]
fn quirk_77_a_pinhole_is_read_with_its_ipv6_address() {
    let mut response = MAP_RESPONSE;
    let address: Ipv6Addr = "2001:db8::10".parse().unwrap();
    response[44..].copy_from_slice(&address.octets());
    let Ok(Response::Current { operation: ResponseOperation::Map { external_address, .. }, .. }) =
        Response::parse(&response)
    else {
        panic!("not read");
    };
    assert_eq!(external_address, IpAddr::V6(address));
}

#[test]
fn every_result_code_has_its_name() {
    use ResultCode::*;
    let names = [
        Success,
        UnsupportedVersion,
        NotAuthorized,
        MalformedRequest,
        UnsupportedOpcode,
        UnsupportedOption,
        MalformedOption,
        NetworkFailure,
        NoResources,
        UnsupportedProtocol,
        UserExceededQuota,
        CannotProvideExternal,
        AddressMismatch,
        ExcessiveRemotePeers,
        Unknown(14),
    ];
    for (code, name) in (0..).zip(names) {
        let mut response = ANNOUNCEMENT;
        response[3] = code;
        let Ok(Response::Current { result, .. }) = Response::parse(&response) else {
            panic!("code {code} was not read");
        };
        assert_eq!(result, name);
    }
}

#[test]
fn quirk_62_a_nat_pmp_gateway_is_known_by_both_forms_of_its_refusal() {
    let expected = Ok(Response::VersionUnsupported { supported: 0 });
    // RFC 6886 §3.5: opcode 0.
    assert_eq!(Response::parse(&[0, 0, 0, 1, 0, 0, 0, 9]), expected);
    // miniupnpd 2.3.1 without PCP: the opcode of the request, with the response bit.
    assert_eq!(Response::parse(&[0, 0x81, 0, 1, 0, 0, 0, 9]), expected);
}

#[test]
fn a_nat_pmp_answer_to_somebody_else_is_no_pcp_response() {
    assert_eq!(Response::parse(&[0, 0x80, 0, 0, 0, 0, 0, 9, 203, 0, 113, 7]), Err(ParseError::Version(0)));
    assert_eq!(Response::parse(&[0, 0x80, 1, 1, 0, 0, 0, 9]), Err(ParseError::Version(0)));
}

#[test]
fn a_gateway_of_another_version_names_it() {
    let mut response = ANNOUNCEMENT;
    response[0] = 3;
    assert_eq!(Response::parse(&response), Err(ParseError::Version(3)));
    response[3] = 1;
    assert_eq!(Response::parse(&response), Ok(Response::VersionUnsupported { supported: 3 }));
}

#[test]
fn every_truncation_is_refused() {
    for response in [&ANNOUNCEMENT[..], &MAP_RESPONSE[..]] {
        for length in 0..response.len() {
            assert!(Response::parse(&response[..length]).is_err(), "{length}");
        }
    }
}

#[test]
fn a_response_has_at_most_1100_bytes_and_a_multiple_of_4() {
    let padded = |length: usize| {
        let mut response = MAP_RESPONSE.to_vec();
        response.resize(length, 0xff);
        Response::parse(&response)
    };
    assert_eq!(padded(1100), Response::parse(&MAP_RESPONSE), "options change the response");
    assert_eq!(padded(1104), Err(ParseError::Length(1104)));
    assert_eq!(padded(62), Err(ParseError::Length(62)));
}

#[test]
fn requests_and_unknown_protocols_are_no_responses() {
    assert_eq!(Response::parse(&MAP_REQUEST), Err(ParseError::Opcode(1)));
    assert_eq!(Response::parse(&[3, 0, 0, 1]), Err(ParseError::Version(3)));
    let mut response = MAP_RESPONSE;
    response[36] = 132;
    assert_eq!(Response::parse(&response), Err(ParseError::Protocol(132)));
    response[1] = 0x82;
    assert_eq!(Response::parse(&response), Err(ParseError::Opcode(0x82)));
}

#[test]
fn a_nonce_is_not_shown() {
    assert_eq!(format!("{NONCE:?}"), "Nonce(..)");
}

#[test]
fn mutated_responses_never_panic() {
    let mut read = 0;
    crate::control_port::mutation::each(&[&ANNOUNCEMENT, &MAP_RESPONSE], 50_000, |bytes| {
        read += usize::from(Response::parse(bytes).is_ok());
    });
    assert!((1_000..49_000).contains(&read), "{read} of 50000 read: the mutations miss one side");
}
