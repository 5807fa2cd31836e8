//! A segment as it is on the wire: header, options, sequence numbers.

pub(crate) mod ip;
pub(crate) mod options;
pub(crate) mod segment;
pub(crate) mod seq;
