//! The device, as a stack sees it: frames on their way out, alone and in runs.

/// Octets before a frame that [`Transmit::transmit_run`] gives.
pub const HEADROOM: usize = 16;

/// How a device cuts a frame apart into TCP segments or UDP datagrams, and completes their checksums.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Run {
    /// Where the header of TCP or UDP begins in the frame, in octets.
    pub transport: usize,
    /// Octets of all headers, from the start of the frame.
    pub header_len: usize,
    /// Octets of payload in each segment or datagram; the last datagram may have less.
    pub segment: u16,
    /// Whether they go over IPv6, not IPv4.
    pub ipv6: bool,
    /// Whether they are datagrams of UDP, not segments of TCP.
    pub udp: bool,
}

/// How a device has joined UDP datagrams to one frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Joined {
    /// Where the UDP header begins in the frame, in octets.
    pub transport: usize,
    /// Octets of payload in each datagram but the last, which may have less.
    pub segment: u16,
}

/// Takes frames that are to be sent, at once: the device.
pub trait Transmit {
    /// Sends a frame: an Ethernet header and at most the link's MTU behind it. A device that cannot
    /// take it drops it.
    fn transmit(&mut self, frame: &[u8]);

    /// Sends a run of TCP segments or UDP datagrams that are written as one. The frame begins at [`HEADROOM`];
    /// before it is room for the device's own header. Called only with
    /// [`InterfaceConfig::offload`](super::InterfaceConfig::offload).
    fn transmit_run(&mut self, buffer: &mut [u8], run: &Run) {
        let _ = run;
        self.transmit(&buffer[HEADROOM..]);
    }
}

impl<F: FnMut(&[u8])> Transmit for F {
    fn transmit(&mut self, frame: &[u8]) {
        self(frame);
    }
}
