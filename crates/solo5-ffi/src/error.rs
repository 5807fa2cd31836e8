//! What can go wrong, with the numbers that were expected.

use core::fmt;

use crate::DeviceType;

/// Why a device could not be acquired.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum AcquireError {
    /// The device is acquired already, or the tender has attached none of that name and type.
    ///
    /// A device is acquired once in the life of a program: Solo5 has no call to give it back.
    Unavailable {
        /// The device.
        name: &'static str,
        /// What it was asked to be.
        device_type: DeviceType,
    },
    /// On a host, the interface or the disk image behind the device cannot be used.
    #[cfg(not(any(solo5 = "hvt", solo5 = "spt")))]
    Host {
        /// The device.
        name: &'static str,
        /// What is wrong with what backs it.
        reason: String,
    },
}

impl fmt::Display for AcquireError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unavailable { name, device_type } => write!(
                f,
                "device {name:?} of type {}: acquired already, or not attached",
                device_type.as_str()
            ),
            #[cfg(not(any(solo5 = "hvt", solo5 = "spt")))]
            Self::Host { name, reason } => write!(f, "device {name:?}: {reason}"),
        }
    }
}

impl core::error::Error for AcquireError {}

/// Why a frame could not be sent or received.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum NetError {
    /// The frame to send has not a length that an Ethernet frame can have on this device.
    FrameLength {
        /// Bytes given, the Ethernet header included.
        length: usize,
        /// The fewest bytes.
        min: usize,
        /// The most bytes: [`Net::read_size`](crate::Net::read_size).
        max: usize,
    },
    /// The buffer to receive into could not hold every frame of this device.
    BufferLength {
        /// Bytes given.
        length: usize,
        /// Bytes needed: [`Net::read_size`](crate::Net::read_size).
        min: usize,
    },
    /// The host failed; Solo5 does not tell how.
    Host,
}

impl fmt::Display for NetError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::FrameLength { length, min, max } => {
                write!(f, "a frame of {length} bytes: expected {min} to {max}")
            }
            Self::BufferLength { length, min } => {
                write!(f, "a buffer of {length} bytes: a frame may have {min}")
            }
            Self::Host => f.write_str("the host failed in network I/O"),
        }
    }
}

impl core::error::Error for NetError {}

/// Why a block could not be read or written, or the device not be flushed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum BlockError {
    /// The buffer is not a whole number of blocks, or too many, or none.
    Length {
        /// Bytes given.
        length: usize,
        /// Bytes in a block of this device.
        block_size: usize,
        /// The most bytes: [`Block::max_transfer`](crate::Block::max_transfer).
        max: usize,
    },
    /// Offset or length is no multiple of the block size, or the blocks from there on are not all on the device.
    Offset {
        /// The offset, in bytes.
        offset: u64,
        /// Bytes given.
        length: u64,
        /// Bytes in a block of this device.
        block_size: usize,
        /// Bytes on this device.
        capacity: u64,
    },
    /// The image behind the device has been cut short while in use.
    Shrunk,
    /// The host has no room for what is written: its disk is full, or a quota or a limit on the size of files is reached.
    NoSpace,
    /// The host cannot make durable what was written: see [`Block::can_flush`](crate::Block::can_flush).
    CannotFlush,
    /// The host cannot give up blocks: see [`Block::can_discard`](crate::Block::can_discard).
    CannotDiscard,
    /// The host failed; Solo5 does not tell how.
    Host,
}

impl fmt::Display for BlockError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Length {
                length,
                block_size,
                max,
            } => write!(
                f,
                "a buffer of {length} bytes: expected blocks of {block_size}, {max} bytes at most"
            ),
            Self::Offset {
                offset,
                length,
                block_size,
                capacity,
            } => write!(
                f,
                "{length} bytes at offset {offset}: expected multiples of {block_size}, and an end within the capacity, \
                 {capacity}"
            ),
            Self::Shrunk => f.write_str("the image behind the device is shorter than it was"),
            Self::NoSpace => f.write_str("the host has no room for what is to be written"),
            Self::CannotFlush => f.write_str("the host cannot sync the device"),
            Self::CannotDiscard => f.write_str("the host cannot give up blocks of the device"),
            Self::Host => f.write_str("the host failed in block I/O"),
        }
    }
}

impl core::error::Error for BlockError {}
