//! MAC addresses, disk images, and every way in which a TAP can be refused without any privilege.
//! (Frames through a TAP are tested by the tenders' whole-unikernel tests, in a network namespace.)

use std::fs::File;
use std::os::fd::AsRawFd;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use hostdev::{BlockError, BlockImage, BlockSize, ImageError, MacAddress, Tap, TapError};

fn image(name: &str, len: u64) -> PathBuf {
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
    File::create(&path).unwrap().set_len(len).unwrap();
    path
}

/// Opens an image that was closed. A process that another test starts has its descriptor, and so the lock, until it becomes
/// another program.
fn open_again(path: &Path) -> BlockImage {
    for _ in 0..1000 {
        match BlockImage::open(path, BlockSize::default()) {
            Err(BlockError::InUse(_)) => thread::sleep(Duration::from_millis(10)),
            opened => return opened.unwrap(),
        }
    }
    panic!("{path:?} stays locked");
}

#[test]
fn mac_addresses_parse_and_print() {
    let mac: MacAddress = "2:0:0a:FF:7:80".parse().unwrap();
    assert_eq!(mac, MacAddress([2, 0, 10, 255, 7, 128]));
    assert_eq!(mac.to_string(), "02:00:0a:ff:07:80");
}

#[test]
fn malformed_mac_addresses_are_refused() {
    for text in [
        "",
        "02:00:00:00:00",
        "02:00:00:00:00:00:00",
        "02:00:00:00:00:",
        "2:0:0:0:0:100",
        "+2:0:0:0:0:0",
        "gg:0:0:0:0:0",
    ] {
        let error = text.parse::<MacAddress>().unwrap_err().to_string();
        assert!(error.contains(&format!("{text:?}")), "{error}");
    }
}

#[test]
fn random_mac_addresses_are_local_unicast() {
    for _ in 0..64 {
        assert_eq!(MacAddress::random().unwrap().0[0] & 3, 2);
    }
}

#[test]
fn block_sizes_are_powers_of_two_in_range() {
    for good in [512, 1024, 4096, 32768] {
        assert_eq!(u64::from(BlockSize::new(good).unwrap().get()), good);
    }
    for bad in [0, 1, 256, 511, 521, 513, 65536, u64::MAX] {
        let error = BlockSize::new(bad).unwrap_err().to_string();
        assert!(
            error.contains(&bad.to_string()) && error.contains("power of two"),
            "{error}"
        );
    }
}

#[test]
fn images_read_back_what_was_written() {
    let disk =
        BlockImage::open(&image("read-back.img", 4096), BlockSize::new(1024).unwrap()).unwrap();
    assert_eq!((disk.capacity(), disk.block_size().get()), (4096, 1024));
    disk.write_at(1024, &[7; 1024]).unwrap();
    let mut block = [0; 1024];
    disk.read_at(1024, &mut block).unwrap();
    assert_eq!(block, [7; 1024]);
    disk.read_at(2048, &mut block).unwrap();
    assert_eq!(block, [0; 1024]);
    assert!(disk.read_at(3584, &mut block).is_err(), "past the end");
}

#[test]
fn images_of_the_wrong_length_are_refused() {
    let odd = BlockImage::open(&image("odd.img", 1000), BlockSize::default()).unwrap_err();
    assert!(matches!(
        odd,
        BlockError::NotMultiple { capacity: 1000, .. }
    ));
    assert!(
        odd.to_string()
            .contains("Backing storage size must be block aligned"),
        "{odd}"
    );
    let empty = BlockImage::open(&image("empty.img", 0), BlockSize::default()).unwrap_err();
    assert!(matches!(empty, BlockError::Empty { .. }));
    let short =
        BlockImage::open(&image("short.img", 512), BlockSize::new(4096).unwrap()).unwrap_err();
    assert!(
        matches!(short, BlockError::NotMultiple { .. }),
        "the multiple is checked first"
    );
}

#[test]
fn images_that_cannot_be_opened_are_named() {
    let missing =
        BlockImage::open("/nonexistent/disk.img".as_ref(), BlockSize::default()).unwrap_err();
    assert!(matches!(missing, BlockError::Open { .. }));
    assert!(
        missing.to_string().contains("/nonexistent/disk.img"),
        "{missing}"
    );
    let folder =
        BlockImage::open(env!("CARGO_TARGET_TMPDIR").as_ref(), BlockSize::default()).unwrap_err();
    assert!(matches!(folder, BlockError::Open { .. }));
}

#[test]
fn tap_names_are_checked() {
    assert!(matches!(
        Tap::open("").unwrap_err(),
        TapError::NameLength(_)
    ));
    let error = Tap::open("sixteen-bytes-ab").unwrap_err();
    assert!(
        error
            .to_string()
            .contains("is 16 bytes long: expected 1 to 15"),
        "{error}"
    );
}

#[test]
fn taps_are_never_created() {
    let error = Tap::open("nosuchtap0").unwrap_err();
    assert!(matches!(error, TapError::NotFound(_)));
    // All that there is to type, at once.
    for expected in [
        "\"nosuchtap0\" does not exist",
        "ip tuntap add dev nosuchtap0 mode tap user USER && ip address add 10.0.0.1/24 dev nosuchtap0 && ip link set nosuchtap0 up",
        "=user in place of =nosuchtap0",
    ] {
        assert!(error.to_string().contains(expected), "{error}");
    }
    assert!(matches!(
        Tap::open("tap%d").unwrap_err(),
        TapError::NotFound(_)
    ));
}

#[test]
fn inherited_descriptors_must_be_taps() {
    assert!(matches!(
        Tap::from_inherited(9999).unwrap_err(),
        TapError::Descriptor { fd: 9999, .. }
    ));
    assert!(matches!(
        Tap::from_inherited(-1).unwrap_err(),
        TapError::Descriptor { fd: -1, .. }
    ));
    let file = File::open("/dev/null").unwrap();
    assert!(matches!(
        Tap::from_inherited(file.as_raw_fd()).unwrap_err(),
        TapError::NotTap { .. }
    ));
}

#[test]
fn an_image_is_used_by_one_device_at_a_time() {
    let path = image("locked", 1024);
    let first = BlockImage::open(&path, BlockSize::default()).unwrap();
    let error = BlockImage::open(&path, BlockSize::default()).unwrap_err();
    assert!(matches!(error, BlockError::InUse(_)), "{error:?}");
    assert_eq!(
        error.to_string(),
        format!("{path:?} is in use: expected an image that nothing else has locked")
    );
    drop(first);
    open_again(&path);
}

/// What was lost stays lost, also when the file has its length again.
#[test]
fn no_flush_succeeds_after_one_has_failed() {
    let path = image("flushed", 2048);
    let disk = BlockImage::open(&path, BlockSize::default()).unwrap();
    assert!(disk.can_flush());
    disk.write_at(0, &[7; 512]).unwrap();
    disk.flush().unwrap();
    disk.flush().unwrap();

    let file = File::options().write(true).open(&path).unwrap();
    file.set_len(100).unwrap();
    let error = disk.flush().unwrap_err();
    assert!(matches!(error, ImageError::Shrunk { capacity: 2048 }));
    assert_eq!(
        error.to_string(),
        "image is shorter than the 2048 bytes that it had"
    );
    file.set_len(2048).unwrap();
    for _ in 0..2 {
        assert!(matches!(disk.flush(), Err(ImageError::Lost)));
    }
    // It is usable otherwise.
    disk.write_at(0, &[8; 512]).unwrap();
    disk.read_at(0, &mut [0; 512]).unwrap();
    drop(disk);
    open_again(&path).flush().unwrap();
}

#[test]
fn what_befalls_an_image_that_is_cut_short_is_told() {
    let path = image("cut", 2048);
    let disk = BlockImage::open(&path, BlockSize::default()).unwrap();
    File::options()
        .write(true)
        .open(&path)
        .unwrap()
        .set_len(1000)
        .unwrap();
    let shrunk = |result| matches!(result, Err(ImageError::Shrunk { capacity: 2048 }));
    assert!(disk.read_at(0, &mut [0; 512]).is_ok());
    assert!(shrunk(disk.read_at(512, &mut [0; 512])));
    assert!(shrunk(disk.read_at(1536, &mut [0; 512])));
    assert!(shrunk(disk.write_at(0, &[0; 512])));
    assert!(matches!(disk.flush(), Err(ImageError::Shrunk { .. })));
    assert_eq!(path.metadata().unwrap().len(), 1000);
}

#[test]
fn what_is_discarded_reads_as_zeros_and_the_length_stays() {
    let path = image("discarded", 8 << 12);
    let disk = BlockImage::open(&path, BlockSize::default()).unwrap();
    assert!(disk.can_discard());
    let written = [7; 8 << 12];
    disk.write_at(0, &written).unwrap();
    assert!(disk.can_discard());
    disk.discard(1 << 12, 4 << 12).unwrap();
    disk.discard((7 << 12) + 512, 512).unwrap();
    disk.flush().unwrap();
    let metadata = path.metadata().unwrap();
    assert_eq!(metadata.len(), 8 << 12);
    assert!(metadata.blocks() * 512 < 8 << 12, "{metadata:?}");
    for (at, octet) in std::fs::read(&path).unwrap().into_iter().enumerate() {
        let hole =
            (1 << 12..5 << 12).contains(&at) || ((7 << 12) + 512..(7 << 12) + 1024).contains(&at);
        assert_eq!(octet, if hole { 0 } else { 7 }, "at {at}");
    }
    assert!(disk.discard(u64::MAX, 512).is_err());
    assert!(disk.discard(0, u64::MAX).is_err());
    let file = File::options().write(true).open(&path).unwrap();
    file.set_len(100).unwrap();
    assert!(matches!(
        disk.discard(0, 512),
        Err(ImageError::Shrunk { .. })
    ));
    assert_eq!(path.metadata().unwrap().len(), 100);
}

#[test]
fn an_image_that_is_not_writable_is_refused_by_name() {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("readonly");
    std::fs::create_dir_all(&folder).unwrap();
    let path = folder.join("disk.img");
    File::create(&path).unwrap().set_len(512).unwrap();
    let opened = in_read_only(&folder, || BlockImage::open(&path, BlockSize::default()));
    let error = opened.unwrap_err();
    assert!(matches!(error, BlockError::Open { .. }), "{error:?}");
    assert_eq!(
        error.to_string(),
        format!(
            "cannot open {path:?} for reading and writing: Read-only file system (os error 30)"
        )
    );
}

/// Runs `test` where the folder cannot be written to, not even by root.
fn in_read_only<T: Send>(folder: &std::path::Path, test: impl FnOnce() -> T + Send) -> T {
    let mount = |arguments: &[&str]| {
        let mut command = std::process::Command::new("mount");
        let status = command.args(arguments).status().unwrap();
        assert!(status.success(), "mount {arguments:?}");
    };
    let folder = folder.to_str().unwrap();
    let run = || {
        // SAFETY: the call takes no pointer. The namespace is that of this thread.
        let entered = unsafe { libc::unshare(libc::CLONE_NEWNS) };
        assert_eq!(entered, 0, "a mount namespace needs root");
        mount(&["--make-rprivate", "/"]);
        mount(&["--bind", folder, folder]);
        mount(&["-o", "remount,bind,ro", folder]);
        test()
    };
    std::thread::scope(|scope| scope.spawn(run).join()).unwrap()
}
