//! Files of arguments: `@PATH` stands for the lines of a file, as rustc has it and Cargo does where a command would be too long.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// The arguments with the lines of files in place of the files, and whether there was any.
pub(super) fn expand(arguments: &[OsString]) -> Result<(Vec<OsString>, bool), String> {
    let mut expanded = Vec::new();
    let mut any = false;
    for argument in arguments {
        let Some(path) = argument.as_bytes().strip_prefix(b"@") else {
            expanded.push(argument.clone());
            continue;
        };
        any = true;
        let path = Path::new(OsStr::from_bytes(path));
        let text = fs::read_to_string(path).map_err(|error| {
            format!(
                "cannot read the arguments in {}: {error}: expected a file of UTF-8, one argument a line",
                path.display()
            )
        })?;
        expanded.extend(text.lines().map(OsString::from));
    }
    Ok((expanded, any))
}

/// A file of arguments, as long as the value is there.
pub(super) struct File(PathBuf);

impl File {
    /// The name of a file in a folder that no other process writes.
    pub(super) fn new(folder: &Path) -> Self {
        Self(folder.join(format!("solo5-rustc-{}.arguments", std::process::id())))
    }

    /// Writes the arguments; the word that stands for them.
    pub(super) fn write(&self, arguments: &[OsString]) -> Result<OsString, String> {
        fs::write(&self.0, arguments.join(OsStr::new("\n")).as_bytes())
            .map_err(|error| format!("cannot write arguments to {}: {error}", self.0.display()))?;
        Ok(super::joined("@", self.0.as_os_str()))
    }
}

impl Drop for File {
    fn drop(&mut self) {
        // It may never have been written.
        let _ = fs::remove_file(&self.0);
    }
}
