//! The UPnP side: searches, the description, and the actions of one WAN connection service.

mod action;
mod description;
mod reply;
mod request;
mod search;
mod wan_connection;

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Instant;

use self::action::{Action, Invocation};
use self::reply::Reply;
pub(crate) use self::request::RawRequest;
use self::request::{Method, Request, Unacceptable};
pub(crate) use self::search::{answer_search, notifications};
use crate::counters::Arrival;
use crate::effect::Effect;
use crate::server::Plan;
use crate::state::State;

pub(crate) const SSDP_GROUP: SocketAddr = SocketAddr::V4(portmap::upnp::ssdp::MULTICAST);

/// UDA 1.1 §3.2.2.
const INVALID_ACTION: u16 = 401;

pub(crate) fn answer_request(state: &mut State, peer: SocketAddr, raw: &RawRequest, now: Instant) -> Plan {
    let answer = raw.parse(&authority(state)).and_then(|request| match request.method {
        Method::Get => answer_get(state, &request.path, now),
        Method::Post => answer_post(state, client(peer), &request, now),
    });
    answer.unwrap_or_else(|unacceptable| {
        let Unacceptable { status, complaint } = unacceptable;
        state.counters.unknown += 1;
        let reply = Reply::html(status, &complaint);
        state.complain(format!("HTTP: {complaint}"));
        reply.plan(&[])
    })
}

/// As a client must write it into `Host`.
fn authority(state: &State) -> String {
    match state.http_port {
        80 => state.address.to_string(),
        port => format!("{}:{port}", state.address),
    }
}

fn client(peer: SocketAddr) -> Ipv4Addr {
    match peer.ip() {
        IpAddr::V4(address) => address,
        IpAddr::V6(address) => address.to_ipv4_mapped().expect("the listener is bound to an IPv4 address"),
    }
}

fn answer_get(state: &mut State, path: &str, now: Instant) -> Result<Plan, Unacceptable> {
    if path != state.settings.description_path {
        return Err(Unacceptable::new(404, format!("GET {path}, which is not the description")));
    }
    let effects = state.meet(&Arrival::Description, now);
    Ok(Reply::xml(200, description::text(state, &effects)).plan(&effects))
}

fn answer_post(
    state: &mut State,
    client: Ipv4Addr,
    request: &Request,
    now: Instant,
) -> Result<Plan, Unacceptable> {
    if !description::takes_actions(state, &request.path) {
        return Err(Unacceptable::new(404, format!("POST {}, which is no control URL", request.path)));
    }
    let Invocation { service_type, name } = request.invocation()?;
    if !description::names(state, service_type) {
        return Err(Unacceptable::new(400, format!("action of a service that is not here: {service_type}")));
    }
    let effects = state.meet(&Arrival::Action(name.to_owned()), now);
    let result = match effects.iter().find(|effect| effect.prevents()) {
        Some(Effect::ErrorCode(code)) => Err(*code),
        Some(_) => Ok(Vec::new()),
        None => match Action::read(service_type, name, &request.body) {
            Ok(action) => wan_connection::perform(state, client, &action, now),
            Err(refused) => {
                state.complain(format!("{name}: {}", refused.complaint));
                Err(refused.code)
            }
        },
    };
    Ok(match result {
        Ok(arguments) => Reply::xml(200, action::response(service_type, name, &arguments)),
        Err(code) => Reply::xml(500, action::fault(code)),
    }
    .plan(&effects))
}
