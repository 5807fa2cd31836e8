//! SEGMENT ARRIVES (RFC 9293 §3.10.7), in the RFC's own order, for a connection: SYN-SENT
//! ([`syn_sent`]), and all other states ([`synchronized`], with the text of a segment in [`text`]).

mod syn_sent;
pub(crate) mod synchronized;
mod text;
