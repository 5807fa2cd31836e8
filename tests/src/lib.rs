//! Whole-unikernel tests.
