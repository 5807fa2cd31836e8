//! Frames of an interface, past the kernel's protocols.

use std::ffi::CString;
use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

use anyhow::{Result, ensure};

/// A packet socket that is bound to one interface.
pub struct PacketSocket(OwnedFd);

impl PacketSocket {
    pub fn open(interface: &str) -> Result<Self> {
        let name = CString::new(interface)?;
        // SAFETY: the name ends with a zero.
        let index = unsafe { libc::if_nametoindex(name.as_ptr()) };
        ensure!(index != 0, "no interface {interface}");
        let protocol = (libc::ETH_P_ALL as u16).to_be();
        // SAFETY: no pointer is passed.
        let socket = unsafe {
            libc::socket(
                libc::AF_PACKET,
                libc::SOCK_RAW | libc::SOCK_CLOEXEC,
                i32::from(protocol),
            )
        };
        ensure!(socket >= 0, io::Error::last_os_error());
        // SAFETY: it was opened a moment ago, and nobody else has it.
        let socket = unsafe { OwnedFd::from_raw_fd(socket) };
        let room: i32 = 64 << 20;
        // SAFETY: the value is an int, and its length is given.
        let set = unsafe {
            libc::setsockopt(
                socket.as_raw_fd(),
                libc::SOL_SOCKET,
                libc::SO_RCVBUFFORCE,
                (&raw const room).cast(),
                size_of_val(&room) as u32,
            )
        };
        ensure!(set == 0, io::Error::last_os_error());
        // SAFETY: zeros are a valid address of this kind.
        let mut address: libc::sockaddr_ll = unsafe { std::mem::zeroed() };
        address.sll_family = libc::AF_PACKET as u16;
        address.sll_protocol = protocol;
        address.sll_ifindex = index as i32;
        // SAFETY: the address has the length that is given.
        let bound = unsafe {
            libc::bind(
                socket.as_raw_fd(),
                (&raw const address).cast(),
                size_of_val(&address) as u32,
            )
        };
        ensure!(bound == 0, io::Error::last_os_error());
        Ok(Self(socket))
    }

    /// Sends a frame; waits while the interface's queue is full.
    pub fn send(&self, frame: &[u8]) -> Result<()> {
        for _ in 0..10_000 {
            // SAFETY: the frame has the length that is given.
            let sent =
                unsafe { libc::send(self.0.as_raw_fd(), frame.as_ptr().cast(), frame.len(), 0) };
            if sent >= 0 {
                return Ok(());
            }
            let error = io::Error::last_os_error();
            ensure!(error.raw_os_error() == Some(libc::ENOBUFS), error);
            std::thread::sleep(std::time::Duration::from_micros(100));
        }
        anyhow::bail!("the interface takes no frames")
    }

    /// Sends a frame, which is lost where the interface does not take it now.
    pub fn try_send(&self, frame: &[u8]) {
        // SAFETY: the frame has the length that is given.
        unsafe {
            libc::send(
                self.0.as_raw_fd(),
                frame.as_ptr().cast(),
                frame.len(),
                libc::MSG_DONTWAIT,
            )
        };
    }

    /// Waits for a frame that others have sent, at most so long; its length.
    pub fn receive(&self, buffer: &mut [u8], milliseconds: i32) -> Result<Option<usize>> {
        loop {
            let mut poll = libc::pollfd {
                fd: self.0.as_raw_fd(),
                events: libc::POLLIN,
                revents: 0,
            };
            // SAFETY: one entry is there.
            if unsafe { libc::poll(&raw mut poll, 1, milliseconds) } <= 0 {
                return Ok(None);
            }
            // SAFETY: zeros are a valid address of this kind.
            let mut from: libc::sockaddr_ll = unsafe { std::mem::zeroed() };
            let mut len = size_of_val(&from) as u32;
            // SAFETY: buffer and address have the lengths that are given.
            let received = unsafe {
                libc::recvfrom(
                    self.0.as_raw_fd(),
                    buffer.as_mut_ptr().cast(),
                    buffer.len(),
                    libc::MSG_DONTWAIT,
                    (&raw mut from).cast(),
                    &raw mut len,
                )
            };
            ensure!(received >= 0, io::Error::last_os_error());
            // Our own come back to us too.
            if from.sll_pkttype != libc::PACKET_OUTGOING {
                return Ok(Some(received as usize));
            }
        }
    }
}
