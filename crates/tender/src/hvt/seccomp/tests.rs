//! The filters for all system calls, asked without installing them.

use std::fs::File;

use solo5_abi::manifest::MAX_ENTRIES;

use super::*;
use crate::filters::{self, Call, assert_fits, sweep};

/// The values of arguments that mean something.
fn values(devices: &Devices, others: &[&dyn AsRawFd]) -> Vec<u64> {
    let taps = devices
        .net
        .iter()
        .map(|device| device.interface.as_raw_fd());
    let images = devices.block.iter().map(|device| device.image.as_raw_fd());
    let others = others.iter().map(|other| other.as_raw_fd());
    let requests = [KVM_RUN, KVM_GET_REGS].map(u64::from);
    let fds = taps.chain(images).chain(others).map(|fd| fd as u64);
    let counts = filters::counts(devices);
    fds.chain(counts).chain(requests).collect()
}

/// What both threads may do.
fn shared(devices: &Devices, call: &Call) -> bool {
    let fd = call.arguments[0] as i32;
    let is_tap = devices
        .net
        .iter()
        .any(|device| device.interface.as_raw_fd() == fd);
    match libc::c_long::from(call.number) {
        libc::SYS_exit_group => true,
        libc::SYS_read => is_tap,
        libc::SYS_write => fd == libc::STDERR_FILENO || is_tap,
        _ => false,
    }
}

#[test]
fn nothing_but_its_list_is_let_through_for_the_processor() {
    let vcpu = File::open("/dev/null").unwrap();
    for (taps, images) in [(0, 0), (2, 2)] {
        let devices = filters::devices(taps, images);
        let doorbell = (taps > 0).then(|| Doorbell::new().unwrap());
        let filter = vcpu_filter(&vcpu, &devices, doorbell.as_ref()).unwrap();
        let allowed = |call: &Call| {
            let [fd, second] = [0, 1].map(|index| call.arguments[index] as i32);
            let image = devices
                .block
                .iter()
                .find(|device| device.image.as_raw_fd() == fd);
            let is_image = image.is_some();
            let has = |feature| image.is_some_and(|device| device.has(feature));
            let bell = doorbell.as_ref();
            let [begins, ends] = filters::count_of(&devices, fd);
            let own = match libc::c_long::from(call.number) {
                libc::SYS_ioctl => {
                    let request = second.cast_unsigned();
                    fd == vcpu.as_raw_fd() && (request == KVM_RUN || request == KVM_GET_REGS)
                }
                libc::SYS_write => {
                    fd == 1 || begins || bell.is_some_and(|bell| bell.kick.as_raw_fd() == fd)
                }
                libc::SYS_read => ends || bell.is_some_and(|bell| bell.done.as_raw_fd() == fd),
                libc::SYS_clock_gettime => {
                    fd == libc::CLOCK_REALTIME || fd == libc::CLOCK_MONOTONIC
                }
                libc::SYS_ppoll => true,
                libc::SYS_pread64 | libc::SYS_pwrite64 | libc::SYS_lseek => is_image,
                libc::SYS_fdatasync => has(BLOCK_FLUSH),
                libc::SYS_fallocate => has(BLOCK_DISCARD) && second == 3,
                _ => false,
            };
            own || shared(&devices, call)
        };
        let mut others: Vec<&dyn AsRawFd> = vec![&vcpu];
        if let Some(bell) = &doorbell {
            others.extend([&bell.kick as &dyn AsRawFd, &bell.done]);
        }
        sweep(&filter, &values(&devices, &others), allowed);
    }
}

#[test]
fn nothing_but_its_list_is_let_through_for_the_ring() {
    let devices = filters::devices(2, 2);
    let bell = Doorbell::new().unwrap();
    let filter = ring_filter(&devices, &bell).unwrap();
    let allowed = |call: &Call| {
        let fd = call.arguments[0] as i32;
        let own = match libc::c_long::from(call.number) {
            libc::SYS_read => fd == bell.kick.as_raw_fd(),
            libc::SYS_write => fd == bell.done.as_raw_fd(),
            libc::SYS_pause => true,
            _ => false,
        };
        own || shared(&devices, call)
    };
    sweep(
        &filter,
        &values(&devices, &[&bell.kick, &bell.done]),
        allowed,
    );
}

#[test]
fn nothing_but_its_list_is_let_through_for_flushes() {
    let devices = filters::devices(1, 3);
    let image = &devices.block[1].image;
    let background = devices.block[1].background.as_ref().unwrap();
    let filter = flush_filter(image, background).unwrap();
    let allowed = |call: &Call| {
        let fd = call.arguments[0] as i32;
        match libc::c_long::from(call.number) {
            libc::SYS_exit_group => true,
            libc::SYS_read => fd == background.begin.as_raw_fd(),
            libc::SYS_lseek | libc::SYS_fdatasync => fd == image.as_raw_fd(),
            libc::SYS_write => [libc::STDERR_FILENO, background.end.as_raw_fd()].contains(&fd),
            _ => false,
        }
    };
    sweep(&filter, &values(&devices, &[]), allowed);
}

#[test]
fn nothing_but_its_list_is_let_through_for_the_signals() {
    let shutdown = Shutdown::new(1).unwrap();
    let (told, notice) = (shutdown.told.as_raw_fd(), shutdown.notice);
    let filter = watch_filter(&shutdown).unwrap();
    let allowed = |call: &Call| {
        let fd = call.arguments[0] as i32;
        match libc::c_long::from(call.number) {
            libc::SYS_exit_group | libc::SYS_rt_sigtimedwait => true,
            libc::SYS_write => [libc::STDERR_FILENO, told, notice].contains(&fd),
            libc::SYS_sendto => fd == libc::STDERR_FILENO,
            _ => false,
        }
    };
    let values = [told, notice].map(|fd| u64::from(fd.cast_unsigned()));
    sweep(&filter, &values, allowed);
}

#[test]
fn the_kernel_takes_the_filters_of_as_many_devices_as_a_manifest_holds() {
    let most = MAX_ENTRIES - 1;
    let vcpu = File::open("/dev/null").unwrap();
    let bell = Doorbell::new().unwrap();
    for (taps, images) in [(most, 0), (0, most)] {
        let devices = filters::devices(taps, images);
        assert_fits(&vcpu_filter(&vcpu, &devices, Some(&bell)).unwrap());
        assert_fits(&ring_filter(&devices, &bell).unwrap());
    }
}
