//! TCP clients in great number: each does its handshake, and after that only what its [`Manner`] says.

use std::collections::{HashMap, VecDeque};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use fastrand::Rng;

use super::link::Link;
use super::wire::{ACK, FIN, PSH, RST, Received, SYN, Segment, tcp_options};

/// How far a client has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// Its SYN is not answered yet.
    SynSent,
    /// Its handshake is done, from its point of view.
    Established,
    /// The unikernel has reset it.
    Reset,
}

/// One client: what it must remember (RFC 9293 section 3.3.1).
#[derive(Clone, Debug)]
pub struct Client {
    /// Its address and port.
    pub from: SocketAddr,
    /// How far it has come.
    pub progress: Progress,
    /// SND.NXT; a sender that repeats or leaves gaps keeps its own account.
    pub snd_nxt: u32,
    /// RCV.NXT
    pub rcv_nxt: u32,
}

impl Client {
    /// Takes the data of `segment`, and its FIN, if they are next in order; says whether a FIN was taken.
    pub fn take(&mut self, segment: &Segment<'_>) -> bool {
        if segment.seq != self.rcv_nxt {
            return false;
        }
        let fin = segment.flags & FIN != 0;
        self.rcv_nxt = (self.rcv_nxt)
            .wrapping_add(segment.payload.len() as u32)
            .wrapping_add(u32::from(fin));
        fin
    }
}

/// What a crowd's clients do.
#[derive(Clone, Debug)]
pub struct Manner {
    /// The window in all that they send, unscaled.
    pub window: u16,
    /// The options of their SYN.
    pub options: Vec<u8>,
    /// Data that goes with the last segment of the handshake.
    pub request: Vec<u8>,
    /// Called with each segment that an established client receives, resets aside: whether to answer, and the flags
    /// of the answer, whose numbers are the client's.
    pub answer: fn(&mut Client, &Segment<'_>) -> Option<u8>,
}

impl Default for Manner {
    /// An open window, the usual segment size, and never a word after the handshake.
    fn default() -> Self {
        Self {
            window: u16::MAX,
            options: tcp_options(1460, None),
            request: Vec::new(),
            answer: Self::silent,
        }
    }
}

impl Manner {
    /// An [`Manner::answer`]: none.
    pub fn silent(_: &mut Client, _: &Segment<'_>) -> Option<u8> {
        None
    }

    /// An [`Manner::answer`]: what was expected all along, whatever came.
    pub fn unmoved(_: &mut Client, _: &Segment<'_>) -> Option<u8> {
        Some(ACK)
    }

    /// An [`Manner::answer`]: acknowledges all data that comes in order, and closes when the unikernel does.
    pub fn taking(client: &mut Client, segment: &Segment<'_>) -> Option<u8> {
        if client.take(segment) {
            return Some(ACK | FIN);
        }
        let occupies = !segment.payload.is_empty() || segment.flags & FIN != 0;
        occupies.then_some(ACK)
    }
}

/// Clients of one service.
#[derive(Debug)]
pub struct Crowd {
    to: SocketAddr,
    manner: Manner,
    clients: HashMap<SocketAddr, Client>,
    rng: Rng,
    established: usize,
    resets: usize,
    segments: u64,
    octets: u64,
}

/// Handshakes under way at a time, which a listener's backlog must hold.
const AT_ONCE: usize = 64;

/// Frames that may be taken after the time for it is over: a peer that never stops sending must not keep us.
const WAITING: usize = 4096;

/// After which a SYN is repeated.
const REPEATED: Duration = Duration::from_secs(1);

/// Without a new connection for so long no more are tried.
const PATIENCE: Duration = Duration::from_secs(4);

impl Crowd {
    /// No clients yet, of the service at `to`.
    pub fn new(to: SocketAddr, manner: Manner, seed: u64) -> Self {
        Self {
            to,
            manner,
            clients: HashMap::new(),
            rng: Rng::with_seed(seed),
            established: 0,
            resets: 0,
            segments: 0,
            octets: 0,
        }
    }

    /// How many handshakes were done.
    pub fn established(&self) -> usize {
        self.established
    }

    /// How many clients the unikernel has reset.
    pub fn resets(&self) -> usize {
        self.resets
    }

    /// How many segments with data came, and with how many octets of data altogether.
    pub fn received(&self) -> (u64, u64) {
        (self.segments, self.octets)
    }

    /// The clients that are established still.
    pub fn clients(&self) -> impl Iterator<Item = &Client> {
        self.clients
            .values()
            .filter(|client| client.progress == Progress::Established)
    }

    /// Opens a connection from each address, some at a time, for as long as some succeed and until `deadline`;
    /// returns how many succeeded.
    pub fn open(
        &mut self,
        link: &mut Link,
        addresses: impl IntoIterator<Item = SocketAddr>,
        deadline: Instant,
    ) -> usize {
        let before = self.established;
        let mut addresses = addresses.into_iter().fuse();
        // In the order of their deadlines.
        let mut waiting: VecDeque<(Instant, SocketAddr)> = VecDeque::new();
        let mut progress = (Instant::now(), before);
        loop {
            while waiting.len() < AT_ONCE
                && let Some(from) = addresses.next()
            {
                self.syn(link, from);
                waiting.push_back((Instant::now() + REPEATED, from));
            }
            if waiting.is_empty() {
                return self.established - before;
            }
            self.pump(link, Duration::from_millis(1));
            let now = Instant::now();
            if self.established > progress.1 {
                progress = (now, self.established);
            }
            waiting.retain(|(_, from)| self.clients[from].progress == Progress::SynSent);
            if now > deadline || now > progress.0 + PATIENCE {
                return self.established - before;
            }
            while waiting.front().is_some_and(|(due, _)| *due <= now)
                && let Some((_, from)) = waiting.pop_front()
            {
                self.repeat_syn(link, from);
                waiting.push_back((now + REPEATED, from));
            }
        }
    }

    fn syn(&mut self, link: &mut Link, from: SocketAddr) {
        let client = Client {
            from,
            progress: Progress::SynSent,
            snd_nxt: self.rng.u32(..),
            rcv_nxt: 0,
        };
        self.clients.insert(from, client);
        self.repeat_syn(link, from);
    }

    fn repeat_syn(&mut self, link: &mut Link, from: SocketAddr) {
        link.segment(&Segment {
            from,
            to: self.to,
            seq: self.clients[&from].snd_nxt,
            ack: 0,
            flags: SYN,
            window: self.manner.window,
            options: &self.manner.options,
            payload: &[],
        });
    }

    /// Receives, and answers, for so long, and then up to 4,096 frames that wait.
    pub fn pump(&mut self, link: &mut Link, time: Duration) {
        let deadline = Instant::now() + time;
        let mut late = 0;
        while late < WAITING {
            let left = deadline.saturating_duration_since(Instant::now());
            late += usize::from(left.is_zero());
            match link.receive(left.min(Duration::from_millis(5))) {
                Some(Received::Tcp(segment)) => {
                    if let Some(answer) = self.segment_arrives(&segment) {
                        let request = if answer.with_request {
                            &*self.manner.request
                        } else {
                            &[]
                        };
                        link.segment(&Segment {
                            from: answer.client.from,
                            to: self.to,
                            seq: answer.client.snd_nxt,
                            ack: answer.client.rcv_nxt,
                            flags: answer.flags,
                            window: self.manner.window,
                            options: &[],
                            payload: request,
                        });
                    }
                }
                Some(_) => {}
                None if left.is_zero() => return,
                None => {}
            }
        }
    }

    fn segment_arrives(&mut self, segment: &Segment<'_>) -> Option<Answer> {
        if segment.from != self.to {
            return None;
        }
        let client = self.clients.get_mut(&segment.to)?;
        if segment.flags & RST != 0 {
            self.resets += 1;
            client.progress = Progress::Reset;
            return None;
        }
        let request = self.manner.request.len() as u32;
        if segment.flags & SYN != 0 {
            // A repeated one has not seen our acknowledgement, nor the request.
            let first = client.progress == Progress::SynSent;
            if first {
                client.progress = Progress::Established;
                client.snd_nxt = client.snd_nxt.wrapping_add(1);
                client.rcv_nxt = segment.seq.wrapping_add(1);
                self.established += 1;
            }
            let push = if request > 0 && first { PSH } else { 0 };
            let answer = Answer {
                client: client.clone(),
                flags: ACK | push,
                with_request: first,
            };
            if first {
                client.snd_nxt = client.snd_nxt.wrapping_add(request);
            }
            return Some(answer);
        }
        if client.progress != Progress::Established {
            return None;
        }
        if !segment.payload.is_empty() {
            self.segments += 1;
            self.octets += segment.payload.len() as u64;
        }
        let flags = (self.manner.answer)(client, segment)?;
        let answer = Answer {
            client: client.clone(),
            flags,
            with_request: false,
        };
        client.snd_nxt = client.snd_nxt.wrapping_add(u32::from(flags & FIN != 0));
        Some(answer)
    }

    /// Sends one segment for each established client, made by `segment` from the client's state, receiving in between.
    pub fn each(&mut self, link: &mut Link, segment: impl Fn(&Client) -> (u32, u8, Vec<u8>)) {
        let clients: Vec<Client> = self.clients().cloned().collect();
        for (number, client) in clients.iter().enumerate() {
            let (seq, flags, payload) = segment(client);
            link.segment(&Segment {
                from: client.from,
                to: self.to,
                seq,
                ack: client.rcv_nxt,
                flags,
                window: self.manner.window,
                options: &[],
                payload: &payload,
            });
            if number % 32 == 0 {
                self.pump(link, Duration::ZERO);
            }
        }
        self.pump(link, Duration::ZERO);
    }
}

/// A segment to be sent: the client as it was when it was decided upon.
struct Answer {
    client: Client,
    flags: u8,
    with_request: bool,
}
