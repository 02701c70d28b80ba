//! Loopback networks that no other test uses.

use std::net::Ipv4Addr;
use std::process;
use std::sync::atomic::{AtomicU32, Ordering};

static NEXT: AtomicU32 = AtomicU32::new(0);

/// Far apart for consecutive process numbers (odd, near 2^16 divided by the golden ratio).
const STRIDE: u32 = 40_503;

/// 127.x.y.1, where x.y is different for every call, and for the processes that run beside this one.
pub(crate) fn next_gateway() -> Ipv4Addr {
    let number = process::id().wrapping_mul(STRIDE).wrapping_add(NEXT.fetch_add(1, Ordering::Relaxed));
    let [_, _, second, third] = number.to_be_bytes();
    // 127.0.y.1 is where everybody else is.
    Ipv4Addr::new(127, second.max(1), third, 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_calls_give_two_networks() {
        let (one, other) = (next_gateway(), next_gateway());
        assert_ne!(one, other);
        assert!(one.is_loopback() && one != Ipv4Addr::LOCALHOST);
    }
}
