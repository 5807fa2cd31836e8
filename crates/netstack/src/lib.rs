//! solo5-netstack
