//! Frames: `devices.c`'s cases `echo` and `flood`, against a raw socket on the host's side of the TAP interface.

use std::ffi::CString;
use std::io;
use std::mem;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

use system_tests::{Network, Running, Target};

use crate::c_guest::{LINKERS, Program, TARGETS, boot, kvm_runs_general_code};
use crate::devices::{c_manifest, options};

/// An EtherType for local experiments (IEEE 802), in which nothing else takes part.
const ETHER_TYPE: u16 = 0x88b5;
const HOST: [u8; 6] = [2, 0, 0, 0, 0, 1];

/// A socket for the frames of [`ETHER_TYPE`] on one interface.
pub(crate) struct RawSocket(OwnedFd);

impl RawSocket {
    pub(crate) fn bind(interface: &str) -> Self {
        let protocol = ETHER_TYPE.to_be();
        let name = CString::new(interface).expect("a name without NUL");
        // SAFETY: `socket` touches no memory; `if_nametoindex` reads a NUL-terminated string.
        let (fd, index) = unsafe {
            let fd = libc::socket(libc::AF_PACKET, libc::SOCK_RAW, protocol.into());
            (fd, libc::if_nametoindex(name.as_ptr()))
        };
        assert!(fd >= 0, "no raw socket: {}", io::Error::last_os_error());
        // SAFETY: the descriptor has just been opened and nothing else knows it.
        let socket = Self(unsafe { OwnedFd::from_raw_fd(fd) });
        // SAFETY: every field of the structure may be zero.
        let mut address: libc::sockaddr_ll = unsafe { mem::zeroed() };
        address.sll_family = libc::AF_PACKET as u16;
        address.sll_protocol = protocol;
        address.sll_ifindex = index as i32;
        // SAFETY: the pointer and the length are those of `address`.
        let bound = unsafe {
            let length = mem::size_of_val(&address) as libc::socklen_t;
            libc::bind(fd, (&raw const address).cast(), length)
        };
        assert_eq!(bound, 0, "cannot bind: {}", io::Error::last_os_error());
        socket.set(
            libc::SO_RCVTIMEO,
            libc::timeval {
                tv_sec: 10,
                tv_usec: 0,
            },
        );
        socket.set(libc::SO_RCVBUFFORCE, 16_i32 << 20);
        socket
    }

    fn set<T>(&self, option: i32, value: T) {
        // SAFETY: the pointer and the length are those of `value`, which has the type that the option is documented to
        // have.
        let set = unsafe {
            let length = mem::size_of::<T>() as libc::socklen_t;
            let (fd, value) = (self.0.as_raw_fd(), (&raw const value).cast());
            libc::setsockopt(fd, libc::SOL_SOCKET, option, value, length)
        };
        assert_eq!(set, 0, "socket option: {}", io::Error::last_os_error());
    }

    pub(crate) fn send(&self, frame: &[u8]) {
        // SAFETY: the pointer and the length are those of a slice, which is only read.
        let sent = unsafe { libc::send(self.0.as_raw_fd(), frame.as_ptr().cast(), frame.len(), 0) };
        assert_eq!(sent, frame.len() as isize, "{}", io::Error::last_os_error());
    }

    /// The next frame that we have not sent ourselves, if there is one in time.
    fn receive(&self) -> Option<Vec<u8>> {
        loop {
            let mut frame = vec![0; 65536];
            let (data, size) = (frame.as_mut_ptr().cast(), frame.len());
            // SAFETY: `data` and `size` are those of a vector that nothing else refers to.
            let received = unsafe { libc::recv(self.0.as_raw_fd(), data, size, 0) };
            frame.truncate(usize::try_from(received).ok()?);
            if frame[6..12] != HOST {
                return Some(frame);
            }
        }
    }
}

/// A frame to all, with this number and as many bytes.
pub(crate) fn frame(number: u32, length: usize) -> Vec<u8> {
    let mut frame = vec![0xff; 6];
    frame.extend(HOST);
    frame.extend(ETHER_TYPE.to_be_bytes());
    frame.extend(number.to_le_bytes());
    frame.resize(length, number as u8);
    frame
}

fn set_mtu(interface: &str, mtu: usize) {
    let status = std::process::Command::new("ip")
        .args(["link", "set", "dev", interface, "mtu", &mtu.to_string()])
        .status();
    assert!(
        status.is_ok_and(|status| status.success()),
        "ip link set mtu"
    );
}

/// A guest that runs the case, what it is connected to, and the folder with its disks.
struct Started {
    socket: RawSocket,
    guest: Running,
    _folder: tempfile::TempDir,
}

fn start(network: &Network, target: Target, mtu: usize, case: &str) -> Started {
    let source = c_manifest();
    let linker = LINKERS[mtu % 2];
    let executable = Program::new("devices.c")
        .manifest(&source)
        .link(target, linker);
    let tap = format!("{case}{target:?}{mtu}").to_lowercase();
    network.add_tap(&tap, "10.0.0.1/24");
    set_mtu(&tap, mtu);
    let socket = RawSocket::bind(&tap);
    let folder = tempfile::tempdir().expect("a folder");
    let options = options(&folder, &tap);
    let guest = boot(
        &executable,
        target,
        &options,
        &format!("--solo5:quiet {case}"),
        true,
    );
    Started {
        socket,
        guest,
        _folder: folder,
    }
}

/// Sends the frames with these numbers and takes note of those that come back, with the addresses swapped and nothing
/// else changed, in order. Frames may be lost on an emulated network: those are sent again.
fn exchange(socket: &RawSocket, numbers: impl Iterator<Item = u32>, length: impl Fn(u32) -> usize) {
    let mut missing: Vec<u32> = numbers.collect();
    for _ in 0..10 {
        for &number in &missing {
            socket.send(&frame(number, length(number)));
        }
        let mut last = 0;
        while let Some(&expected) = missing.last()
            && let Some(received) = socket.receive()
        {
            let number = u32::from_le_bytes(received[14..18].try_into().expect("four bytes"));
            assert_eq!(received[..6], HOST, "{number}");
            assert_eq!(
                received[12..],
                frame(number, length(number))[12..],
                "{number}"
            );
            assert!(number >= last, "{number} after {last}");
            last = number;
            missing.retain(|&other| other != number);
            if number == expected {
                break; // what was sent before it will not come any more
            }
        }
        if missing.is_empty() {
            return;
        }
    }
    panic!("frames {missing:?} were lost ten times");
}

fn echo(target: Target, mtu: usize) {
    Network::with(|network| {
        let Started {
            socket,
            mut guest,
            _folder,
        } = start(network, target, mtu, "echo");
        guest.wait_for(&format!("MTU {mtu}"));
        let length = |number: u32| 18 + number as usize % 1000 * 7 % (mtu + 14 - 18 + 1);
        for first in (0..1000).step_by(10) {
            exchange(&socket, first..first + 10, length);
        }
        for _ in 0..3 {
            socket.send(&frame(u32::MAX, 60)); // the end, should one be lost
        }
        let outcome = guest.wait();
        assert_eq!(outcome.status, 0, "{outcome}");
        assert!(outcome.stdout.ends_with("SUCCESS\n"), "{outcome}");
    });
}

#[test]
fn frames_of_all_lengths_are_echoed() {
    for target in TARGETS {
        echo(target, 1500);
    }
}

#[test]
fn jumbo_frames_are_echoed_in_order() {
    // On hvt those above 2048 bytes go round the ring.
    for target in TARGETS {
        echo(target, 9001);
    }
}

/// More frames than hvt's ring has buffers arrive in order, all of them, although the guest ends at once.
#[test]
fn what_is_queued_when_the_guest_ends_is_sent() {
    for target in TARGETS {
        // An emulated network loses some of so many at once, whoever sent them.
        if target == Target::Hvt && !kvm_runs_general_code() {
            continue;
        }
        Network::with(|network| {
            let Started {
                socket,
                guest,
                _folder,
            } = start(network, target, 1500, "flood");
            for number in 0..400_u64 {
                let frame = socket.receive().expect("a frame in time");
                assert_eq!(frame.len() as u64, 60 + number % 1000);
                assert_eq!(frame[14..22], number.to_le_bytes());
            }
            let outcome = guest.wait();
            assert_eq!(outcome.status, 0, "{outcome}");
        });
    }
}
