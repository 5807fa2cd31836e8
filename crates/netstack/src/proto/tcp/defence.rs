//! What keeps those off who guess, flood or ask: initial sequence numbers that cannot be foretold,
//! SYN cookies, and limits for resets and challenges.

pub(crate) mod isn;
pub(crate) mod limits;
pub(crate) mod syn_cookies;
