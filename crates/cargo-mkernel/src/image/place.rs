//! Where an image is written to, and in which form.

use std::fs;
use std::io::{self, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::str::FromStr;

use serde_json::{Value, json};

use super::document::{Image, MANIFEST, descriptor};
use super::layer::{File, Files, archive, sha256};
use super::reference::Reference;

const REFERENCE_NAME: &str = "org.opencontainers.image.ref.name";

/// A place for images.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// A folder with the layout of the OCI image specification, which may have others already.
    Folder(PathBuf),
    /// An archive of such a folder; without a path, standard output.
    OciArchive(Option<PathBuf>),
    /// What `docker load` reads.
    DockerArchive(Option<PathBuf>),
}

impl FromStr for Place {
    type Err = String;

    /// `oci-archive[:FILE]`, `docker-archive[:FILE]`, or a folder, which may be written `oci:FOLDER`.
    fn from_str(text: &str) -> Result<Self, String> {
        let (kind, path) = match text.split_once(':') {
            Some((kind, path)) => (kind, Some(PathBuf::from(path))),
            None => (text, None),
        };
        let has_path = path
            .as_ref()
            .is_none_or(|path| !path.as_os_str().is_empty());
        match (kind, path) {
            ("oci-archive", path) if has_path => Ok(Self::OciArchive(path)),
            ("docker-archive", path) if has_path => Ok(Self::DockerArchive(path)),
            ("oci", Some(path)) if has_path => Ok(Self::Folder(path)),
            (kind, path) if is_another_form(kind, path.is_some()) => Err(format!(
                "expected a folder (./{text} for one of that name), oci:FOLDER, oci-archive[:FILE] or docker-archive[:FILE]; to \
                 a registry an image gets by `skopeo copy oci:FOLDER:TAG docker://REGISTRY/NAME:TAG`"
            )),
            _ => Ok(Self::Folder(PathBuf::from(text))),
        }
    }
}

/// Whether that looks like the name of a form, with something behind a colon or without, rather than like a folder's.
fn is_another_form(kind: &str, has_colon: bool) -> bool {
    let is_word = |octet: u8| octet.is_ascii_alphanumeric() || octet == b'-';
    match has_colon {
        true => kind.bytes().all(is_word),
        false => kind.starts_with("docker") || kind.starts_with("oci-") || kind.is_empty(),
    }
}

impl Place {
    /// Writes `image` as `reference`, and says where it is.
    ///
    /// # Errors
    ///
    /// When a file cannot be written, or the folder has something else in it.
    pub fn write(&self, image: &Image, reference: &Reference, time: u64) -> Result<String, String> {
        let archived = |files: &Files, path: &Option<PathBuf>| {
            let archive = archive(files, time).map_err(|error| error.to_string())?;
            output(path.as_deref(), &archive)
        };
        match self {
            Self::Folder(folder) => {
                write_layout(folder, image, reference)?;
                Ok(format!("{}:{}", folder.display(), reference.tag))
            }
            Self::OciArchive(path) => archived(&layout(image, reference, Vec::new()), path),
            Self::DockerArchive(path) => archived(&docker(image, reference), path),
        }
    }
}

fn output(path: Option<&Path>, content: &[u8]) -> Result<String, String> {
    match path {
        Some(path) => {
            fs::write(path, content).map_err(|error| format!("{}: {error}", path.display()))?;
            Ok(path.display().to_string())
        }
        None if io::stdout().is_terminal() => Err(
            "standard output is a terminal: put `| docker load` or `> FILE` behind, or `:FILE` to the form's name".to_owned(),
        ),
        None => {
            let written = io::stdout().write_all(content);
            written.map_err(|error| format!("standard output: {error}"))?;
            Ok("standard output".to_owned())
        }
    }
}

fn data(content: Vec<u8>) -> File {
    File {
        executable: false,
        content,
    }
}

/// The files of a layout; in its index, `others` are in front.
fn layout(image: &Image, reference: &Reference, others: Vec<Value>) -> Files {
    let mut files = Files::new();
    let blobs = image.layers.iter().map(|layer| &layer.blob);
    for blob in blobs.chain([&image.configuration, &image.manifest]) {
        files.insert(format!("blobs/sha256/{}", sha256(blob)), data(blob.clone()));
    }
    let mut manifests = others;
    let mut manifest = descriptor(MANIFEST, &image.manifest);
    manifest["platform"] = json!({ "architecture": "amd64", "os": "linux" });
    manifest["annotations"] = json!({
        "io.containerd.image.name": reference.normalised(),
        REFERENCE_NAME: reference.tag,
    });
    manifests.push(manifest);
    let index = json!({
        "manifests": manifests,
        "mediaType": "application/vnd.oci.image.index.v1+json",
        "schemaVersion": 2,
    });
    let version = json!({ "imageLayoutVersion": "1.0.0" });
    files.insert(
        "index.json".to_owned(),
        data(index.to_string().into_bytes()),
    );
    files.insert(
        "oci-layout".to_owned(),
        data(version.to_string().into_bytes()),
    );
    files
}

/// Writes a layout, in which images of other tags stay.
fn write_layout(folder: &Path, image: &Image, reference: &Reference) -> Result<(), String> {
    let about = |path: &Path, error: io::Error| format!("{}: {error}", path.display());
    let blobs = folder.join("blobs/sha256");
    let is_layout = folder.join("oci-layout").exists();
    let is_empty = fs::read_dir(folder).map_or(true, |mut entries| entries.next().is_none());
    if !is_layout && !is_empty {
        return Err(format!(
            "{}: expected an empty folder or an OCI image layout, found no file oci-layout",
            folder.display()
        ));
    }
    let others = match is_layout {
        true => others(&folder.join("index.json"), &reference.tag)?,
        false => Vec::new(),
    };
    fs::create_dir_all(&blobs).map_err(|error| about(&blobs, error))?;
    // In the order of their names: the index after what it refers to.
    for (path, file) in layout(image, reference, others) {
        let path = folder.join(path);
        let unfinished = path.with_extension("unfinished");
        fs::write(&unfinished, &file.content).map_err(|error| about(&unfinished, error))?;
        fs::rename(&unfinished, &path).map_err(|error| about(&path, error))?;
    }
    Ok(())
}

/// The entries of an index that have another tag.
fn others(path: &Path, tag: &str) -> Result<Vec<Value>, String> {
    let about = |error: &dyn std::fmt::Display| format!("{}: {error}", path.display());
    let text = fs::read(path).map_err(|error| about(&error))?;
    let mut index: Value = serde_json::from_slice(&text).map_err(|error| about(&error))?;
    let Some(Value::Array(mut manifests)) = index.get_mut("manifests").map(Value::take) else {
        return Err(about(
            &"expected an image index, found no array `manifests`",
        ));
    };
    manifests.retain(|manifest| manifest["annotations"][REFERENCE_NAME] != tag);
    Ok(manifests)
}

/// The files of an archive for `docker load`.
fn docker(image: &Image, reference: &Reference) -> Files {
    let mut files = Files::new();
    let mut layers = Vec::new();
    for layer in &image.layers {
        let name = format!("{}.tar", sha256(&layer.archive));
        files.insert(name.clone(), data(layer.archive.clone()));
        layers.push(name);
    }
    let configuration = format!("{}.json", sha256(&image.configuration));
    let manifest = json!([{
        "Config": configuration,
        "Layers": layers,
        "RepoTags": [reference.to_string()],
    }]);
    files.insert(configuration, data(image.configuration.clone()));
    files.insert(
        "manifest.json".to_owned(),
        data(manifest.to_string().into_bytes()),
    );
    files
}
