//! solo5-blockdev
