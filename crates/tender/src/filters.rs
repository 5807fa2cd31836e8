//! What the tests of the eight seccomp filters share: an interpreter of classic BPF, which asks a filter without
//! installing it, and devices to make a filter for.

use std::fmt::Write as _;
use std::io::Write as _;
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;

use seccompiler::BpfProgram;
use solo5_abi::manifest::{
    BLOCK_DISCARD, BLOCK_FLUSH, BLOCK_MANY, DeviceType, Entry, Header, Manifest, TENDER_FLUSH,
    TenderProperties,
};

use crate::attach::Devices;
use crate::flush::Background;
use crate::options;

/// `AUDIT_ARCH_*` (linux/audit.h).
const X86_64: u32 = 0xc000_003e;
const I386: u32 = 0x4000_0003;
/// The bit of a call's number that says that it is of the x32 ABI.
const X32: u32 = 0x4000_0000;
/// Call numbers that are tried: more than any kernel has.
const NUMBERS: u32 = 1024;
/// The most instructions that the kernel takes (`BPF_MAXINSNS`).
const MAX_INSTRUCTIONS: usize = 4096;

/// A system call as a filter sees it (`struct seccomp_data`).
#[derive(Clone, Copy, Debug)]
pub(crate) struct Call {
    pub(crate) number: u32,
    pub(crate) arguments: [u64; 6],
}

/// Whether the filter lets the call of that architecture through; otherwise it must kill the process.
fn lets_through(filter: &BpfProgram, arch: u32, call: &Call) -> bool {
    let mut data = [
        call.number.to_ne_bytes(),
        arch.to_ne_bytes(),
        [0; 4],
        [0; 4],
    ]
    .concat();
    data.extend(call.arguments.iter().flat_map(|word| word.to_ne_bytes()));
    let (mut at, mut accumulator, mut index, mut words) = (0, 0_u32, 0_u32, [None; 16]);
    loop {
        let instruction = &filter[at];
        let k = instruction.k;
        let jump =
            |holds: bool| 1 + usize::from([instruction.jf, instruction.jt][usize::from(holds)]);
        // The codes of linux/bpf_common.h, as far as filters use them.
        at += match instruction.code {
            0x20 => {
                let bytes = data[k as usize..][..4].try_into();
                accumulator = u32::from_ne_bytes(bytes.unwrap());
                1
            }
            0x54 => {
                accumulator &= k;
                1
            }
            0x04 => {
                accumulator = accumulator.wrapping_add(k);
                1
            }
            0x0c => {
                accumulator = accumulator.wrapping_add(index);
                1
            }
            0x07 => {
                index = accumulator;
                1
            }
            0x61 => {
                index = words[k as usize].expect("a word that has been written");
                1
            }
            0x87 => {
                accumulator = index;
                1
            }
            0x02 => {
                words[k as usize] = Some(accumulator);
                1
            }
            0x60 => {
                accumulator = words[k as usize].expect("a word that has been written");
                1
            }
            0x3d => jump(accumulator >= index),
            0x05 => 1 + k as usize,
            0x15 => jump(accumulator == k),
            0x25 => jump(accumulator > k),
            0x35 => jump(accumulator >= k),
            0x06 if k == libc::SECCOMP_RET_ALLOW => return true,
            0x06 => {
                assert_eq!(k, libc::SECCOMP_RET_KILL_PROCESS, "{call:?}");
                return false;
            }
            code => panic!("instruction {at}: code {code:#x}"),
        };
    }
}

/// Whether the filter lets a call of this machine's own ABI through.
pub(crate) fn allows(filter: &BpfProgram, call: &Call) -> bool {
    lets_through(filter, X86_64, call)
}

/// Compares what the filter says with what `allowed` says: for all numbers and ABIs, and with many arguments for those
/// numbers that are let through at all. `values` are what arguments are made of, besides small numbers and large ones.
pub(crate) fn sweep(filter: &BpfProgram, values: &[u64], allowed: impl Fn(&Call) -> bool) {
    const ARGUMENTS: [u64; 8] = [0, 1, 2, 3, 1 << 32, u32::MAX as u64, 1 << 63, u64::MAX];
    let mut candidates = [&ARGUMENTS[..], values].concat();
    // Of an `int`, the kernel ignores the upper half; of a word it does not.
    candidates.extend(values.iter().map(|value| value | 1 << 40));
    candidates.extend(
        values
            .iter()
            .flat_map(|value| [value.wrapping_sub(1), value + 1]),
    );
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut random = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state as usize
    };
    let mut numbers: Vec<u32> = Vec::new();
    for number in (0..NUMBERS).chain([X32 - 1, u32::MAX]) {
        for _ in 0..40 {
            let arguments = [(); 6].map(|()| candidates[random() % candidates.len()]);
            let call = Call { number, arguments };
            let lets = lets_through(filter, X86_64, &call);
            assert_eq!(lets, allowed(&call), "{call:?}");
            let foreign = Call {
                number: number | X32,
                ..call
            };
            assert!(!lets_through(filter, X86_64, &foreign), "x32: {call:?}");
            assert!(!lets_through(filter, I386, &call), "i386: {call:?}");
            if lets {
                numbers.push(number);
            }
        }
    }
    numbers.dedup();
    for number in numbers {
        for _ in 0..10_000 {
            let arguments = [(); 6].map(|()| candidates[random() % candidates.len()]);
            let call = Call { number, arguments };
            assert_eq!(
                lets_through(filter, X86_64, &call),
                allowed(&call),
                "{call:?}"
            );
        }
    }
}

/// That the kernel would take the filter.
#[track_caller]
pub(crate) fn assert_fits(filter: &BpfProgram) {
    assert!(
        filter.len() <= MAX_INSTRUCTIONS,
        "{} instructions",
        filter.len()
    );
}

/// The device's count that the descriptor is: one that begins flushes, and one that tells of their ends.
pub(crate) fn count_of(devices: &Devices, fd: RawFd) -> [bool; 2] {
    let counts = devices.block.iter();
    let counts = counts.filter_map(|device| device.background.as_ref());
    let is = |of: fn(&Background) -> &OwnedFd| {
        let mut counts = counts.clone();
        counts.any(|counts| of(counts).as_raw_fd() == fd)
    };
    [is(|counts| &counts.begin), is(|counts| &counts.end)]
}

/// The descriptors of all such counts.
pub(crate) fn counts(devices: &Devices) -> impl Iterator<Item = u64> {
    let counts = devices.block.iter();
    let counts = counts.filter_map(|device| device.background.as_ref());
    let fds = counts.flat_map(|counts| [counts.begin.as_raw_fd(), counts.end.as_raw_fd()]);
    fds.map(|fd| fd as u64)
}

/// So many TAP interfaces, in a network namespace of their own, and so many images of 2048 bytes, of which all but the
/// first are asked for whatever there is to ask for.
pub(crate) fn devices(taps: usize, images: usize) -> Devices {
    with_devices(taps, images, |devices| devices)
}

/// Runs `test` with such [`devices`] in that namespace, where interface `tapN` has the address 10.9.N.1/24, and frames of
/// nobody's but the test's.
pub(crate) fn with_devices<T: Send>(
    taps: usize,
    images: usize,
    test: impl FnOnce(Devices) -> T + Send,
) -> T {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    let folder = std::env::temp_dir().join(format!("filters-{}-{count}", std::process::id()));
    std::fs::create_dir(&folder).unwrap();
    let mut manifest = Header::new((1 + taps + images) as u32).to_bytes().to_vec();
    let asks = TenderProperties {
        wanted: TENDER_FLUSH,
        ..Default::default()
    };
    manifest.extend(Entry::first(asks).to_bytes());
    let (mut line, mut interfaces) = (Vec::new(), String::new());
    for index in 0..taps {
        let entry = Entry::new(&format!("net{index}"), DeviceType::NetBasic);
        manifest.extend(entry.to_bytes());
        line.push(format!("--net:net{index}=tap{index}"));
        writeln!(
            interfaces,
            "tuntap add tap{index} mode tap\naddr add 10.9.{index}.1/24 dev tap{index}\nlink set tap{index} up"
        )
        .unwrap();
    }
    for index in 0..images {
        let mut entry = Entry::new(&format!("disk{index}"), DeviceType::BlockBasic);
        if index > 0 {
            entry = entry.wanting(BLOCK_FLUSH | BLOCK_MANY | BLOCK_DISCARD);
        }
        manifest.extend(entry.to_bytes());
        let image = folder.join(format!("disk{index}"));
        std::fs::write(&image, [0; 2048]).unwrap();
        line.push(format!("--block:disk{index}={}", image.display()));
    }
    line.push("kernel".to_owned());
    let Ok(options::Command::Run(options)) = options::parse(line.iter().map(Into::into)) else {
        panic!("{line:?}")
    };
    let attach = || {
        // SAFETY: the call takes no pointer and has no effect on memory.
        let entered = unsafe { libc::unshare(libc::CLONE_NEWNET) };
        assert_eq!(
            entered, 0,
            "a network namespace needs root (or `unshare --user --map-root-user`)"
        );
        // IPv6 sends by itself. Where there is none, nothing has to be turned off.
        let _ = std::fs::write("/proc/sys/net/ipv6/conf/default/disable_ipv6", "1");
        let mut ip = Command::new("ip")
            .args(["-batch", "-"])
            .stdin(Stdio::piped())
            .spawn()
            .unwrap();
        ip.stdin
            .take()
            .unwrap()
            .write_all(interfaces.as_bytes())
            .unwrap();
        assert!(ip.wait().unwrap().success());
        test(Devices::attach(&Manifest::parse(&manifest).unwrap(), &options).unwrap())
    };
    // The namespace is that of a thread; descriptors outlive it.
    let result = thread::scope(|scope| scope.spawn(attach).join()).unwrap();
    std::fs::remove_dir_all(folder).unwrap();
    result
}
