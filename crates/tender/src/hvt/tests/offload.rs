//! Frames as long as offload makes them, through hypercalls and through the ring: a datagram of the host's is handed to
//! a guest, which is played here, and sent back.

use std::net::UdpSocket;
use std::os::fd::AsRawFd;
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::Duration;

use solo5_abi::api::SolResult;
use solo5_abi::hvt::{Hypercall, NetIo, ring};
use solo5_abi::manifest::{DeviceType, Entry, Header, Manifest, NET_OFFLOAD, NET_OFFLOAD_V6};
use solo5_abi::net::{MAX_FRAME, NetHeader};

use super::super::hypercall::{Hypercalls, Outcome};
use super::super::memory::GuestMemory;
use super::super::ring::{Doorbell, Ring};
use crate::attach::Devices;
use crate::options::{Command as Asked, parse};

const MEM_SIZE: u64 = 0x20_0000;
const ARGUMENT: u64 = 0x11_0000;
const BUFFER: u64 = 0x12_0000;
const DATAGRAM: usize = 60_000;
/// Virtio-net, Ethernet, IPv4 and UDP.
const HEADERS: usize = NetHeader::SIZE + 14 + 20 + 8;

/// Runs `test` where there is an interface `tap0` with room for a whole IP packet, and a socket on it.
fn in_namespace(test: impl FnOnce(&Guest, &UdpSocket) + Send) {
    let run = || {
        // SAFETY: the call takes no pointer and has no effect on memory.
        let entered = unsafe { libc::unshare(libc::CLONE_NEWNET) };
        assert_eq!(
            entered, 0,
            "a network namespace needs root (or `unshare --user --map-root-user`)"
        );
        for arguments in [
            "tuntap add tap0 mode tap",
            "link set tap0 mtu 65521 up",
            "addr add 10.9.0.1/24 dev tap0",
            "neigh add 10.9.0.2 lladdr 02:00:00:00:00:02 dev tap0",
        ] {
            let status = Command::new("ip").args(arguments.split(' ')).status();
            assert!(status.is_ok_and(|status| status.success()), "{arguments}");
        }
        let socket = UdpSocket::bind("10.9.0.1:4242").unwrap();
        let timeout = Some(Duration::from_secs(60));
        socket.set_read_timeout(timeout).unwrap();
        // What is granted is what is asked for, and of IPv6 nothing without IPv4's, of UDP nothing without both.
        for (wanted, granted) in [(0, 0), (NET_OFFLOAD_V6, 0), (3, 3), (5, 1), (6, 0), (7, 7)] {
            assert_eq!(Guest::asking(wanted).granted(), granted);
        }
        test(&Guest::asking(NET_OFFLOAD), &socket);
    };
    thread::scope(|scope| scope.spawn(run).join()).unwrap_or_else(|panic| {
        std::panic::resume_unwind(panic);
    });
}

struct Guest {
    memory: GuestMemory,
    devices: Devices,
}

impl Guest {
    fn asking(wanted: u16) -> Self {
        let entry = Entry::new("service", DeviceType::NetBasic).wanting(wanted);
        let mut manifest = Header::new(2).to_bytes().to_vec();
        manifest.extend(Entry::RESERVED_FIRST.to_bytes());
        manifest.extend(entry.to_bytes());
        let line = ["--net:service=tap0", "kernel"];
        let Ok(Asked::Run(options)) = parse(line.map(Into::into)) else {
            panic!("{line:?}")
        };
        let devices = Devices::attach(&Manifest::parse(&manifest).unwrap(), &options).unwrap();
        Self {
            memory: GuestMemory::new(2 * MEM_SIZE, MEM_SIZE).unwrap(),
            devices,
        }
    }

    fn granted(&self) -> u16 {
        let seen = self.devices.manifest(0);
        let manifest = Manifest::parse_attached(&seen).unwrap();
        let (_, entry) = manifest.devices().next().unwrap();
        entry.net().unwrap().granted
    }

    /// Sends a datagram to the guest and has the guest read it by `read`, which gives result and length; the length.
    fn receive(
        &self,
        socket: &UdpSocket,
        datagram: &[u8],
        mut read: impl FnMut() -> (i32, usize),
    ) -> usize {
        loop {
            self.wait_for(socket, datagram);
            let (ret, len) = read();
            assert_eq!(ret, SolResult::Ok as i32);
            // The kernel sends frames of its own, too: IPv6's.
            if self.read(BUFFER + NetHeader::SIZE as u64 + 12) == [8, 0] {
                assert_eq!(len, HEADERS + DATAGRAM);
                return len;
            }
        }
    }

    /// Sends a datagram to the guest, again until a frame can be read.
    fn wait_for(&self, socket: &UdpSocket, datagram: &[u8]) {
        let mut polled = libc::pollfd {
            fd: self.devices.net[0].interface.as_raw_fd(),
            events: libc::POLLIN,
            revents: 0,
        };
        for _ in 0..600 {
            socket.send_to(datagram, "10.9.0.2:7").unwrap();
            // SAFETY: `polled` is one live structure.
            if unsafe { libc::poll(&raw mut polled, 1, 100) } > 0 {
                return;
            }
        }
        panic!("no frame arrives");
    }

    fn hypercall(&self, call: Hypercall, len: usize) -> (i32, usize) {
        let io = NetIo {
            handle: 1,
            data: BUFFER,
            len: len as u64,
            ret: -1,
        };
        self.memory.write(ARGUMENT, &io.to_bytes());
        let mut hypercalls = Hypercalls::new(&self.memory, &self.devices, None);
        let served = hypercalls.serve(call.port(), &(ARGUMENT as u32).to_le_bytes());
        assert_eq!(served, Ok(Outcome::Continue));
        let io = NetIo::from_bytes(&self.read(ARGUMENT));
        (io.ret, io.len as usize)
    }

    fn read<const N: usize>(&self, address: u64) -> [u8; N] {
        let mut bytes = [0; N];
        let slice = self.memory.slice(address, N as u64);
        slice.unwrap().copy_to(&mut bytes[..]);
        bytes
    }

    /// Swaps sender and receiver of the datagram in the buffer, which no checksum minds.
    fn turn_round(&self, len: usize) {
        let mut frame = vec![0; len];
        let slice = self.memory.slice(BUFFER, len as u64).unwrap();
        slice.copy_to(&mut frame[..]);
        let header = NetHeader::from_bytes(frame.first_chunk().unwrap());
        assert_eq!(
            (header.flags, header.gso_type, header.csum_start),
            (NetHeader::NEEDS_CSUM, NetHeader::GSO_NONE, 34)
        );
        for (at, width) in [(0, 6), (26, 4), (34, 2)] {
            let pair = &mut frame[NetHeader::SIZE + at..][..2 * width];
            pair.rotate_left(width);
        }
        slice.copy_from(&frame[..]);
    }

    fn word(&self, offset: u64) -> &AtomicU32 {
        self.memory.atomic(MEM_SIZE + offset).unwrap()
    }

    fn submit(&self, doorbell: &Doorbell, index: u32, operation: u32, len: usize) {
        let entry = ring::Entry {
            operation,
            handle: 1,
            data: BUFFER,
            len: len as u32,
            ..Default::default()
        };
        let slot = MEM_SIZE + ring::entry_offset(index);
        self.memory.write(slot, &entry.to_bytes());
        self.word(ring::ENT_TAIL).store(index + 1, Ordering::SeqCst);
        doorbell.kick.write(1).unwrap();
    }
}

/// Ends the ring's thread when the test ends, also by a failed assertion.
struct Finish<'a>(&'a Doorbell);

impl Drop for Finish<'_> {
    fn drop(&mut self) {
        self.0.finish();
    }
}

fn datagram() -> Vec<u8> {
    (0..DATAGRAM).map(|at| (at * 7 + at / 251) as u8).collect()
}

#[track_caller]
fn assert_answered(socket: &UdpSocket, datagram: &[u8]) {
    let mut answer = vec![0; DATAGRAM + 1];
    let (len, from) = socket.recv_from(&mut answer).unwrap();
    assert_eq!((len, from.to_string().as_str()), (DATAGRAM, "10.9.0.2:7"));
    assert!(answer[..len] == *datagram);
}

#[test]
fn hypercalls_move_frames_of_64_kib() {
    in_namespace(|guest, socket| {
        let datagram = datagram();
        let len = guest.receive(socket, &datagram, || {
            guest.hypercall(Hypercall::NetRead, MAX_FRAME)
        });
        guest.turn_round(len);
        let written = guest.hypercall(Hypercall::NetWrite, len);
        assert_eq!(written.0, SolResult::Ok as i32);
        assert_answered(socket, &datagram);

        // A header that does not fit its frame, and a frame that ends in the header.
        guest.memory.write(BUFFER, &[0xff; NetHeader::SIZE]);
        for len in [60, 9, MAX_FRAME] {
            let refused = guest.hypercall(Hypercall::NetWrite, len);
            assert_eq!(refused.0, SolResult::Einval as i32, "{len} bytes");
        }
    });
}

#[test]
fn the_ring_moves_frames_of_64_kib() {
    in_namespace(|guest, socket| {
        let (datagram, doorbell) = (datagram(), Doorbell::new().unwrap());
        let mut submitted = 0;
        thread::scope(|scope| {
            scope.spawn(|| {
                let ring = Ring::new(&guest.memory, &guest.devices, MEM_SIZE).unwrap();
                let served = ring.serve(&doorbell);
                doorbell.done.write(1).unwrap();
                served.unwrap();
            });
            let _finish = Finish(&doorbell);
            let len = guest.receive(socket, &datagram, || {
                guest.submit(&doorbell, submitted, ring::OPERATION_READ, MAX_FRAME);
                submitted += 1;
                while guest.word(ring::COM_TAIL).load(Ordering::Acquire) != submitted {
                    thread::yield_now();
                }
                let commit = guest.read(MEM_SIZE + ring::commit_offset(submitted - 1));
                let commit = ring::Commit::from_bytes(&commit);
                (commit.ret, commit.len as usize)
            });
            guest.turn_round(len);
            guest.submit(&doorbell, submitted, ring::OPERATION_WRITE, len);
            assert_answered(socket, &datagram);
            // Lost, since a write has no answer, and no end of the guest.
            guest.memory.write(BUFFER, &[0xff; NetHeader::SIZE]);
            guest.submit(&doorbell, submitted + 1, ring::OPERATION_WRITE, 60);
            submitted += 2;
        });
        assert_eq!(guest.word(ring::ENT_HEAD).load(Ordering::SeqCst), submitted);
    });
}
