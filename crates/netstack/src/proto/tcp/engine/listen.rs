//! RFC 9293 §3.10.7.1 and §3.10.7.2: no connection, and LISTEN.

use crate::proto::Instant;
use crate::proto::ip::header_len;
use crate::proto::ip::v4::DEFAULT_TTL;
use crate::proto::tcp::api::{ListenerId, State};
use crate::proto::tcp::connection::reset;
use crate::proto::tcp::connection::{Owner, Tcb};
use crate::proto::tcp::defence::syn_cookies;
use crate::proto::tcp::engine::Tcp;
use crate::proto::tcp::receive;
use crate::proto::tcp::wire::options::{TcpOptions, Timestamps, default_mss, timestamp};
use crate::proto::tcp::wire::segment::{Flags, Header, Segment};
use crate::proto::tcp::wire::seq::Seq;

/// How long after a backlog was full an acknowledgement may bring a cookie back.
const COOKIE_SECONDS: u64 = 128;

impl Tcp {
    /// A segment arrives that belongs to no connection. `above` is a number that the initial
    /// sequence number must exceed (RFC 6191 §2). Returns whether it is a SYN that is answered.
    pub(super) fn arrives_listen(
        &mut self,
        now: Instant,
        segment: Segment,
        above: Option<Seq>,
    ) -> bool {
        let Some(listener) = self.listeners.find(segment.tuple.local) else {
            reset::refuse(now, &mut self.shared, &segment);
            return false;
        };
        // First, RST: ignored.
        if segment.flags.has(Flags::RST) {
            return false;
        }
        // Second, ACK: nothing was sent that it could acknowledge, unless it was a cookie.
        if segment.flags.has(Flags::ACK) {
            if !self.take_cookie(now, listener, &segment) {
                reset::refuse(now, &mut self.shared, &segment);
            }
            return false;
        }
        // Third, SYN. Fourth, anything else: dropped. A SYN with FIN is nothing that a host sends.
        segment.flags.has(Flags::SYN)
            && !segment.flags.has(Flags::FIN)
            && self.arrives_syn(now, listener, &segment, above)
    }

    /// A SYN for a listener: what is spent first when memory or queues are full. Returns whether it is
    /// answered.
    fn arrives_syn(
        &mut self,
        now: Instant,
        id: ListenerId,
        segment: &Segment,
        above: Option<Seq>,
    ) -> bool {
        let Ok(listener) = self.listeners.get_mut(id) else {
            return false;
        };
        let counters = &mut self.shared.counters;
        if listener.waiting.len() >= listener.backlog {
            counters.listen_overflows += 1;
            counters.listen_drops += 1;
            return false;
        }
        let short = listener.half_open >= listener.backlog;
        // A cookie needs no memory, and who brings it back has shown that it is there: before that no
        // connection goes that makes progress.
        let octets = size_of::<Tcb>() + self.shared.config.application_octets;
        let any = !self.shared.config.syn_cookies;
        if short || !self.find_place(octets, any) {
            if let Ok(listener) = self.listeners.get_mut(id) {
                listener.overflowed = Some(now);
            }
            if self.shared.config.syn_cookies {
                return self.send_cookie(now, segment);
            }
            self.shared.counters.listen_drops += 1;
            return false;
        }
        if let Ok(listener) = self.listeners.get_mut(id) {
            listener.half_open += 1;
        }
        let mut tcb = self.passive(now, id, segment);
        if let Some(above) = above
            && tcb.snd.iss().le(above)
        {
            tcb.snd.set_iss(above + 1);
        }
        tcb.arm_syn(now);
        let index = tcb.id.index;
        self.add(tcb);
        self.shared.counters.passive_opens += 1;
        self.settle(index);
        true
    }

    /// A connection in SYN-RECEIVED from a SYN.
    fn passive(&mut self, now: Instant, listener: ListenerId, syn: &Segment) -> Box<Tcb> {
        let options = match self.listeners.get(listener) {
            Ok(listener) => listener.options.clone(),
            Err(_) => Default::default(),
        };
        let id = self.connections.next_id();
        let mut tcb = Box::new(Tcb::new(
            id,
            syn.tuple,
            Owner::HalfOpen(listener),
            &options,
            now,
            &mut self.shared,
        ));
        tcb.state = State::SynReceived;
        if self.shared.account.pressure() {
            tcb.rcv.begin_small();
        }
        tcb.snd.use_ecn(options.ecn);
        tcb.take_syn(now, syn);
        tcb.negotiate_ecn(syn);
        tcb.snd.set_window(syn, false);
        tcb
    }

    /// Answers a SYN with a cookie, if there is room for another answer.
    fn send_cookie(&mut self, now: Instant, segment: &Segment) -> bool {
        let secrets = &self.shared.secrets;
        let (tuple, options) = (segment.tuple, &segment.options);
        let mss = options
            .mss
            .unwrap_or(default_mss(header_len(tuple.remote.ip())));
        let timestamps = options.timestamps.map(|theirs| Timestamps {
            val: syn_cookies::hide(timestamp(secrets.offsets(&tuple).timestamps, now), options),
            ecr: theirs.val,
        });
        let listener = self.listeners.find(tuple.local);
        let offered = listener.and_then(|id| self.listeners.get(id).ok());
        let offered = offered.map(|listener| &*listener.options);
        let scale = timestamps
            .and(options.window_scale)
            .and(offered)
            .map(receive::offered_wind_shift);
        let header = Header {
            tuple,
            seq: syn_cookies::make(secrets, &tuple, segment.seq, mss, now),
            ack: segment.seq + 1,
            // What the connection will have, as the right edge of a window never moves back.
            wnd: offered.map_or(0, receive::offered_window),
            flags: Flags::SYN.with(Flags::ACK),
            options: TcpOptions {
                mss: Some(self.shared.offered_mss(tuple.remote.ip())),
                window_scale: scale,
                sack_permitted: timestamps.is_some() && options.sack_permitted,
                timestamps,
                ..TcpOptions::default()
            },
        };
        let sent = self
            .shared
            .reply(header, offered.map_or(DEFAULT_TTL, |it| it.ttl));
        self.shared.counters.syn_cookies_sent += u64::from(sent);
        sent
    }

    /// Makes a connection from an acknowledgement that brings a cookie back.
    fn take_cookie(&mut self, now: Instant, id: ListenerId, segment: &Segment) -> bool {
        let Ok(listener) = self.listeners.get_mut(id) else {
            return false;
        };
        let recent = listener
            .overflowed
            .is_some_and(|at| (now - at).as_secs() < COOKIE_SECONDS);
        if !recent || segment.flags.has(Flags::SYN) {
            return false;
        }
        let (cookie, irs) = (segment.ack - 1, segment.seq - 1);
        let secrets = &self.shared.secrets;
        let Some(mss) = syn_cookies::check(secrets, &segment.tuple, irs, cookie, now) else {
            self.shared.counters.syn_cookies_failed += 1;
            return false;
        };
        let queue_full = listener.waiting.len() >= listener.backlog;
        if queue_full || !self.make_room(size_of::<Tcb>() + self.shared.config.application_octets) {
            // Dropped and not refused: the peer will say it again.
            self.shared.counters.listen_overflows += 1;
            return true;
        }
        if let Ok(listener) = self.listeners.get_mut(id) {
            listener.half_open += 1;
        }
        self.shared.counters.syn_cookies_recv += 1;
        let mut syn = segment.clone();
        syn.seq = irs;
        syn.flags = Flags::SYN;
        syn.payload.clear();
        syn.options = syn_cookies::reveal(mss, segment.options.timestamps);
        let mut tcb = self.passive(now, id, &syn);
        // Memory may have become short since the cookie was sent, and the connection begin smaller.
        let offered = self.listeners.get(id).ok();
        let offered = offered.map_or(0, |listener| receive::offered_window(&listener.options));
        tcb.rcv.keep_offered(offered);
        tcb.snd.resume(cookie);
        let index = tcb.id.index;
        self.add(tcb);
        if let Some(tcb) = self.connections.at(index) {
            tcb.arrives_synchronized(now, &mut segment.clone(), &mut self.shared);
        }
        self.settle_at(now, index);
        true
    }
}
