//! solo5-tender
