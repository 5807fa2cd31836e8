//! Offload: a segment of 60,000 bytes is written to one interface and forwarded by the kernel to another.

use std::fs;
use std::io;
use std::os::fd::AsRawFd;

use hostdev::{OFFLOAD_HEADER_LEN, Tap, TapError};

use crate::{PEER_MAC, checksum, ip, link_address, make, readable};

const SOURCE: [u8; 4] = [10, 9, 1, 2];
const DESTINATION: [u8; 4] = [10, 9, 2, 2];
/// Ethernet, IPv4 and TCP.
const HEADERS: usize = 14 + 20 + 20;
const SEQUENCE: u32 = 0xffff_f000;
const MSS: usize = 1460;
const LENGTH: usize = 60_000;

fn payload() -> Vec<u8> {
    (0..LENGTH).map(|at| (at * 7 + at / 251) as u8).collect()
}

/// The sum of the pseudo-header of a TCP segment of so many bytes, its header included.
fn pseudo_header(length: usize) -> u16 {
    let protocol_and_length = [0, 6, (length >> 8) as u8, length as u8];
    !checksum(&[&SOURCE[..], &DESTINATION, &protocol_and_length].concat())
}

/// The segment behind a header that leaves checksum and segmentation to the kernel.
fn segment(to: [u8; 6]) -> Vec<u8> {
    let header = [
        &[1, 1][..], // VIRTIO_NET_HDR_F_NEEDS_CSUM, VIRTIO_NET_HDR_GSO_TCPV4
        &(HEADERS as u16).to_le_bytes(),
        &(MSS as u16).to_le_bytes(),
        &34_u16.to_le_bytes(),
        &16_u16.to_le_bytes(),
    ]
    .concat();
    assert_eq!(header.len(), OFFLOAD_HEADER_LEN);
    let total = (20 + 20 + LENGTH) as u16;
    let mut ip = vec![0x45, 0, 0, 0, 0, 0, 0, 0, 64, 6, 0, 0];
    ip.extend([SOURCE, DESTINATION].concat());
    ip[2..4].copy_from_slice(&total.to_be_bytes());
    let sum = checksum(&ip);
    ip[10..12].copy_from_slice(&sum.to_be_bytes());
    let mut tcp = [&[0x12, 0x34, 0, 80][..], &SEQUENCE.to_be_bytes(), &[0; 4]].concat();
    tcp.extend([0x50, 0x18, 0xff, 0xff]); // no options; PSH and ACK
    tcp.extend(pseudo_header(20 + LENGTH).to_be_bytes());
    tcp.extend([0, 0]);
    [&header[..], &to, &PEER_MAC, &[8, 0], &ip, &tcp, &payload()].concat()
}

/// Writes the segment to `input` and reads what arrives at `output`; the frames that it arrived in.
fn forward(input: &Tap, to: [u8; 6], output: &Tap) -> Vec<Vec<u8>> {
    let segment = segment(to);
    let header = if output.has_offload() {
        OFFLOAD_HEADER_LEN
    } else {
        0
    };
    let mut frames = Vec::new();
    let mut received = 0;
    let mut tries = 0..600;
    while received < LENGTH {
        if !readable(output, 100) {
            assert!(tries.next().is_some(), "{received} bytes of {LENGTH}");
            // Until the kernel has noticed that an interface is attached, it drops what is sent there.
            if received == 0 {
                input.write_frame(&segment).unwrap();
            }
            continue;
        }
        let mut frame = vec![0; 70_000];
        let length = output.read_frame(&mut frame).unwrap().expect("readable");
        frame.truncate(length);
        let is_tcp = frame[header + 12..header + 14] == [8, 0] && frame[header + 23] == 6;
        if is_tcp {
            received += length - header - HEADERS;
            frames.push(frame);
        }
    }
    // Of a segment that was sent again.
    while readable(output, 200) {
        output.read_frame(&mut [0; 70_000]).unwrap();
    }
    frames
}

/// Frames of an interface without offload: no longer than its MTU allows, complete, and in order.
fn assert_cut(frames: &[Vec<u8>]) {
    assert_eq!(frames.len(), LENGTH.div_ceil(MSS));
    let mut data: Vec<u8> = Vec::new();
    for frame in frames {
        assert!(frame.len() <= 1514, "{} bytes", frame.len());
        let (ip, tcp) = (&frame[14..34], &frame[34..]);
        assert_eq!(checksum(ip), 0, "checksum of the IP header");
        let sum = [&pseudo_header(tcp.len()).to_be_bytes(), tcp].concat();
        assert_eq!(checksum(&sum), 0, "checksum of the segment");
        let sequence = SEQUENCE.wrapping_add(data.len() as u32);
        assert_eq!(tcp[4..8], sequence.to_be_bytes());
        data.extend(&tcp[20..]);
    }
    assert!(data == payload());
}

/// What arrives with offload: the segment as it was written, apart from what forwarding changes.
fn assert_whole(frames: &[Vec<u8>]) {
    let [frame] = frames else {
        panic!("{} frames", frames.len());
    };
    let (header, frame) = frame.split_at(OFFLOAD_HEADER_LEN);
    let sent = segment([0; 6]);
    // But for the length of the headers, which is a hint.
    assert_eq!(header[..2], sent[..2]);
    assert_eq!(header[4..], sent[4..OFFLOAD_HEADER_LEN]);
    assert!(frame[34..] == sent[OFFLOAD_HEADER_LEN + 34..]);
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
    let forwarding = "/proc/sys/net/ipv4/ip_forward";
    fs::write(forwarding, "1").unwrap_or_else(|error| panic!("{forwarding}: {error}"));
    make("in0");
    ip("addr add 10.9.1.1/24 dev in0");
    make("out0");
    ip("addr add 10.9.2.1/24 dev out0");
    ip("neigh add 10.9.2.2 lladdr 02:00:00:00:00:02 dev out0");
    let mac: hostdev::MacAddress = link_address("in0").unwrap().parse().unwrap();
    let input = Tap::open_with_offload("in0").unwrap();
    assert!(input.has_offload());

    // Each after one that has left the interface in another state.
    for _ in 0..2 {
        let output = Tap::open("out0").unwrap();
        assert!(!output.has_offload());
        assert_cut(&forward(&input, mac.0, &output));
        drop(output);

        let output = Tap::open_with_offload("out0").unwrap();
        assert!(output.has_offload());
        assert_whole(&forward(&input, mac.0, &output));
        drop(output);
        use_long_headers("out0");
    }
    let output = Tap::open_with_offload("out0").unwrap();
    assert_whole(&forward(&input, mac.0, &output));
}

pub(crate) fn bad_headers_are_errors() {
    make("headers0");
    let tap = Tap::open_with_offload("headers0").unwrap();
    let mut frame = [0; OFFLOAD_HEADER_LEN + 60];
    tap.write_frame(&frame).unwrap();
    assert!(tap.write_frame(&frame[..OFFLOAD_HEADER_LEN + 13]).is_err());
    // A checksum beyond the end, a type that there is not, and more headers than frame.
    for (at, value) in [(0, 1), (1, 0x7f), (2, 200)] {
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
    let tap = Tap::open_with_offload("inherited0").unwrap();
    let error = Tap::from_inherited(tap.as_raw_fd()).unwrap_err();
    assert!(matches!(error, TapError::NotTap { .. }), "{error}");
    drop(tap);
    let tap = Tap::open("inherited0").unwrap();
    let copy = Tap::from_inherited(tap.as_raw_fd()).unwrap();
    assert!(!copy.has_offload());
}
