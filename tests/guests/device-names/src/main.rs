//! Declares `disk` in three places and two crates, and uses it once; and asks for offload of `uplink`.
#![forbid(unsafe_code)]

use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use solo5_ffi::{AcquireError, Block, NetError};

mod other {
    use solo5_ffi::{AcquireError, Block};

    pub(crate) fn disk() -> Result<Block, AcquireError> {
        solo5_ffi::block!("disk")
    }
}

fn main() {
    let first: Result<(Block, u8), AcquireError> = device_names::disk();
    let (disk, _) = first.expect("nobody has acquired it before");
    println!("disk: {} bytes", disk.capacity());

    let again: [Result<Block, AcquireError>; 3] = [
        device_names::disk::<String>().map(|(disk, _)| disk),
        other::disk(),
        solo5_ffi::block!("disk"),
    ];
    for result in again {
        println!("{}", result.expect_err("it is acquired"));
    }

    let service = pin!(device_names::service::<u64>());
    match service.poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(Ok((net, _))) => println!("service: MTU {}", net.mtu()),
        Poll::Ready(Err(error)) => println!("{error}"),
        Poll::Pending => println!("service: pending"),
    }

    let uplink = device_names::uplink().expect("nobody has acquired it before");
    let too_short = uplink.write(&[0; 13]);
    let Err(NetError::FrameLength { min, max, .. }) = too_short else {
        panic!("{too_short:?}");
    };
    assert_eq!(max, uplink.read_size());
    println!(
        "uplink: MTU {}, offload {}, frames of {min} to {max} bytes",
        uplink.mtu(),
        uplink.has_offload()
    );
}
