//! A TCP/IP stack on a network device of the unikernel.
//!
//! ```no_run
//! use mkernel::net::{self, Config, TcpListener};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! mkernel::run(async {
//!     let mut config = Config::default();
//!     config.address = Some("10.0.0.2/24".parse()?);
//!     let network = net::start(mkernel::net!("service")?, config)?;
//!     let listener = TcpListener::bind(&network, ([0, 0, 0, 0], 80))?;
//!     let (stream, peer) = listener.accept().await?;
//!     println!("{peer}");
//!     Ok(())
//! })
//! # }
//! ```

use std::{
    io,
    ops::Deref,
    pin::Pin,
    rc::Rc,
    task::{Context, Poll},
};

use miou_rs::{Promise, Sleep, sleep_until};
use netstack::proto;
pub use netstack::{
    self, Config, FrameDevice, ReadHalf, Stack, TcpListener, TcpStream, UdpSocket, WriteHalf,
    proto::ipv4::{Cidr, Route},
};
use solo5_ffi::Net;

use crate::source::{Port, source};

/// Starts a stack on `device`, driven by a task of its own.
///
/// # Errors
///
/// As [`Stack::new`].
///
/// # Panics
///
/// Outside of [`run`](crate::run).
pub fn start(device: Net, config: Config) -> io::Result<Network> {
    let device = Device(source().add(device));
    let (stack, runner) = Stack::new(device, Alarm::default(), config)?;
    let driver = miou_rs::spawn_driver("network", runner);
    Ok(Network { stack, driver })
}

/// A [`Stack`] and the task that drives it; the stack stands still once this
/// value is dropped.
pub struct Network {
    stack: Stack,
    driver: Promise<io::Error>,
}

impl Network {
    /// Waits until the device breaks; its error.
    pub async fn failure(self) -> io::Error {
        self.driver
            .await
            .unwrap_or_else(|aborted| io::Error::other(aborted.to_string()))
    }
}

impl Deref for Network {
    type Target = Stack;

    fn deref(&self) -> &Stack {
        &self.stack
    }
}

/// A device of the unikernel, as the stack wants it.
struct Device(Rc<Port>);

impl FrameDevice for Device {
    fn mtu(&self) -> usize {
        self.0.net().mtu()
    }

    fn mac(&self) -> proto::ethernet::MacAddr {
        self.0.net().mac_address().into()
    }

    fn try_read(&mut self, buffer: &mut [u8]) -> io::Result<Option<usize>> {
        self.0.read(buffer).map_err(io::Error::other)
    }

    fn write(&mut self, frame: &[u8]) -> io::Result<()> {
        self.0.net().write(frame).map_err(io::Error::other)
    }

    fn poll_readable(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.0.is_readable() {
            return Poll::Ready(Ok(()));
        }
        self.0.wake_when_readable(context.waker());
        Poll::Pending
    }
}

/// The scheduler's clock and one of its alarms.
#[derive(Default)]
struct Alarm(Option<Sleep>);

impl netstack::Timer for Alarm {
    fn now(&self) -> proto::Instant {
        proto::Instant::from_nanos(miou_rs::Instant::now().as_nanos())
    }

    fn poll_until(&mut self, context: &mut Context<'_>, deadline: proto::Instant) -> Poll<()> {
        let deadline = miou_rs::Instant::from_nanos(deadline.as_nanos());
        let sleep = self.0.get_or_insert_with(|| sleep_until(deadline));
        if sleep.deadline() != deadline {
            sleep.reset(deadline);
        }
        Pin::new(sleep).poll(context)
    }
}
