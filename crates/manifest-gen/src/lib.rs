//! solo5-manifest-gen
