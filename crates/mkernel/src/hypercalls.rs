//! What this crate asks of Solo5's clock and network devices, as traits: tests answer in its place.

use solo5_ffi::{Handle, HandleSet, Net, NetError, clock_monotonic, flush_has_ended, yield_for};

/// The clock, and the one call that waits.
pub(crate) trait Hypercalls: 'static {
    type Net: NetDevice;
    /// Whether the clock moves by itself.
    const REAL_TIME: bool;

    /// Nanoseconds.
    fn clock_monotonic(&self) -> u64;

    /// Waits until one of `wanted` can be read, or for `deadline`; those that can be read.
    fn yield_for(&self, deadline: u64, wanted: HandleSet) -> HandleSet;

    /// Whether a flush of that device has ended.
    fn flush_has_ended(&self, device: Handle) -> bool;
}

/// A network device: see [`Net`].
pub(crate) trait NetDevice: 'static {
    fn handle(&self) -> Handle;
    fn mac_address(&self) -> [u8; 6];
    fn mtu(&self) -> usize;
    fn max_frame(&self) -> usize;
    fn has_offload(&self) -> bool;
    fn has_offload_v6(&self) -> bool;
    fn has_offload_udp(&self) -> bool;
    fn read_size(&self) -> usize;
    fn write(&self, frame: &[u8]) -> Result<(), NetError>;
    fn read(&self, buffer: &mut [u8]) -> Result<Option<usize>, NetError>;
}

/// Solo5 itself.
pub(crate) struct Bindings;

impl Hypercalls for Bindings {
    type Net = Net;
    const REAL_TIME: bool = true;

    fn clock_monotonic(&self) -> u64 {
        clock_monotonic()
    }

    fn yield_for(&self, deadline: u64, wanted: HandleSet) -> HandleSet {
        yield_for(deadline, wanted)
    }

    fn flush_has_ended(&self, device: Handle) -> bool {
        flush_has_ended(device)
    }
}

impl NetDevice for Net {
    fn handle(&self) -> Handle {
        self.handle()
    }

    fn mac_address(&self) -> [u8; 6] {
        self.mac_address()
    }

    fn mtu(&self) -> usize {
        self.mtu()
    }

    fn max_frame(&self) -> usize {
        self.max_frame()
    }

    fn has_offload(&self) -> bool {
        self.has_offload()
    }

    fn has_offload_v6(&self) -> bool {
        self.has_offload_v6()
    }

    fn has_offload_udp(&self) -> bool {
        self.has_offload_udp()
    }

    fn read_size(&self) -> usize {
        self.read_size()
    }

    fn write(&self, frame: &[u8]) -> Result<(), NetError> {
        self.write(frame)
    }

    fn read(&self, buffer: &mut [u8]) -> Result<Option<usize>, NetError> {
        self.read(buffer)
    }
}
