//! solo5-hostdev
