//! The file named by `MIOU_PROFILING`: which interface or image is behind which device.

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

/// The file's content.
#[derive(Debug)]
pub(super) struct Profile {
    path: PathBuf,
    devices: BTreeMap<String, serde_json::Value>,
}

impl Profile {
    /// Reads the file that the environment names.
    pub(super) fn from_environment() -> Result<Self, String> {
        let path = PathBuf::from(std::env::var_os(VARIABLE).unwrap_or_default());
        let text = fs::read(&path)
            .map_err(|error| format!("cannot read {VARIABLE}={}: {error}", path.display()))?;
        let devices = serde_json::from_slice(&text).map_err(|error| {
            format!(
                "{}: {error} (expected an object with a member for each device)",
                path.display()
            )
        })?;
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
        let Some(value) = self.devices.get(name) else {
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

    fn expected(&self, name: &str, member: &str) -> String {
        self.at(name, &format_args!("expected {member:?} in it"))
    }

    fn at(&self, name: &str, problem: &dyn std::fmt::Display) -> String {
        format!("{}: {name:?}: {problem}", self.path.display())
    }
}
