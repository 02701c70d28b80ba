//! Who answers by which protocol.

use std::fmt::{self, Display, Formatter};
use std::net::IpAddr;
use std::time::Duration;

use portmap::client::{Absence, Refusal};
use portmap::mapper::Protocol;
use portmap::mapper::survey::{Finding, Outcome, Survey};
use portmap::upnp::{Found, FoundConnection};
use report::sanitized;
use serde::Serialize;

use super::super::failure::Failure;
use super::super::place::Place;
use super::{ReachView, protocol_name};

#[derive(Debug, Serialize)]
pub(in super::super) struct SurveyView {
    internal_address: IpAddr,
    /// The one that was asked first; then others that answered.
    gateways: Vec<GatewayView>,
    cause: Option<String>,
    cure: Option<String>,
}

#[derive(Debug, Serialize)]
struct GatewayView {
    address: IpAddr,
    name: Option<String>,
    model: Option<String>,
    external_address: Option<IpAddr>,
    reach: ReachView,
    pcp: Option<AnswerView>,
    nat_pmp: Option<AnswerView>,
    upnp: AnswerView,
    services: Vec<ServiceView>,
}

#[derive(Debug, Clone, Serialize)]
struct AnswerView {
    answers: bool,
    milliseconds: Option<f64>,
    /// For how long the gateway knows its mappings.
    uptime_seconds: Option<u32>,
    /// Why it cannot be used.
    why: Option<String>,
}

#[derive(Debug, Serialize)]
struct ServiceView {
    service_type: String,
    control_url: String,
    connected: Option<bool>,
    external_address: Option<IpAddr>,
    uptime_seconds: Option<u32>,
    milliseconds: Option<f64>,
}

impl SurveyView {
    pub(in super::super) fn new(place: Place, survey: &Survey, failure: Option<&Failure>) -> Self {
        let (findings, found) = (survey.findings(), survey.found());
        Self {
            internal_address: place.internal,
            gateways: gateways(place.gateway, &findings, &found),
            cause: failure.map(|failure| failure.trouble.cause.what.clone()),
            cure: failure.and_then(|failure| failure.trouble.cause.cure.clone()),
        }
    }
}

fn gateways(asked: IpAddr, findings: &[Finding], found: &[Found]) -> Vec<GatewayView> {
    let of = |protocol| findings.iter().find(|finding| finding.protocol == protocol);
    let (here, elsewhere): (Vec<_>, Vec<_>) = found.iter().partition(|found| found.location.host() == asked);
    let mut first = match here.first() {
        Some(found) => GatewayView::of_upnp(found),
        None => GatewayView::silent(asked, elsewhere.is_empty().then(|| of(Protocol::Upnp)).flatten()),
    };
    first.pcp = of(Protocol::Pcp).map(AnswerView::of);
    first.nat_pmp = of(Protocol::NatPmp).map(AnswerView::of);
    let told = of(Protocol::NatPmp).and_then(|finding| match finding.outcome {
        Outcome::Answered { external_address } => external_address,
        Outcome::Pending | Outcome::Refused(_) | Outcome::Absent(_) => None,
    });
    first.learn_address(told);
    let others = here.into_iter().skip(1).chain(elsewhere).map(GatewayView::of_upnp);
    [first].into_iter().chain(others).collect()
}

impl GatewayView {
    fn silent(address: IpAddr, upnp: Option<&Finding>) -> Self {
        Self {
            address,
            name: None,
            model: None,
            external_address: None,
            reach: ReachView::Unknown,
            pcp: None,
            nat_pmp: None,
            upnp: upnp.map_or_else(|| AnswerView::not("no answer from there"), AnswerView::of),
            services: Vec::new(),
        }
    }

    fn of_upnp(found: &Found) -> Self {
        let description = found.description.as_ref();
        let text = |text: Option<&String>| text.map(|text| sanitized(text));
        let model = description.map(|it| [text(it.model_name.as_ref()), text(it.model_number.as_ref())]);
        let model = model.map(|words| words.into_iter().flatten().collect::<Vec<_>>().join(" "));
        let unusable = match (&found.description, found.connections.is_empty()) {
            (None, _) => Some("its description cannot be read"),
            (Some(_), true) => Some("it offers no service that maps ports"),
            (Some(_), false) => None,
        };
        let mut view = Self {
            name: text(description.and_then(|it| it.friendly_name.as_ref())),
            model: model.filter(|model| !model.is_empty()),
            upnp: AnswerView {
                answers: unusable.is_none(),
                milliseconds: Some(milliseconds(found.answered_after)),
                uptime_seconds: None,
                why: unusable.map(str::to_owned),
            },
            services: found.connections.iter().map(ServiceView::of).collect(),
            ..Self::silent(found.location.host(), None)
        };
        view.learn_address(found.connections.iter().find_map(|connection| connection.external_address));
        view
    }

    /// What was told first stays.
    fn learn_address(&mut self, address: Option<IpAddr>) {
        self.external_address = self.external_address.or(address);
        self.reach = ReachView::of(self.external_address);
    }
}

impl AnswerView {
    fn of(finding: &Finding) -> Self {
        let name = protocol_name(finding.protocol);
        let why = match &finding.outcome {
            Outcome::Answered { .. } => None,
            Outcome::Pending => Some("no answer in time".to_owned()),
            Outcome::Refused(refusal) => Some(why_refused(refusal)),
            Outcome::Absent(Absence::NoAnswer) => Some("no answer".to_owned()),
            Outcome::Absent(Absence::Refused) => Some("its port is closed".to_owned()),
            Outcome::Absent(Absence::VersionUnsupported { supported: 0 }) => {
                Some("it speaks the older NAT-PMP only".to_owned())
            }
            Outcome::Absent(Absence::VersionUnsupported { supported }) => {
                Some(format!("it speaks version {supported} of {name} only"))
            }
            Outcome::Absent(Absence::NoService(_)) => Some("it offers no service that maps ports".to_owned()),
        };
        Self {
            answers: why.is_none(),
            milliseconds: finding.after.filter(|_| is_heard(&finding.outcome)).map(milliseconds),
            uptime_seconds: finding.epoch_seconds,
            why,
        }
    }

    fn not(why: &str) -> Self {
        Self { answers: false, milliseconds: None, uptime_seconds: None, why: Some(why.to_owned()) }
    }
}

fn is_heard(outcome: &Outcome) -> bool {
    !matches!(outcome, Outcome::Pending | Outcome::Absent(Absence::NoAnswer))
}

fn why_refused(refusal: &Refusal) -> String {
    match refusal {
        Refusal::NotAuthorized => "it is switched off, or not for this host".into(),
        Refusal::NetworkFailure => "the gateway is not connected".into(),
        Refusal::Unsupported { code } | Refusal::Other { code } => format!("it refuses ({code})"),
        Refusal::AddressMismatch => "a NAT stands between this host and it".into(),
        Refusal::NoResources => "it has no room".into(),
        Refusal::BehindNat { external } => format!("it is itself behind a NAT, as {external}"),
        _ => "it refuses".into(),
    }
}

impl ServiceView {
    fn of(connection: &FoundConnection) -> Self {
        Self {
            service_type: sanitized(&connection.service_type),
            control_url: sanitized(&connection.control_url.to_string()),
            connected: connection.connected,
            external_address: connection.external_address,
            uptime_seconds: connection.uptime_seconds,
            milliseconds: connection.answered_after.map(milliseconds),
        }
    }
}

/// To a tenth.
fn milliseconds(duration: Duration) -> f64 {
    (duration.as_secs_f64() * 10_000.0).round() / 10.0
}

impl Display for SurveyView {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        self.gateways.iter().try_for_each(|gateway| write!(formatter, "{gateway}"))
    }
}

impl Display for GatewayView {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = [&self.name, &self.model].into_iter().flatten().map(String::as_str).collect();
        match names[..] {
            [] => writeln!(formatter, "{}", self.address)?,
            _ => writeln!(formatter, "{}  {}", self.address, names.join(", "))?,
        }
        match self.external_address {
            Some(address) => writeln!(formatter, "  outside  {address} ({})", self.reach.words())?,
            None => writeln!(formatter, "  outside  not told")?,
        }
        let control_port = [("PCP", &self.pcp), ("NAT-PMP", &self.nat_pmp)];
        for (name, answer) in control_port.into_iter().filter_map(|(name, it)| Some((name, it.as_ref()?))) {
            writeln!(formatter, "  {name:7}  {answer}")?;
        }
        writeln!(formatter, "  {:7}  {}", "UPnP", self.upnp)?;
        self.services.iter().try_for_each(|service| writeln!(formatter, "           {service}"))
    }
}

impl Display for AnswerView {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        let mut parts = Vec::new();
        match (&self.why, self.milliseconds) {
            (None, Some(milliseconds)) => parts.push(format!("answers after {milliseconds} ms")),
            (None, None) => parts.push("answers".to_owned()),
            (Some(why), Some(milliseconds)) => parts.push(format!("{why} (said after {milliseconds} ms)")),
            (Some(why), None) => parts.push(why.clone()),
        }
        parts.extend(self.uptime_seconds.map(|seconds| format!("up for {seconds} s")));
        write!(formatter, "{}", parts.join(", "))
    }
}

impl Display for ServiceView {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        let mut parts = vec![match self.connected {
            Some(true) => "connected".to_owned(),
            Some(false) => "not connected".to_owned(),
            None => "does not say whether it is connected".to_owned(),
        }];
        parts.extend(self.external_address.map(|address| format!("outside {address}")));
        parts.extend(self.uptime_seconds.map(|seconds| format!("up for {seconds} s")));
        parts.extend(self.milliseconds.map(|milliseconds| format!("ready after {milliseconds} ms")));
        let service = self.service_type.rsplit_once("service:").map_or(&*self.service_type, |(_, name)| name);
        write!(formatter, "{service} at {}: {}", self.control_url, parts.join(", "))
    }
}

#[cfg(test)]
mod tests;
