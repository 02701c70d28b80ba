//! Openers from mosh-server's own socket, so that the NATs and firewalls of this side let the laptop's datagrams in.

mod openers;

pub(crate) use self::openers::Openers;
