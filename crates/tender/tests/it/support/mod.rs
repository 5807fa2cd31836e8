//! What the tests share.

mod code;
mod guest;
mod run;

pub(crate) use code::{Code, Reg};
pub(crate) use guest::{DATA, Guest, TEXT};
pub(crate) use run::{Ended, Mortal, Scratch, Tender, hvt, one_machine, run_hvt};
