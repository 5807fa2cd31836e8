//! Octets received in order and not yet read by the user: slices of the frames they came in, and
//! copies where a slice would be a small part of its frame's buffer.

use std::collections::VecDeque;

use bytes::Bytes;

use super::received::{Piece, is_small};

/// The receive buffer of a connection, without what is out of order.
///
/// A small slice is copied once another follows it, and not at once: nearly always the user reads it
/// before.
#[derive(Debug, Default)]
pub(super) struct ReceiveQueue {
    pieces: VecDeque<Piece>,
    len: usize,
    /// Octets that the pieces keep from being freed.
    held: usize,
}

impl ReceiveQueue {
    /// Octets that can be read.
    #[inline]
    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// Octets of the memory that the queue takes.
    #[inline]
    #[allow(dead_code)] // Until the account asks.
    pub(super) fn held(&self) -> usize {
        self.held + self.pieces.capacity() * size_of::<Piece>()
    }

    /// Appends what arrived in a frame whose buffer has `pinned` octets.
    #[inline]
    pub(super) fn push(&mut self, octets: Bytes, pinned: usize) {
        if !self.pieces.is_empty() {
            if self.pieces.len() == 1 {
                self.own_first();
            }
            if is_small(octets.len(), pinned) {
                self.push_copy(&octets);
                return;
            }
        }
        self.len += octets.len();
        self.held += pinned;
        self.pieces.push_back(Piece::Shared(octets, pinned as u32));
    }

    /// Appends what was out of order.
    pub(super) fn push_piece(&mut self, piece: Piece) {
        if self.pieces.len() == 1 {
            self.own_first();
        }
        if let Piece::Copied(..) = &piece
            && self.append(piece.as_slice())
        {
            return;
        }
        self.len += piece.len();
        self.held += piece.held();
        self.pieces.push_back(piece);
    }

    fn push_copy(&mut self, octets: &[u8]) {
        if !self.append(octets) {
            let copy = Piece::copied(octets);
            self.len += copy.len();
            self.held += copy.held();
            self.pieces.push_back(copy);
        }
    }

    /// Appends a copy to the last piece, if that is one and both are small.
    fn append(&mut self, octets: &[u8]) -> bool {
        let Some(last) = self.pieces.back_mut() else {
            return false;
        };
        let before = last.held();
        let appended = last.append(octets);
        if appended {
            self.len += octets.len();
            self.held += last.held() - before;
        }
        appended
    }

    /// Copies the first piece if it is small: no other can be and not be copied.
    #[inline]
    fn own_first(&mut self) {
        if let Some(first) = self.pieces.front_mut() {
            let before = first.held();
            first.own();
            self.held = self.held - before + first.held();
        }
    }

    /// Copies octets to `to` and takes them out; returns how many.
    pub(super) fn read(&mut self, to: &mut [u8]) -> usize {
        let mut copied = 0;
        while let Some(piece) = self.pieces.front_mut() {
            let slice = piece.as_slice();
            let octets = slice.len().min(to.len() - copied);
            to[copied..copied + octets].copy_from_slice(&slice[..octets]);
            copied += octets;
            if octets < slice.len() {
                piece.advance(octets);
                break;
            }
            self.held -= piece.held();
            self.pieces.pop_front();
        }
        self.len -= copied;
        copied
    }

    /// Takes the next slice, at most `max` octets of it.
    pub(super) fn read_slice(&mut self, max: usize) -> Bytes {
        let Some(piece) = self.pieces.front_mut() else {
            return Bytes::new();
        };
        let octets = if piece.len() > max {
            piece.split_to(max)
        } else {
            self.held -= piece.held();
            self.pieces
                .pop_front()
                .map(Piece::into_bytes)
                .unwrap_or_default()
        };
        self.len -= octets.len();
        octets
    }

    /// Copies octets to `to` and leaves them; returns how many.
    pub(super) fn peek(&self, to: &mut [u8]) -> usize {
        let mut copied = 0;
        for piece in &self.pieces {
            let slice = piece.as_slice();
            let octets = slice.len().min(to.len() - copied);
            to[copied..copied + octets].copy_from_slice(&slice[..octets]);
            copied += octets;
            if copied == to.len() {
                break;
            }
        }
        copied
    }

    /// Frees what is held for nothing: all of an empty queue, and the frame of a small slice that
    /// was not read.
    pub(super) fn shrink(&mut self) {
        if self.pieces.is_empty() {
            self.pieces = VecDeque::new();
        } else {
            self.own_first();
            self.pieces.shrink_to_fit();
        }
    }

    /// Drops everything; returns how many octets that was.
    pub(super) fn clear(&mut self) -> usize {
        self.pieces = VecDeque::new();
        self.held = 0;
        core::mem::take(&mut self.len)
    }
}

#[cfg(test)]
mod tests;
