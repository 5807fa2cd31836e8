use std::io::{Read, Seek};

use solo5_abi::manifest::{Entry, Manifest as AbiManifest};
use solo5_abi::note::{Abi, Target};

use crate::Manifest;
use crate::elf::{Error, Executable};

/// What `solo5-elftool query-abi` prints of an executable.
///
/// # Errors
///
/// When the source is not a Solo5 executable.
pub fn query_abi(executable: impl Read + Seek) -> Result<String, Error> {
    Ok(abi_to_json(&Executable::open(executable)?.abi()?))
}

/// What `solo5-elftool query-manifest` prints of an executable.
///
/// # Errors
///
/// When the source is not a Solo5 executable, or a tender would refuse its manifest.
pub fn query_manifest(executable: impl Read + Seek) -> Result<String, Error> {
    let bytes = Executable::open(executable)?.manifest_bytes()?;
    Ok(manifest_to_json(&AbiManifest::parse(&bytes)?))
}

/// Target and version as JSON of type `solo5.abi`; the target is `unknown` when it is.
pub fn abi_to_json(abi: &Abi) -> String {
    let target = Target::from_raw(abi.target).map_or("unknown", Target::as_str);
    format!(
        "{{\n  \"type\": \"solo5.abi\",\n  \"target\": \"{target}\",\n  \"version\": {}\n}}\n",
        abi.version
    )
}

/// The manifest of an executable as JSON of type `solo5.manifest`.
///
/// Unlike a [`Manifest`], it may hold anything that tenders let pass: names with other characters
/// are escaped, and an unknown type is `<undefined type>`. Reserved entries are left out.
pub fn manifest_to_json(manifest: &AbiManifest<'_>) -> String {
    let entries = manifest.devices().map(|(_, entry)| entry);
    entries_to_json(entries)
}

impl Manifest {
    /// The manifest as JSON, one device a line.
    pub fn to_json(&self) -> String {
        entries_to_json(self.devices().iter().map(crate::Device::entry))
    }
}

fn entries_to_json(entries: impl Iterator<Item = Entry>) -> String {
    let devices: Vec<String> = entries
        .map(|entry| {
            let device_type = entry.device_type();
            format!(
                "    {{ \"name\": \"{}\", \"type\": \"{}\" }}",
                escape(&String::from_utf8_lossy(entry.name_bytes())),
                device_type.map_or("<undefined type>", |known| known.as_str()),
            )
        })
        .collect();
    let mut devices = devices.join(",\n");
    if !devices.is_empty() {
        devices.push('\n');
    }
    format!(
        "{{\n  \"type\": \"solo5.manifest\",\n  \"version\": 1,\n  \"devices\": [\n{devices}  ]\n}}\n"
    )
}

/// The inside of a JSON string (RFC 8259, section 7).
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '"' | '\\' => escaped.extend(['\\', character]),
            // Beyond what JSON asks for: C1 controls move a terminal's cursor too.
            control if control.is_control() => {
                escaped.push_str(&format!("\\u{:04x}", u32::from(control)));
            }
            other => escaped.push(other),
        }
    }
    escaped
}
