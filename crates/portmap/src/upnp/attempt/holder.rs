//! Whose an entry of the router's table is.

/// Whether an entry with this description in the router's table may be the one that was added as `ours`.
///
/// Routers cut descriptions, leave them out, or put a word before them. Another session's is another's, even
/// with our address: a second NAT makes two hosts look like one (ARCHITECTURE, invariant 2).
#[must_use]
pub fn is_named(description: &str, ours: &str) -> bool {
    let description = description.trim();
    ours.starts_with(description) || description.contains(ours)
}
