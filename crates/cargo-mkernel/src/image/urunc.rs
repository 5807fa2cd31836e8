//! What the container runtime `urunc` is told of a unikernel.
//!
//! It takes ours for one of MirageOS's, which run under the same tenders and take the same `--ipv4` and `--ipv4-gateway`. It reads
//! the annotations that reach it, whose values are text, and otherwise a file, whose values are in base64.

use std::collections::BTreeMap;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;

use crate::run::{Abi, Unikernel};

/// The name of the file, in the image's root.
pub const CONFIGURATION: &str = "urunc.json";

/// The annotations for `unikernel`, whose file is at `path` in the image, with its command line.
#[must_use]
pub fn labels(unikernel: &Unikernel, path: &str, line: &str) -> BTreeMap<String, String> {
    let monitor = match unikernel.abi {
        Abi::Hvt => "hvt",
        Abi::Spt => "spt",
    };
    let mut labels = vec![
        ("unikernelType", "mirage"),
        ("hypervisor", monitor),
        ("binary", path),
        ("cmdline", line),
        // There is no file system in the image that the unikernel could mount.
        ("mountRootfs", "false"),
        ("useDMBlock", "false"),
    ];
    // Without them the names are `service` and `storage`.
    if let [network] = &*unikernel.networks {
        labels.push(("solo5NetDev", network));
    }
    if let [block] = &*unikernel.blocks {
        labels.push(("solo5BlkDev", block));
    }
    let named =
        |(name, value): (&str, &str)| (format!("com.urunc.unikernel.{name}"), value.to_owned());
    labels.into_iter().map(named).collect()
}

/// The file with these annotations.
#[must_use]
pub fn configuration(labels: &BTreeMap<String, String>) -> Vec<u8> {
    let encoded = labels
        .iter()
        .map(|(name, value)| (name, BASE64_STANDARD.encode(value)));
    let encoded: BTreeMap<_, _> = encoded.collect();
    serde_json::json!(encoded).to_string().into_bytes()
}
