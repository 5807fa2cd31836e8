//! Offload: a segment of 60,000 bytes is written to one interface and forwarded by the kernel to another.

use std::fs;
use std::io;
use std::os::fd::AsRawFd;

use hostdev::{OFFLOAD_HEADER_LEN, Offload, Tap, TapError};

use crate::{PEER_MAC, checksum, ip, link_address, make, readable};

const SEQUENCE: u32 = 0xffff_f000;
const LENGTH: usize = 60_000;
/// Ethernet's header, and TCP's without options.
const ETHERNET: usize = 14;
const TCP: usize = 20;

/// The IP version that a segment is sent over.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Version {
    V4,
    V6,
}

use Version::{V4, V6};

impl Version {
    fn addresses(self) -> Vec<u8> {
        match self {
            V4 => [[10, 9, 1, 2], [10, 9, 2, 2]].concat(),
            V6 => [1, 2]
                .map(|net| [&[0xfd, 9, 0, net][..], &[0; 11], &[2]].concat())
                .concat(),
        }
    }

    fn ether_type(self) -> [u8; 2] {
        match self {
            V4 => [8, 0],
            V6 => [0x86, 0xdd],
        }
    }

    /// Bytes of the IP header.
    fn header_len(self) -> usize {
        match self {
            V4 => 20,
            V6 => 40,
        }
    }

    /// Where TCP's header begins in a frame, and the payload.
    fn tcp(self) -> usize {
        ETHERNET + self.header_len()
    }

    fn payload(self) -> usize {
        self.tcp() + TCP
    }

    fn mss(self) -> usize {
        1500 - self.header_len() - TCP
    }

    /// The sum of the pseudo-header of a TCP segment of so many bytes, its header included.
    fn pseudo_header(self, length: usize) -> u16 {
        let protocol_and_length = [0, 6, (length >> 8) as u8, length as u8];
        !checksum(&[&self.addresses()[..], &protocol_and_length].concat())
    }

    fn ip_header(self) -> Vec<u8> {
        let mut header = match self {
            V4 => vec![0x45, 0, 0, 0, 0, 0, 0, 0, 64, 6, 0, 0],
            V6 => vec![0x60, 0, 0, 0, 0, 0, 6, 64],
        };
        header.extend(self.addresses());
        let (at, length) = match self {
            V4 => (2, 20 + TCP + LENGTH),
            V6 => (4, TCP + LENGTH),
        };
        header[at..at + 2].copy_from_slice(&(length as u16).to_be_bytes());
        if self == V4 {
            let sum = checksum(&header);
            header[10..12].copy_from_slice(&sum.to_be_bytes());
        }
        header
    }

    /// The segment behind a header that leaves checksum and segmentation to the kernel.
    fn segment(self, to: [u8; 6]) -> Vec<u8> {
        // VIRTIO_NET_HDR_GSO_TCPV4, VIRTIO_NET_HDR_GSO_TCPV6
        let gso_type = match self {
            V4 => 1,
            V6 => 4,
        };
        let header = [
            &[1, gso_type][..], // VIRTIO_NET_HDR_F_NEEDS_CSUM
            &(self.payload() as u16).to_le_bytes(),
            &(self.mss() as u16).to_le_bytes(),
            &(self.tcp() as u16).to_le_bytes(),
            &16_u16.to_le_bytes(),
        ]
        .concat();
        assert_eq!(header.len(), OFFLOAD_HEADER_LEN);
        let mut tcp = [&[0x12, 0x34, 0, 80][..], &SEQUENCE.to_be_bytes(), &[0; 4]].concat();
        tcp.extend([0x50, 0x18, 0xff, 0xff]); // no options; PSH and ACK
        tcp.extend(self.pseudo_header(TCP + LENGTH).to_be_bytes());
        tcp.extend([0, 0]);
        let ethernet = [&to[..], &PEER_MAC, &self.ether_type()].concat();
        [header, ethernet, self.ip_header(), tcp, payload()].concat()
    }

    /// Whether a frame carries TCP over this.
    fn is_of(self, frame: &[u8]) -> bool {
        let protocol = match self {
            V4 => 23,
            V6 => 20,
        };
        frame[12..14] == self.ether_type() && frame[protocol] == 6
    }
}

fn payload() -> Vec<u8> {
    (0..LENGTH).map(|at| (at * 7 + at / 251) as u8).collect()
}

/// Writes the segment to `input` and reads what arrives at `output`; the frames that it arrived in.
fn forward(version: Version, input: &Tap, to: [u8; 6], output: &Tap) -> Vec<Vec<u8>> {
    let segment = version.segment(to);
    let header = output.offload().map_or(0, |_| OFFLOAD_HEADER_LEN);
    let mut frames = Vec::new();
    let mut received = 0;
    let mut tries = 0..600;
    while received < LENGTH {
        if !readable(output, 100) {
            assert!(
                tries.next().is_some(),
                "{version:?}: {received} bytes of {LENGTH}"
            );
            // Until the kernel has noticed that an interface is attached, it drops what is sent there.
            if received == 0 {
                input.write_frame(&segment).unwrap();
            }
            continue;
        }
        let mut frame = vec![0; 70_000];
        let length = output.read_frame(&mut frame).unwrap().expect("readable");
        frame.truncate(length);
        if version.is_of(&frame[header..]) {
            received += length - header - version.payload();
            frames.push(frame);
        }
    }
    // Of a segment that was sent again.
    while readable(output, 200) {
        output.read_frame(&mut [0; 70_000]).unwrap();
    }
    frames
}

/// Frames for one that cuts nothing itself, each behind so many bytes of header: no longer than the MTU allows,
/// complete, and in order.
fn assert_cut(version: Version, frames: &[Vec<u8>], header: usize) {
    assert_eq!(frames.len(), LENGTH.div_ceil(version.mss()), "{version:?}");
    let mut data: Vec<u8> = Vec::new();
    for frame in frames {
        let (header, frame) = frame.split_at(header);
        assert!(frame.len() <= 1514, "{} bytes", frame.len());
        let (ip, tcp) = frame[ETHERNET..].split_at(version.header_len());
        if version == V4 {
            assert_eq!(checksum(ip), 0, "checksum of the IP header");
        }
        if header.is_empty() {
            let sum = [&version.pseudo_header(tcp.len()).to_be_bytes(), tcp].concat();
            assert_eq!(checksum(&sum), 0, "checksum of the segment");
        } else {
            assert_eq!(header[1], 0, "VIRTIO_NET_HDR_GSO_NONE");
        }
        let sequence = SEQUENCE.wrapping_add(data.len() as u32);
        assert_eq!(tcp[4..8], sequence.to_be_bytes());
        data.extend(&tcp[TCP..]);
    }
    assert!(data == payload());
}

/// What arrives with offload: the segment as it was written, apart from what forwarding changes.
fn assert_whole(version: Version, frames: &[Vec<u8>]) {
    let [frame] = frames else {
        panic!("{version:?}: {} frames", frames.len());
    };
    let (header, frame) = frame.split_at(OFFLOAD_HEADER_LEN);
    let sent = version.segment([0; 6]);
    // But for the length of the headers, which is a hint.
    assert_eq!(header[..2], sent[..2]);
    assert_eq!(header[4..], sent[4..OFFLOAD_HEADER_LEN]);
    assert!(frame[version.tcp()..] == sent[OFFLOAD_HEADER_LEN + version.tcp()..]);
}

/// Has the TAP carry headers of 12 bytes, as a hypervisor does, and leaves it so.
fn use_long_headers(name: &str) {
    const TUNSETIFF: libc::Ioctl = 0x4004_54ca;
    const TUNSETVNETHDRSZ: libc::Ioctl = 0x4004_54d8;
    const TUNSETOFFLOAD: libc::Ioctl = 0x4004_54d0;
    let tun = fs::File::options()
        .read(true)
        .write(true)
        .open("/dev/net/tun")
        .unwrap();
    let mut request = [0; 40];
    request[..name.len()].copy_from_slice(name.as_bytes());
    let flags = libc::IFF_TAP | libc::IFF_NO_PI | libc::IFF_VNET_HDR;
    request[16..18].copy_from_slice(&(flags as u16).to_ne_bytes());
    let size: libc::c_int = 12;
    // SAFETY: `request` is as long as a `struct ifreq` and `size` an int, as the first two take; the third takes a
    // number, all checksums and TCP segmentation.
    let set = unsafe {
        libc::ioctl(tun.as_raw_fd(), TUNSETIFF, request.as_mut_ptr()) == 0
            && libc::ioctl(tun.as_raw_fd(), TUNSETVNETHDRSZ, &raw const size) == 0
            && libc::ioctl(tun.as_raw_fd(), TUNSETOFFLOAD, 0xf_u64) == 0
    };
    assert!(set, "{name}: {}", io::Error::last_os_error());
}

pub(crate) fn segments_are_cut_for_those_without_offload_only() {
    for (setting, value) in [
        ("ipv4/ip_forward", "1"),
        ("ipv6/conf/all/disable_ipv6", "0"),
        ("ipv6/conf/default/disable_ipv6", "0"),
        ("ipv6/conf/all/forwarding", "1"),
    ] {
        let file = format!("/proc/sys/net/{setting}");
        fs::write(&file, value).unwrap_or_else(|error| panic!("{file}: {error}"));
    }
    make("in0");
    ip("addr add 10.9.1.1/24 dev in0");
    ip("addr add fd09:1::1/64 dev in0 nodad");
    make("out0");
    ip("addr add 10.9.2.1/24 dev out0");
    ip("addr add fd09:2::1/64 dev out0 nodad");
    ip("neigh add 10.9.2.2 lladdr 02:00:00:00:00:02 dev out0");
    ip("neigh add fd09:2::2 lladdr 02:00:00:00:00:02 dev out0");
    let mac: hostdev::MacAddress = link_address("in0").unwrap().parse().unwrap();
    let input = Tap::open_with_offload("in0", Offload::Tcp4AndTcp6).unwrap();
    assert_eq!(input.offload(), Some(Offload::Tcp4AndTcp6));

    // Each after one that has left the interface in another state.
    for _ in 0..2 {
        let output = Tap::open("out0").unwrap();
        assert_eq!(output.offload(), None);
        for version in [V4, V6] {
            assert_cut(version, &forward(version, &input, mac.0, &output), 0);
        }
        drop(output);

        let output = Tap::open_with_offload("out0", Offload::Tcp4AndTcp6).unwrap();
        assert_eq!(output.offload(), Some(Offload::Tcp4AndTcp6));
        for version in [V4, V6] {
            assert_whole(version, &forward(version, &input, mac.0, &output));
        }
        drop(output);

        let output = Tap::open_with_offload("out0", Offload::Tcp4).unwrap();
        assert_eq!(output.offload(), Some(Offload::Tcp4));
        assert_whole(V4, &forward(V4, &input, mac.0, &output));
        let frames = forward(V6, &input, mac.0, &output);
        assert_cut(V6, &frames, OFFLOAD_HEADER_LEN);
        drop(output);
        use_long_headers("out0");
    }
    let output = Tap::open_with_offload("out0", Offload::Tcp4).unwrap();
    assert_whole(V4, &forward(V4, &input, mac.0, &output));
}

pub(crate) fn bad_headers_are_errors() {
    make("headers0");
    let tap = Tap::open_with_offload("headers0", Offload::Tcp4AndTcp6).unwrap();
    let mut frame = [0; OFFLOAD_HEADER_LEN + 60];
    tap.write_frame(&frame).unwrap();
    assert!(tap.write_frame(&frame[..OFFLOAD_HEADER_LEN + 13]).is_err());
    // A checksum beyond the end, TCP over IPv6 in segments of nothing, a type that there is not, and more headers than
    // frame.
    for (at, value) in [(0, 1), (1, 4), (1, 0x7f), (2, 200)] {
        frame[at] = value;
        frame[6..8].copy_from_slice(&100_u16.to_le_bytes());
        let error = tap.write_frame(&frame).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidInput, "byte {at}");
        frame[at] = 0;
    }
    tap.write_frame(&frame).unwrap();
}

pub(crate) fn an_inherited_tap_has_no_header() {
    make("inherited0");
    let tap = Tap::open_with_offload("inherited0", Offload::Tcp4).unwrap();
    let error = Tap::from_inherited(tap.as_raw_fd()).unwrap_err();
    assert!(matches!(error, TapError::NotTap { .. }), "{error}");
    drop(tap);
    let tap = Tap::open("inherited0").unwrap();
    let copy = Tap::from_inherited(tap.as_raw_fd()).unwrap();
    assert_eq!(copy.offload(), None);
}
