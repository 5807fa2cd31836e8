use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;
use system_tests::{host_program, workspace};
use tempfile::TempDir;

/// An image of the example `echo` in a folder of its own, `web:1` in a layout.
pub(crate) struct Image {
    folder: TempDir,
}

impl Image {
    /// With the tender in it, if `arguments` have `--tender`.
    pub(crate) fn make(arguments: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let image = Self { folder };
        image.make_again("layout", arguments);
        image
    }

    /// Makes the same once more, elsewhere in the folder.
    pub(crate) fn make_again(&self, push: &str, arguments: &[&str]) {
        // It starts with the latter, which is beside it.
        let program = host_program("cargo-mkernel", "cargo-mkernel");
        host_program("cargo-mkernel", "solo5-container");
        host_program("cargo-mkernel", "solo5-spt");
        let (kind, name) = push.split_once(':').unwrap_or(("oci", push));
        let output = Command::new(program)
            .args([
                "mkernel",
                "image",
                "web:1",
                "--package=echo",
                "--profile=dev",
            ])
            .arg(format!("--push={kind}:{}", self.path(name).display()))
            .args(arguments)
            .current_dir(workspace())
            .env("SOURCE_DATE_EPOCH", "1700000000")
            .output()
            .unwrap();
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{errors}");
        assert!(errors.contains("mkernel: web:1 is sha256:"), "{errors}");
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// What `descriptor` refers to, after a look at its digest.
    pub(crate) fn blob(&self, descriptor: &Value) -> PathBuf {
        let digest = descriptor["digest"].as_str().unwrap();
        let digest = digest.strip_prefix("sha256:").unwrap();
        let path = self.path("layout/blobs/sha256").join(digest);
        let output = Command::new("sha256sum").arg(&path).output().unwrap();
        assert!(output.stdout.starts_with(digest.as_bytes()));
        path
    }

    pub(crate) fn manifest(&self) -> Value {
        let index = read_json(&self.path("layout/index.json"));
        read_json(&self.blob(&index["manifests"][0]))
    }

    pub(crate) fn configuration(&self) -> Value {
        read_json(&self.blob(&self.manifest()["config"]))
    }

    /// Unpacks the layers, one over the other.
    pub(crate) fn unpack(&self) -> PathBuf {
        let root = self.path("root");
        fs::create_dir(&root).unwrap();
        for layer in self.manifest()["layers"].as_array().unwrap() {
            let mut tar = Command::new("tar");
            tar.arg("-xzf").arg(self.blob(layer)).arg("-C").arg(&root);
            assert!(tar.status().unwrap().success());
        }
        root
    }
}

pub(crate) fn read_json(path: &Path) -> Value {
    serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
}
