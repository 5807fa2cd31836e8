//! SEGMENT ARRIVES (RFC 9293 §3.10.7), in the RFC's own order: no connection and LISTEN
//! ([`listen`]), SYN-SENT ([`syn_sent`]), all others ([`synchronized`], with the text of a segment in
//! [`text`]), and TIME-WAIT ([`time_wait`]).

mod listen;
mod syn_sent;
mod synchronized;
mod text;
mod time_wait;

pub(super) use time_wait::TimeWaits;
