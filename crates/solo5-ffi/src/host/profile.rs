//! The file named by `MIOU_PROFILING`: which interface or image is behind which device.
//!
//! It has one of two forms. In ours, a member for each device holds what the tenders' options would say:
//!
//! ```json
//! {"service": {"net": "tap0"}, "disk": {"block": "disk.img", "block-sector-size": 4096}}
//! ```
//!
//! The other is that of OCaml's `mkernel`:
//!
//! ```json
//! {"type": "miou.solo5.profiling", "version": 1, "devices": [
//!     {"name": "service", "type": "NET_BASIC", "interface": "tap0"},
//!     {"name": "disk", "type": "BLOCK_BASIC", "path": "disk.img"}]}
//! ```

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use hostdev::{BlockImage, BlockSize, MacAddress, Tap};
use serde::Deserialize;

/// The environment variable that names the file.
pub(super) const VARIABLE: &str = "MIOU_PROFILING";

/// What is behind one device. The fields are called as the tenders' options.
#[derive(Debug, Deserialize)]
#[serde(untagged, deny_unknown_fields)]
enum Backing {
    #[serde(rename_all = "kebab-case")]
    Net {
        net: String,
        net_mac: Option<String>,
    },
    #[serde(rename_all = "kebab-case")]
    Block {
        block: PathBuf,
        block_sector_size: Option<u64>,
    },
}

/// The file in the form of OCaml's `mkernel`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct List {
    #[serde(rename = "type")]
    kind: String,
    version: u32,
    devices: Vec<Listed>,
}

/// The `type` of such a file, and its `version`.
const LIST: (&str, u32) = ("miou.solo5.profiling", 1);

/// A device in it.
#[derive(Debug, Deserialize)]
#[serde(tag = "type", deny_unknown_fields)]
enum Listed {
    #[serde(rename = "NET_BASIC")]
    Net { name: String, interface: String },
    #[serde(rename = "BLOCK_BASIC")]
    Block { name: String, path: PathBuf },
}

/// The file's content.
#[derive(Debug)]
pub(super) struct Profile {
    path: PathBuf,
    devices: Devices,
}

#[derive(Debug)]
enum Devices {
    /// Each looked at when it is acquired.
    Members(BTreeMap<String, serde_json::Value>),
    List(Vec<Listed>),
}

/// Devices of either form.
fn parse(text: &[u8]) -> Result<Devices, String> {
    let members: BTreeMap<String, serde_json::Value> = serde_json::from_slice(text)
        .map_err(|error| format!("{error} (expected an object with a member for each device)"))?;
    if !members
        .get("type")
        .is_some_and(serde_json::Value::is_string)
    {
        return Ok(Devices::Members(members));
    }
    let (kind, version) = LIST;
    let list: List = serde_json::from_slice(text)
        .map_err(|error| format!("{error} (expected the form of {kind:?}, version {version})"))?;
    if (list.kind.as_str(), list.version) != LIST {
        return Err(format!(
            "type {:?}, version {}: expected {kind:?}, version {version}",
            list.kind, list.version
        ));
    }
    Ok(Devices::List(list.devices))
}

impl Profile {
    /// Reads the file that the environment names.
    pub(super) fn from_environment() -> Result<Self, String> {
        let path = PathBuf::from(std::env::var_os(VARIABLE).unwrap_or_default());
        let text = fs::read(&path)
            .map_err(|error| format!("cannot read {VARIABLE}={}: {error}", path.display()))?;
        let devices = parse(&text).map_err(|error| format!("{}: {error}", path.display()))?;
        Ok(Self { path, devices })
    }

    /// Opens the TAP interface behind the network device.
    pub(super) fn open_net(&self, name: &str) -> Result<(Tap, MacAddress), String> {
        let Backing::Net { net, net_mac } = self.backing(name)? else {
            return Err(self.expected(name, "net"));
        };
        let mac = match net_mac {
            Some(text) => text.parse().map_err(|error| self.at(name, &error))?,
            None => MacAddress::random().map_err(|error| self.at(name, &error))?,
        };
        let tap = Tap::open(&net).map_err(|error| self.at(name, &error))?;
        Ok((tap, mac))
    }

    /// Opens the image behind the block device.
    pub(super) fn open_block(&self, name: &str) -> Result<BlockImage, String> {
        let Backing::Block {
            block,
            block_sector_size,
        } = self.backing(name)?
        else {
            return Err(self.expected(name, "block"));
        };
        let size = block_sector_size.map_or(Ok(BlockSize::default()), BlockSize::new);
        let size = size.map_err(|error| self.at(name, &error))?;
        let folder = self.path.parent().unwrap_or(Path::new(""));
        BlockImage::open(&folder.join(block), size).map_err(|error| self.at(name, &error))
    }

    fn backing(&self, name: &str) -> Result<Backing, String> {
        let members = match &self.devices {
            Devices::Members(members) => members,
            Devices::List(list) => return self.listed(name, list),
        };
        let Some(value) = members.get(name) else {
            return Err(format!("{}: no member {name:?}", self.path.display()));
        };
        serde_json::from_value(value.clone()).map_err(|_| {
            self.at(
                name,
                &"expected \"net\" with perhaps \"net-mac\", or \"block\" with perhaps \
                  \"block-sector-size\"",
            )
        })
    }

    fn listed(&self, name: &str, list: &[Listed]) -> Result<Backing, String> {
        let mut found = list.iter().filter_map(|device| match device {
            Listed::Net {
                name: is,
                interface,
            } if is == name => Some(Backing::Net {
                net: interface.clone(),
                net_mac: None,
            }),
            Listed::Block { name: is, path } if is == name => Some(Backing::Block {
                block: path.clone(),
                block_sector_size: None,
            }),
            _ => None,
        });
        match (found.next(), found.next()) {
            (Some(backing), None) => Ok(backing),
            (None, _) => Err(format!("{}: no device {name:?}", self.path.display())),
            (Some(_), Some(_)) => Err(self.at(name, &"expected one such device, there are more")),
        }
    }

    fn expected(&self, name: &str, member: &str) -> String {
        self.at(name, &format_args!("expected {member:?} in it"))
    }

    fn at(&self, name: &str, problem: &dyn std::fmt::Display) -> String {
        format!("{}: {name:?}: {problem}", self.path.display())
    }
}
