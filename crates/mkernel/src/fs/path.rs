//! Paths, without what leads up.

use super::ErrorKind;

/// As many octets as Linux allows, with the zero at the end.
const MAX_PATH: usize = 4095;

/// The path from the root: `/`, or names with a `/` before each.
pub(super) fn normalize(path: &str) -> Result<String, ErrorKind> {
    if path.len() > MAX_PATH || path.contains('\0') {
        return Err(ErrorKind::InvalidPath);
    }
    let mut names = Vec::new();
    for name in path.split('/') {
        match name {
            "" | "." => {}
            ".." => _ = names.pop(),
            _ => names.push(name),
        }
    }
    Ok(format!("/{}", names.join("/")))
}

/// The names in a path, which [`normalize`] has made.
pub(super) fn names(path: &str) -> impl Iterator<Item = &str> {
    path.split('/').filter(|name| !name.is_empty())
}
