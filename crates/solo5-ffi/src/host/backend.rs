//! The backend of a host: TAP interfaces and disk images.

use std::io::{self, ErrorKind, Write};
use std::os::fd::AsRawFd;
use std::process;
use std::sync::{Mutex, OnceLock, PoisonError};
use std::task::Poll;
use std::time::{Duration, Instant, SystemTime};

use hostdev::{BlockImage, ImageError, Tap};
use manifest_gen::Manifest;
use solo5_abi::api::BLOCK_MANY_MAX;

use super::profile::Profile;
use super::{is_profiling, manifest};
use crate::{AcquireError, Block, BlockError, DeviceType, Entry, Handle, HandleSet, Net, NetError};

/// A device stays acquired for the life of the program, so its descriptor stays open.
pub(crate) type NetDevice = &'static Tap;
/// As [`NetDevice`].
pub(crate) type BlockDevice = &'static BlockImage;

/// The devices that have been acquired.
struct Acquired {
    /// Bit *h*: handle *h*.
    handles: u64,
    taps: Vec<(Handle, &'static Tap)>,
}

static ACQUIRED: Mutex<Acquired> = Mutex::new(Acquired {
    handles: 0,
    taps: Vec::new(),
});

/// What is read once, by the first device that is acquired.
struct Program {
    manifest: Manifest,
    profile: Profile,
}

impl Program {
    fn get() -> Result<&'static Self, &'static str> {
        static PROGRAM: OnceLock<Result<Program, String>> = OnceLock::new();
        start();
        let program = PROGRAM.get_or_init(|| {
            Ok(Self {
                manifest: manifest().map_err(|error| error.to_string())?,
                profile: Profile::from_environment()?,
            })
        });
        program.as_ref().map_err(String::as_str)
    }
}

/// Opens the entry's device with `open`, if it is in the manifest and has not been acquired.
fn acquire<D>(
    entry: &'static Entry,
    device_type: DeviceType,
    open: impl FnOnce(&Profile, &str) -> Result<D, String>,
) -> Result<(Handle, D), AcquireError> {
    let name = entry.name().unwrap_or_default();
    let host = |reason: String| AcquireError::Host { name, reason };
    let program = Program::get().map_err(|reason| host(reason.to_owned()))?;
    let mut devices = program.manifest.devices().iter();
    // Entry 0 of a manifest is reserved.
    let handle = devices
        .position(|device| device.name() == name && device.device_type() == device_type)
        .and_then(|index| Handle::new(index as u64 + 1))
        .ok_or(AcquireError::Unavailable { name, device_type })?;

    let mut acquired = ACQUIRED.lock().unwrap_or_else(PoisonError::into_inner);
    let bit = 1 << handle.index();
    if acquired.handles & bit != 0 {
        return Err(AcquireError::Unavailable { name, device_type });
    }
    let device = open(&program.profile, name).map_err(host)?;
    acquired.handles |= bit;
    Ok((handle, device))
}

pub(crate) fn net_acquire(entry: &'static Entry) -> Result<Net, AcquireError> {
    let (handle, (tap, mac)) = acquire(entry, DeviceType::NetBasic, Profile::open_net)?;
    let tap: &'static Tap = Box::leak(Box::new(tap));
    let mut acquired = ACQUIRED.lock().unwrap_or_else(PoisonError::into_inner);
    acquired.taps.push((handle, tap));
    Ok(Net {
        device: tap,
        handle,
        mac_address: mac.0,
        mtu: usize::from(tap.mtu()),
        offload: false,
        offload_v6: false,
        offload_udp: false,
    })
}

pub(crate) fn net_write(net: &Net, frame: &[u8]) -> Result<(), NetError> {
    match net.device.write_frame(frame) {
        Ok(()) => Ok(()),
        // No room: the frame is lost.
        Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(()),
        Err(_) => Err(NetError::Host),
    }
}

pub(crate) fn net_read(net: &Net, buffer: &mut [u8]) -> Result<Option<usize>, NetError> {
    net.device.read_frame(buffer).map_err(|_| NetError::Host)
}

pub(crate) fn block_acquire(entry: &'static Entry) -> Result<Block, AcquireError> {
    let (handle, image) = acquire(entry, DeviceType::BlockBasic, Profile::open_block)?;
    let image: &'static BlockImage = Box::leak(Box::new(image));
    Ok(Block {
        device: image,
        handle,
        capacity: image.capacity(),
        block_size: usize::from(image.block_size().get()),
        max_transfer: BLOCK_MANY_MAX,
        flush: image.can_flush(),
        discard: image.can_discard(),
    })
}

pub(crate) fn block_read(block: &Block, offset: u64, buffer: &mut [u8]) -> Result<(), BlockError> {
    block.device.read_at(offset, buffer).map_err(block_error)
}

pub(crate) fn block_write(block: &Block, offset: u64, data: &[u8]) -> Result<(), BlockError> {
    block.device.write_at(offset, data).map_err(block_error)
}

pub(crate) fn block_flush(block: &Block) -> Result<(), BlockError> {
    block.device.flush().map_err(block_error)
}

/// A process of the host's waits.
pub(crate) fn block_flush_begin(block: &Block) -> Result<bool, BlockError> {
    block_flush(block).map(|()| false)
}

/// None was begun.
pub(crate) fn block_flush_end(_block: &Block) -> Poll<Result<(), BlockError>> {
    Poll::Ready(Err(BlockError::Host))
}

pub(crate) fn flush_has_ended(_handle: Handle) -> bool {
    false
}

pub(crate) fn block_discard(block: &Block, offset: u64, length: u64) -> Result<(), BlockError> {
    block.device.discard(offset, length).map_err(block_error)
}

fn block_error(error: ImageError) -> BlockError {
    match error {
        ImageError::Shrunk { .. } => BlockError::Shrunk,
        ImageError::NoSpace(_) => BlockError::NoSpace,
        _ => BlockError::Host,
    }
}

pub(crate) fn clock_monotonic() -> u64 {
    static ORIGIN: OnceLock<Instant> = OnceLock::new();
    let elapsed = ORIGIN.get_or_init(Instant::now).elapsed();
    u64::try_from(elapsed.as_nanos()).unwrap_or(u64::MAX)
}

pub(crate) fn clock_wall() -> u64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    u64::try_from(since.unwrap_or_default().as_nanos()).unwrap_or(u64::MAX)
}

pub(crate) fn yield_until(deadline: u64) -> HandleSet {
    yield_for(deadline, HandleSet::from_bits(u64::MAX))
}

pub(crate) fn yield_for(deadline: u64, wanted: HandleSet) -> HandleSet {
    let mut taps = {
        let acquired = ACQUIRED.lock().unwrap_or_else(PoisonError::into_inner);
        acquired.taps.clone()
    };
    taps.retain(|(handle, _)| wanted.contains(*handle));
    let mut polled = Vec::with_capacity(taps.len());
    polled.extend(taps.iter().map(|(_, tap)| libc::pollfd {
        fd: tap.as_raw_fd(),
        events: libc::POLLIN,
        revents: 0,
    }));
    loop {
        let now = clock_monotonic();
        let ready = poll(
            &mut polled,
            Duration::from_nanos(deadline.saturating_sub(now)),
        );
        if ready || deadline <= now {
            break;
        }
    }
    let readable = taps.iter().zip(&polled);
    let readable = readable.filter(|(_, fd)| fd.revents & libc::POLLIN != 0);
    HandleSet::from_bits(readable.fold(0, |bits, ((handle, _), _)| bits | 1 << handle.index()))
}

/// Waits for one of the descriptors or the time-out; whether one is ready. May return early.
fn poll(polled: &mut [libc::pollfd], timeout: Duration) -> bool {
    let timeout = libc::timespec {
        tv_sec: libc::time_t::try_from(timeout.as_secs()).unwrap_or(libc::time_t::MAX),
        tv_nsec: libc::c_long::from(timeout.subsec_nanos() as i32),
    };
    let (fds, count) = (polled.as_mut_ptr(), polled.len() as libc::nfds_t);
    // SAFETY: `fds` and `count` are those of a slice that nothing else refers to during the call,
    // `timeout` lives until it returns, and no signal mask is given.
    let ready = unsafe { libc::ppoll(fds, count, &timeout, std::ptr::null()) };
    ready > 0
}

/// A process of the host's is ended by signals as any other.
pub(crate) fn shutdown_wanted() -> bool {
    false
}

pub(crate) fn console_write(bytes: &[u8]) {
    let mut stdout = io::stdout().lock();
    // Lossy, as a guest's console is.
    let _ = stdout.write_all(bytes).and_then(|()| stdout.flush());
}

pub(crate) fn exit(status: i32) -> ! {
    process::exit(status)
}

pub(crate) fn abort() -> ! {
    process::exit(solo5_abi::api::EXIT_ABORT)
}

pub(crate) fn start() {
    if is_profiling() {
        return;
    }
    match manifest() {
        Ok(manifest) => {
            console_write(manifest.to_json().as_bytes());
            process::exit(0)
        }
        Err(error) => {
            eprintln!("{error}");
            process::exit(1)
        }
    }
}
