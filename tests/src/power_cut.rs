//! A disk whose power can be cut: whatever was not flushed is lost.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

/// A loop device on an image. What is written to the device stays in its own page cache until it is flushed, or until the
/// kernel gets to it half a minute later: the image has what is durable. Needs root.
#[derive(Debug)]
pub struct PowerCut {
    folder: TempDir,
    cuts: u32,
    attached: Attached,
}

/// The image of one life, behind its device.
#[derive(Debug)]
struct Attached {
    image: PathBuf,
    device: PathBuf,
    /// Who closes a device as the last one flushes it: that is never the guest.
    open: Option<File>,
}

impl PowerCut {
    /// A disk of so many octets, all zeros.
    ///
    /// # Panics
    ///
    /// When there is no loop device to be had.
    pub fn new(octets: u64) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let image = folder.path().join("0");
        let file = File::create(&image).expect("an image can be created");
        file.set_len(octets).expect("an image can be extended");
        let attached = Attached::new(image);
        let cuts = 0;
        Self {
            folder,
            cuts,
            attached,
        }
    }

    /// The block device, for a tender.
    pub fn device(&self) -> &Path {
        &self.attached.device
    }

    /// Cuts the power. Who uses the device has been killed before; afterwards [`device`](Self::device) is another one, which
    /// has what was durable.
    ///
    /// # Panics
    ///
    /// When the image cannot be copied, or there is no loop device to be had.
    pub fn cut(&mut self) {
        self.cuts += 1;
        let image = self.folder.path().join(self.cuts.to_string());
        // Before the device is detached, which flushes it.
        fs::copy(&self.attached.image, &image).expect("an image can be copied");
        self.attached = Attached::new(image);
    }
}

impl Attached {
    fn new(image: PathBuf) -> Self {
        let path = image.to_str().expect("the path is UTF-8");
        let device = PathBuf::from(losetup(&["--find", "--show", path]));
        let open = Some(File::open(&device).expect("the device can be opened"));
        Self {
            image,
            device,
            open,
        }
    }
}

impl Drop for Attached {
    fn drop(&mut self) {
        drop(self.open.take());
        losetup(&["--detach", self.device.to_str().expect("the path is UTF-8")]);
        // What the device has written at last is of no matter.
        let _ = fs::remove_file(&self.image);
    }
}

/// What the program prints.
fn losetup(arguments: &[&str]) -> String {
    let output = Command::new("losetup").args(arguments).output();
    let output = output.expect("losetup (util-linux) can be run");
    assert!(output.status.success(), "losetup {arguments:?}: {output:?}");
    let text = String::from_utf8_lossy(&output.stdout);
    text.trim().to_owned()
}
