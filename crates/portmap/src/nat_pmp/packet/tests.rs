use super::*;

const PORT_60001: NonZeroU16 = NonZeroU16::new(60001).unwrap();

#[test]
fn the_address_request_is_two_zero_bytes() {
    assert_eq!(Request::ExternalAddress.encode(), [0, 0]);
}

#[test]
fn a_map_request_has_the_layout_of_section_3_3() {
    let request = Request::Map {
        transport: Transport::Udp,
        internal_port: PORT_60001,
        external_port: 60002,
        lifetime_seconds: 7200,
    };
    #[rustfmt::skip]
    let expected = [
        0x00, 0x01, 0x00, 0x00, // version 0, map UDP, reserved
        0xea, 0x61, 0xea, 0x62, // internal 60001, suggested 60002
        0x00, 0x00, 0x1c, 0x20, // 7200 s
    ];
    assert_eq!(request.encode(), expected);
}

#[test]
fn tcp_is_opcode_2() {
    let request = Request::Map {
        transport: Transport::Tcp,
        internal_port: PORT_60001,
        external_port: 0,
        lifetime_seconds: 0,
    };
    assert_eq!(request.encode(), [0, 2, 0, 0, 0xea, 0x61, 0, 0, 0, 0, 0, 0]);
}

#[rustfmt::skip]
const ADDRESS_RESPONSE: [u8; 12] = [
    0x00, 0x80, 0x00, 0x00, // version 0, response to 0, success
    0x00, 0x01, 0x51, 0x80, // up for 86400 s
    0xcb, 0x00, 0x71, 0x07, // 203.0.113.7
];

#[rustfmt::skip]
const MAP_RESPONSE: [u8; 16] = [
    0x00, 0x81, 0x00, 0x00, // version 0, response to map UDP, success
    0x00, 0x00, 0x00, 0x2a, // up for 42 s
    0xea, 0x61, 0xea, 0x62, // internal 60001, external 60002
    0x00, 0x00, 0x0e, 0x10, // 3600 s
];

#[test]
fn an_address_response_is_read_by_the_layout_of_section_3_2() {
    let expected = Response::ExternalAddress {
        result: ResultCode::Success,
        epoch_seconds: 86400,
        address: Ipv4Addr::new(203, 0, 113, 7),
    };
    assert_eq!(Response::parse(&ADDRESS_RESPONSE), Ok(expected));
}

#[test]
fn a_map_response_is_read_by_the_layout_of_section_3_3() {
    let expected = Response::Map {
        result: ResultCode::Success,
        epoch_seconds: 42,
        transport: Transport::Udp,
        internal_port: 60001,
        external_port: 60002,
        lifetime_seconds: 3600,
    };
    assert_eq!(Response::parse(&MAP_RESPONSE), Ok(expected));
}

#[test]
fn every_result_code_has_its_name() {
    let names = [
        (0, ResultCode::Success),
        (2, ResultCode::NotAuthorized),
        (3, ResultCode::NetworkFailure),
        (4, ResultCode::OutOfResources),
        (6, ResultCode::Unknown(6)),
        (0x0103, ResultCode::Unknown(0x0103)),
    ];
    for (code, name) in names {
        let mut response = ADDRESS_RESPONSE;
        response[2..4].copy_from_slice(&u16::to_be_bytes(code));
        let Ok(Response::ExternalAddress { result, .. }) = Response::parse(&response) else {
            panic!("code {code} was not read");
        };
        assert_eq!(result, name);
    }
}

#[test]
fn an_unsupported_opcode_is_read_from_the_request_that_came_back() {
    // RFC 6886 §3.5 returns the request, 12 bytes; miniupnpd 2.3.1 returns 8.
    let returned = [0x00, 0x82, 0x00, 0x05, 0xea, 0x61, 0xea, 0x62, 0, 0, 0x1c, 0x20];
    let expected = Response::OpcodeUnsupported(Operation::Map(Transport::Tcp));
    assert_eq!(Response::parse(&returned), Ok(expected));
    assert_eq!(Response::parse(&returned[..8]), Ok(expected));
}

#[test]
fn a_pcp_server_without_nat_pmp_names_its_version() {
    // RFC 6887 §9: a 24-byte PCP header, version 2, UNSUPP_VERSION.
    let mut response = [0u8; 24];
    response[..4].copy_from_slice(&[2, 0x80, 0, 1]);
    assert_eq!(Response::parse(&response), Ok(Response::VersionUnsupported { supported: 2 }));
}

#[test]
fn an_answer_to_a_pcp_request_on_the_same_port_is_no_answer_to_us() {
    // What miniupnpd without PCP says to a PCP ANNOUNCE.
    let response = [0x00, 0x80, 0x00, 0x01, 0, 0, 0, 9];
    assert_eq!(Response::parse(&response), Err(ParseError::ForAnotherVersion));
}

#[test]
fn a_pcp_response_is_no_nat_pmp_response() {
    let mut response = [0u8; 24];
    response[..4].copy_from_slice(&[2, 0x80, 0, 0]);
    assert_eq!(Response::parse(&response), Err(ParseError::Version(2)));
}

#[test]
fn every_truncation_is_refused() {
    for response in [&ADDRESS_RESPONSE[..], &MAP_RESPONSE[..]] {
        for length in 0..response.len() {
            let error = Response::parse(&response[..length]);
            assert!(
                matches!(error, Err(ParseError::TooShort { got, .. }) if got == length),
                "{length}: {error:?}"
            );
        }
    }
}

#[test]
fn bytes_after_the_end_are_ignored_up_to_a_limit() {
    let mut response = MAP_RESPONSE.to_vec();
    response.resize(LONGEST_RESPONSE, 0xff);
    assert_eq!(Response::parse(&response), Response::parse(&MAP_RESPONSE));
    response.push(0);
    assert_eq!(Response::parse(&response), Err(ParseError::TooLong(LONGEST_RESPONSE + 1)));
}

#[test]
fn a_request_is_no_response() {
    assert_eq!(Response::parse(&[0, 1, 0, 0]), Err(ParseError::Opcode(1)));
    assert_eq!(Response::parse(&[0, 0x83, 0, 0]), Err(ParseError::Opcode(0x83)));
    assert_eq!(Response::parse(&[2, 0, 0, 1]), Err(ParseError::Version(2)));
}

#[test]
fn mutated_responses_never_panic() {
    let mut read = 0;
    crate::control_port::mutation::each(&[&ADDRESS_RESPONSE, &MAP_RESPONSE], 50_000, |bytes| {
        read += usize::from(Response::parse(bytes).is_ok());
    });
    assert!((1_000..49_000).contains(&read), "{read} of 50000 read: the mutations miss one side");
}
