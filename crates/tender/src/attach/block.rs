//! Block devices.

use std::os::fd::{AsRawFd, RawFd};
use std::path::Path;

use hostdev::{BlockImage, BlockSize};
use solo5_abi::api::BLOCK_MANY_MAX;
use solo5_abi::manifest::{
    BLOCK_DISCARD, BLOCK_FLUSH, BLOCK_MANY, BLOCK_WHOLE, BlockProperties, Entry,
};

use super::AttachError;
use crate::flush::Background;

/// An attached block device.
#[derive(Debug)]
pub struct BlockDevice {
    /// Its handle, the index in the manifest.
    pub handle: usize,
    /// The host's side of it.
    pub image: BlockImage,
    /// The features that the guest has, of those that it asks for: bits such as [`BLOCK_FLUSH`].
    pub granted: u16,
    /// Of a guest that has [`TENDER_FLUSH`](solo5_abi::manifest::TENDER_FLUSH), if the device can be flushed.
    pub(crate) background: Option<Background>,
}

impl BlockDevice {
    /// Its descriptors.
    pub(super) fn descriptors(&self) -> impl Iterator<Item = RawFd> + use<> {
        let background = self.background.as_ref();
        let background =
            background.map(|counts| [counts.begin.as_raw_fd(), counts.end.as_raw_fd()]);
        let image = self.image.as_raw_fd();
        std::iter::once(image).chain(background.into_iter().flatten())
    }

    /// Whether the guest has all of these features.
    pub(crate) fn has(&self, features: u16) -> bool {
        self.granted & features == features
    }

    /// Bytes that one read or write may carry: these, or fewer if the guest may ask for [many blocks](BLOCK_MANY).
    pub(crate) fn max_transfer(&self) -> u64 {
        match self.has(BLOCK_MANY) {
            true => BLOCK_MANY_MAX as u64,
            false => u64::from(self.image.block_size().get()),
        }
    }
}

/// Opens an image as the device with that entry; the device, and the entry with it attached.
pub(super) fn open(
    handle: usize,
    entry: Entry,
    path: &Path,
    size: BlockSize,
    flushes: bool,
) -> Result<(BlockDevice, Entry), AttachError> {
    let name = || entry.name().unwrap_or_default().to_owned();
    let image = BlockImage::open(path, size).map_err(|source| AttachError::Block {
        name: name(),
        source,
    })?;
    let wanted = entry.wanted();
    let granted = wanted & can(&image);
    let properties = BlockProperties {
        capacity: image.capacity(),
        block_size: size.get(),
        wanted,
        granted: granted | BLOCK_WHOLE,
    };
    let mut attached = entry.with_block(image.as_raw_fd(), properties);
    let mut background = None;
    if flushes && granted & BLOCK_FLUSH != 0 {
        let failed = |source| AttachError::Flush {
            name: name(),
            source,
        };
        let made = Background::new().map_err(failed)?;
        attached = attached.with_flush_fds(made.fds().map_err(failed)?);
        background = Some(made);
    }
    let device = BlockDevice {
        handle,
        image,
        granted,
        background,
    };
    Ok((device, attached))
}

/// The features that an image can have.
fn can(image: &BlockImage) -> u16 {
    let feature = |can, bit| if can { bit } else { 0 };
    BLOCK_MANY
        | feature(image.can_flush(), BLOCK_FLUSH)
        | feature(image.can_discard(), BLOCK_DISCARD)
}
