//! Why there is no mapping, as a trouble of the user's.

use portmap::cause::Cause;
use report::Trouble;

pub(crate) fn trouble(cause: &Cause) -> Trouble {
    Trouble { cause: cause.to_string(), cure: cause.cure() }
}
