//! What can happen to an answer.

use std::time::Duration;

use fake_gateway::{Effect, MessageKind};

fn entry(client: &str, port: u16, description: &str) -> Effect {
    let body = format!(
        "<s:Envelope><s:Body><u:GetSpecificPortMappingEntryResponse><NewInternalPort>{port}</NewInternalPort>\
         <NewInternalClient>{client}</NewInternalClient><NewEnabled>1</NewEnabled>\
         <NewPortMappingDescription>{description}</NewPortMappingDescription>\
         <NewLeaseDuration>600</NewLeaseDuration></u:GetSpecificPortMappingEntryResponse></s:Body></s:Envelope>"
    );
    Effect::Body(body.into_bytes())
}

/// Whoever has done what it was told says that it has failed. (Who says so with a code that is about the port, which
/// sends us to another one, is not told from one that has refused: each conflict would cost one more question.)
fn failure(code: &str) -> Effect {
    let body = format!(
        "<s:Envelope><s:Body><s:Fault><detail><UPnPError><errorCode>{code}</errorCode></UPnPError></detail>\
         </s:Fault></s:Body></s:Envelope>"
    );
    Effect::Body(body.into_bytes())
}

const SECOND: Duration = Duration::from_secs(1);

/// What can happen to the answer to an action.
pub(super) fn effects_on_actions() -> Vec<Vec<Effect>> {
    let refused = [401, 402, 501, 600, 606, 713, 714, 715, 716, 718, 724, 725, 726, 727, 728, 729, 899];
    let done = [
        vec![Effect::LoseReply],
        vec![Effect::Delay(SECOND)],
        vec![Effect::Delay(3 * SECOND)],
        vec![Effect::Delay(5 * SECOND)],
        vec![Effect::Drip(SECOND / 10)],
        vec![Effect::Truncate(0)],
        vec![Effect::Truncate(40)],
        vec![Effect::Truncate(200)],
        vec![Effect::Truncate(0), Effect::Reset],
        vec![Effect::Truncate(100), Effect::Reset],
        vec![Effect::Reset],
        vec![Effect::HoldOpen],
        vec![Effect::Garbage { seed: 1, bytes: 300 }],
        vec![Effect::Oversize(1_000_000)],
        vec![Effect::NoContentLength],
        vec![Effect::ContentLengthOffBy(10)],
        vec![Effect::ContentLengthOffBy(-40)],
        vec![Effect::Status(404), Effect::Body(Vec::new())],
        vec![Effect::Status(500), Effect::Body(Vec::new())],
        vec![Effect::Status(200), Effect::Body(Vec::new())],
        vec![Effect::Status(500), failure("501")],
        vec![Effect::Status(500), failure("600")],
        vec![Effect::Status(500), failure("899")],
        vec![Effect::Status(500), failure("-911")],
        vec![Effect::Status(200), entry("192.168.1.10", 60001, "UPnP")],
        vec![Effect::Status(200), entry("192.168.1.77", 60001, "moshpunch alice@server 1a2b3c4d")],
        vec![Effect::Status(200), entry("192.168.1.10", 7, "moshpunch alice@server 1a2b3c4d")],
        vec![Effect::Status(200), entry("192.168.1.10", 60001, "moshpunch bob@other 99999999")],
        vec![Effect::Status(200), entry("server.lan", 60001, "")],
        vec![Effect::Status(200), entry("192.168.001.010", 60001, "")],
        vec![Effect::Status(200), entry("", 0, "")],
        vec![Effect::Status(200), entry("0.0.0.0", 0, "")],
    ];
    let refused = refused.map(|code| vec![Effect::ErrorCode(code)]);
    [vec![Effect::Silence]].into_iter().chain(refused).chain(done).collect()
}

pub(super) fn effects_on_datagrams(kind: MessageKind) -> Vec<Vec<Effect>> {
    let elsewhere = |text: &str| Effect::ReplyFrom(text.parse().unwrap());
    let mut effects = vec![
        Effect::Silence,
        Effect::LoseReply,
        Effect::Delay(SECOND / 3),
        Effect::Delay(SECOND),
        Effect::Delay(3 * SECOND),
        Effect::Delay(7 * SECOND),
        Effect::Truncate(0),
        Effect::Truncate(7),
        Effect::Truncate(15),
        Effect::Truncate(30),
        Effect::Oversize(2_000),
        Effect::Garbage { seed: 1, bytes: 60 },
        Effect::Garbage { seed: 2, bytes: 16 },
        elsewhere("192.168.1.2:5351"),
        elsewhere("192.168.1.1:5352"),
        Effect::Duplicate,
        Effect::Epoch(0),
        Effect::Lifetime(0),
        Effect::Lifetime(1),
        Effect::InternalPort(7),
        Effect::ExternalPort(7),
        Effect::ExternalPort(60005),
        Effect::ExternalPort(0),
    ];
    effects.extend((1..=13).chain([99]).map(Effect::ResultCode));
    effects.extend([0, 1, 2, 3].map(|version| Effect::SpeakOnly { version }));
    if kind == MessageKind::Pcp {
        effects.push(Effect::WrongNonce);
    }
    effects.into_iter().map(|effect| vec![effect]).collect()
}

pub(super) fn effects(kind: MessageKind) -> Vec<Vec<Effect>> {
    match kind {
        MessageKind::Soap => effects_on_actions(),
        kind => effects_on_datagrams(kind),
    }
}

pub(super) fn in_words(effects: &[Effect]) -> String {
    let words = effects.iter().map(|effect| match effect {
        Effect::Body(body) => format!("Body({})", String::from_utf8_lossy(body)),
        effect => format!("{effect:?}"),
    });
    words.collect::<Vec<_>>().join(", ")
}
