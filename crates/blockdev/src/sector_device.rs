use alloc::boxed::Box;
use alloc::rc::Rc;
use core::cell::RefCell;
use core::task::{Context, Poll};
#[cfg(feature = "std")]
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::Geometry;

/// Something that transfers whole blocks, one or more at a time.
///
/// Implement it for what you have, then put a [`BlockDevice`](crate::BlockDevice) around it.
///
/// Who calls it keeps to this: `offset` is a multiple of the block size, what is transferred one
/// block or more, whole ones, at most [`max_transfer`](Self::max_transfer) bytes, and it lies on the
/// device. A device that is called otherwise may fail or panic.
pub trait SectorDevice {
    /// Why a transfer failed.
    type Error: core::error::Error;

    /// The size of the device and of its blocks. It does not change.
    fn geometry(&self) -> Geometry;

    /// Most bytes of one transfer: a multiple of the block size, one block if it is not said. It
    /// does not change.
    fn max_transfer(&self) -> usize {
        self.geometry().block_size()
    }

    /// Reads the blocks from byte `offset` on, as many as fill `blocks`.
    ///
    /// # Errors
    ///
    /// When a block cannot be read; `blocks` may hold anything then.
    fn read_blocks(&mut self, offset: u64, blocks: &mut [u8]) -> Result<(), Self::Error>;

    /// Writes the blocks from byte `offset` on.
    ///
    /// # Errors
    ///
    /// When a block cannot be written; each of the blocks may then be the old one, the new one, or
    /// anything.
    fn write_blocks(&mut self, offset: u64, blocks: &[u8]) -> Result<(), Self::Error>;

    /// Whether [`flush`](Self::flush) makes durable what has been written. If it is not said it
    /// does not, and a flush is refused ([`Error::CannotFlush`](crate::Error::CannotFlush)). It does
    /// not change.
    fn can_flush(&self) -> bool {
        false
    }

    /// Makes durable all that has been written, also before a flush that failed. It is called only
    /// where [`can_flush`](Self::can_flush) says so.
    ///
    /// # Errors
    ///
    /// When any of it may be lost. Hosts forget what they could not write, and their next flush
    /// succeeds: a device above such a host fails from then on.
    fn flush(&mut self) -> Result<(), Self::Error>;

    /// Begins what [`flush`](Self::flush) does, and may go on with it while the device is used; returns the number by which
    /// [`poll_flush`](Self::poll_flush) knows it. If it is not said otherwise, it is done when this returns.
    ///
    /// What was written before is durable when it has ended, and of what is written later any or none. Others may be begun
    /// before that, and flushes be made.
    ///
    /// # Errors
    ///
    /// As [`flush`](Self::flush).
    fn begin_flush(&mut self) -> Result<u64, Self::Error> {
        self.flush().map(|()| 0)
    }

    /// What has become of a flush that was begun; it says that again when it is asked again. As long as the flush goes on,
    /// the task is woken at its end, and so are all others that have asked.
    ///
    /// # Errors
    ///
    /// As [`flush`](Self::flush).
    fn poll_flush(
        &mut self,
        number: u64,
        context: &mut Context<'_>,
    ) -> Poll<Result<(), Self::Error>> {
        let _ = (number, context);
        Poll::Ready(Ok(()))
    }

    /// Whether [`discard`](Self::discard) does anything. If it is not said it does not. It does not
    /// change.
    fn can_discard(&self) -> bool {
        false
    }

    /// Says that `len` bytes of blocks from `offset` on are no longer needed: they may hold anything
    /// afterwards, until they are written again. There is no limit to `len` but the device's end.
    /// It is called only where [`can_discard`](Self::can_discard) says so.
    ///
    /// # Errors
    ///
    /// When the device fails; the blocks may hold anything then too.
    fn discard(&mut self, offset: u64, len: u64) -> Result<(), Self::Error>;
}

/// Makes a device of what leads to one: `$look` and `$change` are the device of `$self`.
macro_rules! forward {
    ($(#[$attribute:meta])* $pointer:ty, $self:ident => $look:expr, $change:expr) => {
        $(#[$attribute])*
        impl<D: SectorDevice + ?Sized> SectorDevice for $pointer {
            type Error = D::Error;

            fn geometry(&$self) -> Geometry {
                $look.geometry()
            }

            fn max_transfer(&$self) -> usize {
                $look.max_transfer()
            }

            fn read_blocks(&mut $self, offset: u64, blocks: &mut [u8]) -> Result<(), Self::Error> {
                $change.read_blocks(offset, blocks)
            }

            fn write_blocks(&mut $self, offset: u64, blocks: &[u8]) -> Result<(), Self::Error> {
                $change.write_blocks(offset, blocks)
            }

            fn can_flush(&$self) -> bool {
                $look.can_flush()
            }

            fn flush(&mut $self) -> Result<(), Self::Error> {
                $change.flush()
            }

            fn begin_flush(&mut $self) -> Result<u64, Self::Error> {
                $change.begin_flush()
            }

            fn poll_flush(
                &mut $self,
                number: u64,
                context: &mut Context<'_>,
            ) -> Poll<Result<(), Self::Error>> {
                $change.poll_flush(number, context)
            }

            fn can_discard(&$self) -> bool {
                $look.can_discard()
            }

            fn discard(&mut $self, offset: u64, len: u64) -> Result<(), Self::Error> {
                $change.discard(offset, len)
            }
        }
    };
}

forward!(&mut D, self => (**self), (**self));
forward!(Box<D>, self => (**self), (**self));
forward!(
    /// A device that several have a handle to, as the partitions of one.
    Rc<RefCell<D>>, self => self.borrow(), self.borrow_mut()
);
forward!(
    /// The same where handles go to other threads. A panic of another handle's is no reason to fail.
    #[cfg(feature = "std")]
    Arc<Mutex<D>>, self => lock(self), lock(self)
);

#[cfg(feature = "std")]
fn lock<D: ?Sized>(device: &Mutex<D>) -> MutexGuard<'_, D> {
    device.lock().unwrap_or_else(PoisonError::into_inner)
}
