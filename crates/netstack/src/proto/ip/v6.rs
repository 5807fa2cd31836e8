//! IPv6: the identifiers of our addresses, and what routers say of name servers.

pub mod identifier;
pub mod name_servers;
