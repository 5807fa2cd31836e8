//! solo5-abi
