//! What a record of the journal says: changes, one behind the other. Integers are little-endian.

use core::time::Duration;

use libc::mode_t;

use super::extents::Run;

/// A change of what is on the disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Op<'a> {
    /// Something new, which gets its first name next: `mode` has its type and permissions, and a symbolic link a target.
    Node {
        node: u64,
        mode: mode_t,
        target: &'a [u8],
    },
    /// `node` is called `name` in `directory`; what was called so has lost the name. A file or link without a name is gone.
    Name {
        directory: u64,
        node: u64,
        name: &'a [u8],
    },
    Unname {
        directory: u64,
        name: &'a [u8],
    },
    /// What is called `name` in `from` is called by the name of the next, [`To`](Self::To).
    Rename {
        from: u64,
        name: &'a [u8],
    },
    To {
        directory: u64,
        name: &'a [u8],
    },
    /// Blocks of a file, from its block `first` on.
    Map {
        node: u64,
        first: u64,
        run: Run,
    },
    /// A file has no block from `first` on.
    Unmap {
        node: u64,
        first: u64,
    },
    Attributes {
        node: u64,
        mode: mode_t,
        len: u64,
        modified: Duration,
        accessed: Duration,
    },
}

/// Ops, as they are written.
#[derive(Default)]
pub(super) struct Ops {
    pub(super) octets: Vec<u8>,
    /// Where the last op begins if it is a [`Op::Map`], and that: the next may be more of the same.
    last: Option<(usize, u64, u64, Run)>,
}

impl Ops {
    pub(super) fn push(&mut self, op: &Op<'_>) {
        if let Op::Map { node, first, run } = *op {
            self.push_map(node, first, run);
            return;
        }
        self.last = None;
        match *op {
            Op::Node { node, mode, target } => {
                self.begin(1, &[node, mode.into()]);
                self.text(target);
            }
            Op::Name {
                directory,
                node,
                name,
            } => {
                self.begin(2, &[directory, node]);
                self.text(name);
            }
            Op::Unname { directory, name } => {
                self.begin(3, &[directory]);
                self.text(name);
            }
            Op::Rename { from, name } => {
                self.begin(4, &[from]);
                self.text(name);
            }
            Op::To { directory, name } => {
                self.begin(5, &[directory]);
                self.text(name);
            }
            Op::Map { .. } => {}
            Op::Unmap { node, first } => self.begin(7, &[node, first]),
            Op::Attributes {
                node,
                mode,
                len,
                modified,
                accessed,
            } => {
                let [modified, accessed] = [modified, accessed].map(nanos);
                self.begin(8, &[node, mode.into(), len, modified, accessed]);
            }
        }
    }

    fn push_map(&mut self, node: u64, first: u64, run: Run) {
        let (mut from, mut all) = (first, run);
        if let Some((at, last_node, last_first, last)) = self.last
            && last_node == node
            && last_first + last.count == first
            && last.disk + last.count == run.disk
        {
            self.octets.truncate(at);
            from = last_first;
            all = Run {
                disk: last.disk,
                count: last.count + run.count,
            };
        }
        self.last = Some((self.octets.len(), node, from, all));
        self.begin(6, &[node, from, all.disk, all.count]);
    }

    fn begin(&mut self, kind: u8, numbers: &[u64]) {
        self.octets.push(kind);
        for number in numbers {
            self.octets.extend_from_slice(&number.to_le_bytes());
        }
    }

    fn text(&mut self, text: &[u8]) {
        // A path has 4,095 octets at most.
        self.octets
            .extend_from_slice(&(text.len() as u16).to_le_bytes());
        self.octets.extend_from_slice(text);
    }
}

fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

/// Takes one op off the front; `None` if there is none that makes sense.
pub(super) fn take<'a>(octets: &mut &'a [u8]) -> Option<Op<'a>> {
    let mut rest = *octets;
    let [kind] = take_array(&mut rest)?;
    let op = match kind {
        1 => Op::Node {
            node: take_number(&mut rest)?,
            mode: take_mode(&mut rest)?,
            target: take_text(&mut rest)?,
        },
        2 => Op::Name {
            directory: take_number(&mut rest)?,
            node: take_number(&mut rest)?,
            name: take_text(&mut rest)?,
        },
        3 => Op::Unname {
            directory: take_number(&mut rest)?,
            name: take_text(&mut rest)?,
        },
        4 => Op::Rename {
            from: take_number(&mut rest)?,
            name: take_text(&mut rest)?,
        },
        5 => Op::To {
            directory: take_number(&mut rest)?,
            name: take_text(&mut rest)?,
        },
        6 => Op::Map {
            node: take_number(&mut rest)?,
            first: take_number(&mut rest)?,
            run: Run {
                disk: take_number(&mut rest)?,
                count: take_number(&mut rest)?,
            },
        },
        7 => Op::Unmap {
            node: take_number(&mut rest)?,
            first: take_number(&mut rest)?,
        },
        8 => Op::Attributes {
            node: take_number(&mut rest)?,
            mode: take_mode(&mut rest)?,
            len: take_number(&mut rest)?,
            modified: Duration::from_nanos(take_number(&mut rest)?),
            accessed: Duration::from_nanos(take_number(&mut rest)?),
        },
        _ => return None,
    };
    *octets = rest;
    Some(op)
}

fn take_array<const N: usize>(octets: &mut &[u8]) -> Option<[u8; N]> {
    let (array, rest) = octets.split_first_chunk()?;
    *octets = rest;
    Some(*array)
}

fn take_number(octets: &mut &[u8]) -> Option<u64> {
    take_array(octets).map(u64::from_le_bytes)
}

fn take_mode(octets: &mut &[u8]) -> Option<mode_t> {
    mode_t::try_from(take_number(octets)?).ok()
}

fn take_text<'a>(octets: &mut &'a [u8]) -> Option<&'a [u8]> {
    let len = u16::from_le_bytes(take_array(octets)?);
    let (text, rest) = octets.split_at_checked(len.into())?;
    *octets = rest;
    Some(text)
}
