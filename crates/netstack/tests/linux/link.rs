//! A link between the stack and the TAP interface that treats frames badly, from a seed.

use bytes::BytesMut;
use netstack::proto::icmp::v6::write_checksum;
use netstack::proto::link::ethernet::MacAddr;
use netstack::{FrameDevice, Received};
use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, Write};
use std::net::Ipv6Addr;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::{SystemTime, UNIX_EPOCH};

use crate::tap::TapDevice;

/// Octets of an Ethernet header.
const ETHERNET: usize = 14;

/// Whose frame it is.
#[derive(Clone, Copy, Debug)]
enum Sender {
    Kernel = 0,
    Stack = 1,
}

/// What happens to frames, in each direction alike.
#[derive(Clone, Debug)]
pub(crate) struct Conditions {
    pub(crate) mtu: usize,
    /// Per mille of frames lost.
    pub(crate) loss: u32,
    /// Per mille of frames that come twice.
    pub(crate) duplication: u32,
    /// Per mille of frames that come after the next few.
    pub(crate) reordering: u32,
    /// Per mille of IP packets in which one bit changes.
    pub(crate) corruption: u32,
    pub(crate) seed: u64,
    /// The name of the capture, if there is to be one.
    pub(crate) capture: Option<&'static str>,
    /// IPv6 is spoken too, with fd00::2 and the kernel's fd00::1.
    pub(crate) ipv6: bool,
}

impl Default for Conditions {
    fn default() -> Self {
        Self {
            mtu: 1500,
            loss: 0,
            duplication: 0,
            reordering: 0,
            corruption: 0,
            seed: 1,
            capture: None,
            ipv6: false,
        }
    }
}

/// What the scenario sees and does of the link while it runs.
#[derive(Clone, Default)]
pub(crate) struct Control(Arc<Mutex<Shared>>);

#[derive(Default)]
struct Shared {
    cut: bool,
    crossing: bool,
    path: Option<Path>,
    waiting: usize,
    last: Option<Passed>,
    longest: [u32; 2],
    lost: u64,
}

/// A hop on the path that takes less than the link.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Path {
    /// Octets of the longest IP packet that passes.
    pub(crate) mtu: usize,
    /// Whether the router tells the sender (RFC 1191, RFC 8201), or drops silently.
    pub(crate) tells: bool,
}

/// The last TCP segment that passed from the stack to the kernel.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Passed {
    pub(crate) source_port: u16,
    pub(crate) destination_port: u16,
    pub(crate) sequence: u32,
    pub(crate) acknowledgment: u32,
    pub(crate) payload: u32,
}

impl Control {
    /// Cuts the link, or joins it again.
    pub(crate) fn cut(&self, cut: bool) {
        self.0.lock().expect("no panic").cut = cut;
    }

    /// From now on the stack's frames wait, until the kernel's next SYN or FIN has reached the
    /// stack: so it crosses the stack's own.
    pub(crate) fn cross(&self) {
        self.0.lock().expect("no panic").crossing = true;
    }

    /// The stack's frames that wait for a crossing.
    pub(crate) fn waiting(&self) -> usize {
        self.0.lock().expect("no panic").waiting
    }

    /// Narrows the path from now on, and measures anew what passes.
    pub(crate) fn narrow(&self, path: Path) {
        let mut shared = self.0.lock().expect("no panic");
        shared.path = Some(path);
        shared.longest = [0; 2];
    }

    /// The longest IP packets that passed, from the kernel and from the stack.
    pub(crate) fn longest(&self) -> [u32; 2] {
        self.0.lock().expect("no panic").longest
    }

    pub(crate) fn last(&self) -> Option<Passed> {
        self.0.lock().expect("no panic").last
    }

    pub(crate) fn lost(&self) -> u64 {
        self.0.lock().expect("no panic").lost
    }
}

/// Frames of one direction.
#[derive(Default)]
struct Lane {
    /// Frames that are to pass now.
    ready: VecDeque<Vec<u8>>,
    /// A frame that waits until so many others have passed.
    held: Option<(Vec<u8>, u32)>,
}

/// The link as the stack's device.
pub(crate) struct Link {
    tap: TapDevice,
    conditions: Conditions,
    random: u64,
    inward: Lane,
    /// The stack's frames that wait for a crossing.
    waiting: Vec<Vec<u8>>,
    control: Control,
    capture: Option<Capture>,
}

impl Link {
    pub(crate) fn new(tap: TapDevice, conditions: Conditions, control: Control) -> Self {
        let capture = conditions.capture.map(Capture::create);
        Self {
            tap,
            random: conditions.seed,
            conditions,
            inward: Lane::default(),
            waiting: Vec::new(),
            control,
            capture,
        }
    }

    fn chance(&mut self, per_mille: u32) -> bool {
        self.random = self
            .random
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        (self.random >> 33) % 1000 < u64::from(per_mille)
    }

    /// Sends `frame` through the bad weather: what comes out is put into `lane`.
    fn pass(&mut self, frame: &[u8], mut lane: Lane) -> Lane {
        if self.chance(self.conditions.loss) || self.control.0.lock().expect("no panic").cut {
            self.control.0.lock().expect("no panic").lost += 1;
            return lane;
        }
        if lane.held.is_none() && self.chance(self.conditions.reordering) {
            lane.held = Some((frame.to_vec(), 3));
            return lane;
        }
        let mut changed = frame.to_vec();
        if is_ip(frame) && self.chance(self.conditions.corruption) {
            let bit = (self.random >> 33) as usize % (8 * (frame.len() - ETHERNET));
            changed[ETHERNET + bit / 8] ^= 1 << (bit % 8);
        }
        lane.ready.push_back(changed);
        if self.chance(self.conditions.duplication) {
            lane.ready.push_back(frame.to_vec());
        }
        if let Some((frame, left)) = lane.held.take() {
            match left {
                0 => lane.ready.push_back(frame),
                left => lane.held = Some((frame, left - 1)),
            }
        }
        lane
    }

    fn is_fair(&self) -> bool {
        let Conditions {
            loss,
            duplication,
            reordering,
            corruption,
            ..
        } = self.conditions;
        loss + duplication + reordering + corruption == 0
    }

    /// Whether a frame fits the path. One that does not is dropped, and `from`, which sent it, is
    /// told if the router tells.
    fn fits(&mut self, frame: &[u8], from: Sender) -> io::Result<bool> {
        let mut shared = self.control.0.lock().expect("no panic");
        let Some(ip) = frame.get(ETHERNET..).filter(|_| is_ip(frame)) else {
            return Ok(true);
        };
        let (len, dont_fragment) = (ip.len(), is_v6(frame) || ip[6] & 0x40 != 0);
        match shared.path {
            Some(Path { mtu, tells }) if len > mtu && dont_fragment => {
                drop(shared);
                if tells {
                    let told = match is_v6(frame) {
                        true => packet_too_big(frame, mtu),
                        false => fragmentation_needed(frame, mtu),
                    };
                    match from {
                        Sender::Kernel => {
                            self.record(&told);
                            self.tap.write(&told)?;
                        }
                        Sender::Stack => self.inward.ready.push_back(told),
                    }
                }
                Ok(false)
            }
            _ => {
                let longest = &mut shared.longest[from as usize];
                *longest = (*longest).max(len as u32);
                Ok(true)
            }
        }
    }

    /// Ends the wait for a crossing if `frame`, of the kernel, is what was waited for: what waits
    /// leaves before the stack's next frame.
    fn meet(&mut self, frame: &[u8]) {
        let mut shared = self.control.0.lock().expect("no panic");
        if shared.crossing && starts_or_ends(frame) {
            shared.crossing = false;
        }
    }

    fn record(&mut self, frame: &[u8]) {
        if let Some(capture) = &mut self.capture {
            capture.write(frame);
        }
    }
}

impl FrameDevice for Link {
    fn mtu(&self) -> usize {
        self.conditions.mtu
    }

    fn mac(&self) -> MacAddr {
        self.tap.mac()
    }

    fn try_read(&mut self, buffer: &mut BytesMut) -> io::Result<Option<Received>> {
        loop {
            if let Some(frame) = self.inward.ready.pop_front() {
                self.record(&frame);
                self.meet(&frame);
                buffer[..frame.len()].copy_from_slice(&frame);
                return Ok(Some(Received::unchecked(frame.len())));
            }
            let Some(received) = self.tap.try_read(buffer)? else {
                // Nothing follows: what was held back comes now.
                match self.inward.held.take() {
                    Some((frame, _)) => self.inward.ready.push_back(frame),
                    None => return Ok(None),
                }
                continue;
            };
            let frame = &buffer[received.frame];
            if !self.fits(frame, Sender::Kernel)? {
                continue;
            }
            let lane = std::mem::take(&mut self.inward);
            self.inward = self.pass(frame, lane);
        }
    }

    fn write(&mut self, frame: &[u8]) -> io::Result<()> {
        self.record(frame);
        if let Some(passed) = Passed::parse(frame) {
            self.control.0.lock().expect("no panic").last = Some(passed);
        }
        if !self.fits(frame, Sender::Stack)? {
            return Ok(());
        }
        let (crossing, cut) = {
            let mut shared = self.control.0.lock().expect("no panic");
            // What is said of groups and neighbours meanwhile passes.
            let crossing = shared.crossing && Passed::parse(frame).is_some();
            shared.waiting = self.waiting.len() + usize::from(crossing);
            (crossing, shared.cut)
        };
        if crossing {
            self.waiting.push(frame.to_vec());
            return Ok(());
        }
        if !self.control.0.lock().expect("no panic").crossing {
            for waiting in std::mem::take(&mut self.waiting) {
                self.tap.write(&waiting)?;
            }
        }
        if self.is_fair() && !cut {
            return self.tap.write(frame);
        }
        // Nothing is held back outwards: the kernel's frames are reordered instead.
        let reordering = std::mem::take(&mut self.conditions.reordering);
        let lane = self.pass(frame, Lane::default());
        self.conditions.reordering = reordering;
        lane.ready
            .iter()
            .try_for_each(|frame| self.tap.write(frame))
    }

    fn poll_readable(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.inward.ready.is_empty() && self.inward.held.is_none() {
            return self.tap.poll_readable(context);
        }
        Poll::Ready(Ok(()))
    }
}

fn is_v6(frame: &[u8]) -> bool {
    frame[12..14] == [0x86, 0xdd]
}

fn is_ip(frame: &[u8]) -> bool {
    is_v6(frame) || frame[12..14] == [8, 0]
}

/// Whether a frame holds a TCP segment with SYN or FIN.
fn starts_or_ends(frame: &[u8]) -> bool {
    etherparse::PacketHeaders::from_ethernet_slice(frame)
        .ok()
        .and_then(|headers| headers.transport?.tcp())
        .is_some_and(|tcp| tcp.syn || tcp.fin)
}

/// The frame by which a router tells the sender of `frame` that the next hop takes no more than
/// `mtu` octets (RFC 1191 §4).
fn fragmentation_needed(frame: &[u8], mtu: usize) -> Vec<u8> {
    const ROUTER: [u8; 4] = [10, 0, 0, 254];
    // RFC 792: the header and eight octets more.
    let original = &frame[ETHERNET..frame.len().min(ETHERNET + 28)];
    let header = etherparse::icmpv4::DestUnreachableHeader::FragmentationNeeded {
        next_hop_mtu: mtu as u16,
    };
    let sender: [u8; 4] = original[12..16].try_into().expect("four octets");
    let icmp = etherparse::Icmpv4Type::DestinationUnreachable(header);
    let icmp = etherparse::Icmpv4Header::with_checksum(icmp, original).to_bytes();
    let len = (icmp.len() + original.len()) as u16;
    let protocol = etherparse::IpNumber::ICMP;
    let ip = etherparse::Ipv4Header::new(len, 64, protocol, ROUTER, sender);
    let mut ip = ip.expect("a header");
    ip.header_checksum = ip.calc_header_checksum();
    let ethernet = [&frame[6..12], &frame[..6], &[8, 0]].concat();
    [&ethernet, &ip.to_bytes()[..], &icmp, original].concat()
}

/// The same of IPv6 (RFC 4443 §3.2).
fn packet_too_big(frame: &[u8], mtu: usize) -> Vec<u8> {
    let router = Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, 0xfe);
    // The header and eight octets more: of a longer part tshark would look at the checksum as if it were the whole.
    let original = &frame[ETHERNET..frame.len().min(ETHERNET + 48)];
    let sender: [u8; 16] = original[8..24].try_into().expect("sixteen octets");
    let mut icmp = [&[2, 0, 0, 0], &(mtu as u32).to_be_bytes(), original].concat();
    write_checksum(router, sender.into(), &mut icmp);
    let ip = etherparse::Ipv6Header {
        payload_length: icmp.len() as u16,
        next_header: etherparse::IpNumber::IPV6_ICMP,
        hop_limit: 64,
        source: router.octets(),
        destination: sender,
        ..Default::default()
    };
    let ethernet = [&frame[6..12], &frame[..6], &[0x86, 0xdd]].concat();
    [&ethernet, &ip.to_bytes()[..], &icmp].concat()
}

impl Passed {
    fn parse(frame: &[u8]) -> Option<Self> {
        let headers = etherparse::PacketHeaders::from_ethernet_slice(frame).ok()?;
        let tcp = headers.transport?.tcp()?;
        Some(Self {
            source_port: tcp.source_port,
            destination_port: tcp.destination_port,
            sequence: tcp.sequence_number,
            acknowledgment: tcp.acknowledgment_number,
            payload: headers.payload.slice().len() as u32,
        })
    }
}

/// A file of frames in the format of libpcap.
struct Capture {
    file: File,
    left: u32,
}

/// Frames in one capture, at most.
const CAPTURED: u32 = 8_000;

/// Where captures are kept until they are checked.
pub(crate) fn captures() -> std::path::PathBuf {
    let directory = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("captures");
    std::fs::create_dir_all(&directory).expect("a directory for captures");
    directory
}

impl Capture {
    fn create(name: &str) -> Self {
        let path = captures().join(name).with_extension("pcap");
        let mut file = File::create(path).expect("a capture file");
        // Magic number, version 2.4, time zone, accuracy, longest frame, Ethernet.
        let words: [u32; 6] = [0xa1b2_c3d4, 2 | 4 << 16, 0, 0, 65_535, 1];
        for word in words {
            file.write_all(&word.to_le_bytes())
                .expect("a capture's header");
        }
        Self {
            file,
            left: CAPTURED,
        }
    }

    fn write(&mut self, frame: &[u8]) {
        if self.left == 0 {
            return;
        }
        self.left -= 1;
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .expect("after 1970");
        let len = frame.len() as u32;
        let header = [now.as_secs() as u32, now.subsec_micros(), len, len];
        let record = [header.map(u32::to_le_bytes).as_flattened(), frame].concat();
        // Unbuffered: a stack whose tasks never end is never dropped.
        self.file.write_all(&record).expect("a captured frame");
    }
}
