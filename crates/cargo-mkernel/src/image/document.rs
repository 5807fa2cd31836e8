//! What is said of the layers: the configuration and the manifest (OCI image specification 1.1).

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::layer::{Layer, sha256};

const CONFIGURATION: &str = "application/vnd.oci.image.config.v1+json";
const LAYER: &str = "application/vnd.oci.image.layer.v1.tar+gzip";
/// The media type of a manifest.
pub(super) const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";

/// What is to be an image.
#[derive(Debug)]
pub struct Contents {
    /// From the lowest up.
    pub layers: Vec<Layer>,
    /// The program and its first arguments.
    pub entrypoint: Vec<String>,
    /// The arguments that others may take the place of.
    pub arguments: Vec<String>,
    /// What else is to be known: in the configuration and in the manifest.
    pub labels: BTreeMap<String, String>,
    /// When it was made, in RFC 3339's form.
    pub created: String,
}

/// An image.
#[derive(Debug)]
pub struct Image {
    /// From the lowest up.
    pub layers: Vec<Layer>,
    /// How it is run.
    pub configuration: Vec<u8>,
    /// What it consists of.
    pub manifest: Vec<u8>,
}

impl Image {
    /// Makes the documents.
    #[must_use]
    pub fn new(contents: Contents) -> Self {
        let layers = contents.layers;
        let archives = layers.iter().map(|layer| digest(&layer.archive));
        let made = json!({ "created": contents.created, "created_by": "cargo mkernel image" });
        let configuration = json!({
            "architecture": "amd64",
            "config": {
                "Cmd": contents.arguments,
                "Entrypoint": contents.entrypoint,
                "Labels": contents.labels,
                "WorkingDir": "/",
            },
            "created": contents.created,
            "history": vec![made; layers.len()],
            "os": "linux",
            "rootfs": { "diff_ids": archives.collect::<Vec<_>>(), "type": "layers" },
        });
        let configuration = configuration.to_string().into_bytes();
        let blobs = layers.iter().map(|layer| descriptor(LAYER, &layer.blob));
        let manifest = json!({
            "annotations": contents.labels,
            "config": descriptor(CONFIGURATION, &configuration),
            "layers": blobs.collect::<Vec<_>>(),
            "mediaType": MANIFEST,
            "schemaVersion": 2,
        });
        Self {
            layers,
            configuration,
            manifest: manifest.to_string().into_bytes(),
        }
    }

    /// The digest that the image is known by.
    #[must_use]
    pub fn digest(&self) -> String {
        digest(&self.manifest)
    }
}

/// A reference to `content`.
pub(super) fn descriptor(media_type: &str, content: &[u8]) -> Value {
    json!({ "digest": digest(content), "mediaType": media_type, "size": content.len() })
}

fn digest(content: &[u8]) -> String {
    format!("sha256:{}", sha256(content))
}
