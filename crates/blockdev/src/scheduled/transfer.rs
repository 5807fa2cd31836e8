//! Transfers: what is done for a request, and for others with it.

use alloc::sync::Arc;
use alloc::vec::Vec;
use core::mem;

use super::request::{Piece, Work};
use super::state::State;
use crate::device::failed;
use crate::{Operation, SectorDevice};

/// What a call of the device costs at least, in bytes: some hundred nanoseconds.
const CALL: u64 = 4096;

impl<D: SectorDevice> State<D> {
    /// What the next transfer for an active request costs.
    pub(super) fn cost(&self, index: usize) -> u64 {
        let request = self.active.get(index);
        match request.piece(self.geometry, self.most) {
            _ if request.transfer().is_none() => CALL,
            Piece::Part { .. } => CALL.max(self.geometry.block_size() as u64),
            Piece::Whole(len) => CALL.max(len as u64),
        }
    }

    /// Does one transfer for an active request, and with it what follows as far as there is `room`
    /// in bytes for all of it; returns what it cost.
    pub(super) fn serve(&mut self, index: usize, room: u64) -> u64 {
        let cost = self.cost(index);
        let request = self.active.get(index);
        let Some(kind) = request.transfer() else {
            self.discard(index);
            return cost;
        };
        match request.piece(self.geometry, self.most) {
            Piece::Part { block, start, len } => {
                self.transfer_part(index, block, start, len);
                cost
            }
            Piece::Whole(len) => {
                let mut pieces = mem::take(&mut self.pieces);
                pieces.push((request.ticket, len));
                let room = usize::try_from(room).unwrap_or(usize::MAX).min(self.most);
                let room = room.saturating_sub(len);
                self.join(kind, request.cursor + len as u64, room, &mut pieces);
                let cost = self.transfer(index, &pieces);
                pieces.clear();
                self.pieces = pieces;
                cost
            }
        }
    }

    /// Adds the requests whose next blocks follow at `end`, for `room` bytes at most.
    fn join(&self, kind: Operation, mut end: u64, mut room: usize, pieces: &mut Vec<(u64, usize)>) {
        while room > 0 {
            let mut same = self
                .active
                .at(end)
                .filter(|request| request.transfer() == Some(kind));
            let next = same.find_map(|request| match request.piece(self.geometry, self.most) {
                Piece::Whole(len) if len <= room => Some((request.ticket, len)),
                Piece::Whole(_) | Piece::Part { .. } => None,
            });
            let Some((ticket, len)) = next else { break };
            pieces.push((ticket, len));
            end += len as u64;
            room -= len;
        }
    }

    /// Transfers whole blocks that follow each other, for one request or more, the first of which is
    /// at `index`; returns what it cost.
    fn transfer(&mut self, index: usize, pieces: &[(u64, usize)]) -> u64 {
        let total: usize = pieces.iter().map(|(_, len)| len).sum();
        let offset = self.active.get(index).cursor;
        self.head = offset + total as u64;
        if pieces.len() == 1 {
            self.transfer_whole(index, total);
            return CALL.max(total as u64);
        }
        if self.transfer_together(index, offset, total, pieces) {
            for &(ticket, len) in pieces {
                let index = self.active.find(ticket).expect("nothing has removed it");
                self.advance(index, len);
            }
            return CALL.max(total as u64);
        }
        for &(ticket, len) in pieces {
            let index = self.active.find(ticket).expect("nothing has removed it");
            self.transfer_whole(index, len);
        }
        CALL.saturating_mul(pieces.len() as u64 + 1)
            .max(2 * total as u64)
    }

    /// One transfer for several requests; whether the device did it.
    fn transfer_together(
        &mut self,
        index: usize,
        offset: u64,
        total: usize,
        pieces: &[(u64, usize)],
    ) -> bool {
        let mut scratch = mem::take(&mut self.scratch);
        scratch.resize(total.max(scratch.len()), 0);
        let blocks = &mut scratch[..total];
        let is_read = matches!(self.active.get(index).work, Work::Read(_));
        let done = !is_read || self.device.read_blocks(offset, blocks).is_ok();
        if done {
            let mut rest = &mut *blocks;
            for &(ticket, len) in pieces {
                let index = self.active.find(ticket).expect("nothing has removed it");
                let (bytes, behind) = rest.split_at_mut(len);
                let buffer = self.active.get_mut(index).buffer(len);
                if is_read {
                    buffer.copy_from_slice(bytes);
                } else {
                    bytes.copy_from_slice(buffer);
                }
                rest = behind;
            }
        }
        let done = done && (is_read || self.device.write_blocks(offset, blocks).is_ok());
        self.scratch = scratch;
        done
    }

    /// Transfers whole blocks straight from or to a request's buffer.
    fn transfer_whole(&mut self, index: usize, len: usize) {
        let request = self.active.get_mut(index);
        let offset = request.cursor;
        let is_read = matches!(request.work, Work::Read(_));
        let buffer = request.buffer(len);
        let (operation, result) = if is_read {
            (Operation::Read, self.device.read_blocks(offset, buffer))
        } else {
            (Operation::Write, self.device.write_blocks(offset, buffer))
        };
        match result {
            Ok(()) => self.advance(index, len),
            Err(error) => {
                let failed = failed(operation, offset, len as u64);
                self.finish(index, Err(failed(Arc::new(error))));
            }
        }
    }

    /// Transfers some bytes of a block: one that is written is read first.
    fn transfer_part(&mut self, index: usize, block: u64, start: usize, len: usize) {
        let block_size = self.geometry.block_size();
        self.head = block + block_size as u64;
        self.scratch.resize(block_size.max(self.scratch.len()), 0);
        let whole = &mut self.scratch[..block_size];
        let request = self.active.get_mut(index);
        let is_read = matches!(request.work, Work::Read(_));
        let buffer = request.buffer(len);
        let mut result = self
            .device
            .read_blocks(block, whole)
            .map_err(|error| (Operation::Read, error));
        if result.is_ok() && is_read {
            buffer.copy_from_slice(&whole[start..start + len]);
        } else if result.is_ok() {
            whole[start..start + len].copy_from_slice(buffer);
            result = self
                .device
                .write_blocks(block, whole)
                .map_err(|error| (Operation::Write, error));
        }
        match result {
            Ok(()) => self.advance(index, len),
            Err((operation, error)) => {
                let failed = failed(operation, block, block_size as u64);
                self.finish(index, Err(failed(Arc::new(error))));
            }
        }
    }

    fn discard(&mut self, index: usize) {
        let bytes = self.active.get(index).bytes.clone();
        let len = bytes.end - bytes.start;
        let result = self.device.discard(bytes.start, len).map_err(Arc::new);
        self.finish(
            index,
            result.map_err(failed(Operation::Discard, bytes.start, len)),
        );
    }

    /// The next `len` bytes of a request have been transferred.
    fn advance(&mut self, index: usize, len: usize) {
        if self.active.advance(index, len) {
            self.finish(index, Ok(()));
        }
    }
}
