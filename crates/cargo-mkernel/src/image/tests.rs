use std::collections::BTreeMap;
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use flate2::read::GzDecoder;
use serde_json::Value;

use super::layer::sha256;
use super::*;
use crate::run::{Abi, Unikernel};

fn files() -> Files {
    let file = |executable, content: &[u8]| File {
        executable,
        content: content.to_vec(),
    };
    Files::from([
        ("unikernel".to_owned(), file(true, &[7; 3000])),
        ("lib/deep/libx.so".to_owned(), file(true, b"x")),
        (CONFIGURATION.to_owned(), file(false, b"{}")),
    ])
}

fn image() -> Image {
    Image::new(Contents {
        layers: vec![Layer::new(&files(), 1).unwrap()],
        entrypoint: vec!["/program".to_owned()],
        arguments: vec!["--port=80".to_owned()],
        labels: BTreeMap::from([("key".to_owned(), "value".to_owned())]),
        created: "1970-01-01T00:00:01Z".to_owned(),
    })
}

fn read_json(path: &Path) -> Value {
    serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
}

#[test]
fn a_layer_is_its_files_and_their_folders_of_one_second_and_roots() {
    let layer = Layer::new(&files(), 1).unwrap();
    let mut archive = tar::Archive::new(&*layer.archive);
    let mut seen = Vec::new();
    for entry in archive.entries().unwrap() {
        let entry = entry.unwrap();
        let header = entry.header();
        assert_eq!(header.mtime().unwrap(), 1);
        assert_eq!((header.uid().unwrap(), header.gid().unwrap()), (0, 0));
        let path = entry.path().unwrap().display().to_string();
        seen.push((path, header.mode().unwrap(), entry.size()));
    }
    let expected = [
        ("lib", 0o755, 0),
        ("lib/deep", 0o755, 0),
        ("lib/deep/libx.so", 0o755, 1),
        ("unikernel", 0o755, 3000),
        ("urunc.json", 0o644, 2),
    ];
    assert_eq!(
        seen,
        expected.map(|(path, mode, size)| (path.to_owned(), mode, size))
    );
}

#[test]
fn a_compressed_layer_says_nothing_of_when_and_where_it_was_made() {
    let layer = Layer::new(&files(), 1).unwrap();
    // RFC 1952 section 2.3: deflate, no flags and so no name, no time, an unknown system.
    assert_eq!(layer.blob[..8], [0x1f, 0x8b, 8, 0, 0, 0, 0, 0]);
    assert_eq!(layer.blob[9], 255);
    let mut archive = Vec::new();
    GzDecoder::new(&*layer.blob)
        .read_to_end(&mut archive)
        .unwrap();
    assert_eq!(archive, layer.archive);
}

#[test]
fn a_layout_has_its_blobs_by_their_digests_and_other_tags_stay() {
    let folder = tempfile::tempdir().unwrap();
    let place = Place::Folder(folder.path().to_owned());
    let reference: Reference = "example.com/web:1".parse().unwrap();
    place.write(&image(), &reference, 1).unwrap();
    place.write(&image(), &"web:2".parse().unwrap(), 1).unwrap();
    place.write(&image(), &reference, 1).unwrap();

    let blobs = folder.path().join("blobs/sha256");
    for blob in fs::read_dir(&blobs).unwrap() {
        let blob = blob.unwrap();
        let digest = sha256(&fs::read(blob.path()).unwrap());
        assert_eq!(blob.file_name().to_str().unwrap(), digest);
    }
    let blob = |descriptor: &Value| {
        let digest = descriptor["digest"].as_str().unwrap();
        let path = blobs.join(digest.strip_prefix("sha256:").unwrap());
        assert_eq!(
            fs::metadata(&path).unwrap().len(),
            descriptor["size"].as_u64().unwrap()
        );
        path
    };
    let index = read_json(&folder.path().join("index.json"));
    let manifests = index["manifests"].as_array().unwrap();
    let tags = manifests
        .iter()
        .map(|entry| &entry["annotations"]["org.opencontainers.image.ref.name"]);
    assert_eq!(tags.collect::<Vec<_>>(), ["2", "1"]);
    let names = manifests
        .iter()
        .map(|entry| &entry["annotations"]["io.containerd.image.name"]);
    assert_eq!(
        names.collect::<Vec<_>>(),
        ["docker.io/library/web:2", "example.com/web:1"]
    );
    assert_eq!(manifests[1]["digest"], image().digest());

    let manifest = read_json(&blob(&manifests[1]));
    assert_eq!(manifest["annotations"]["key"], "value");
    let configuration = read_json(&blob(&manifest["config"]));
    let layer = Layer::new(&files(), 1).unwrap();
    assert_eq!(fs::read(blob(&manifest["layers"][0])).unwrap(), layer.blob);
    let archive = format!("sha256:{}", sha256(&layer.archive));
    assert_eq!(
        configuration["rootfs"]["diff_ids"],
        serde_json::json!([archive])
    );
    assert_eq!(
        configuration["config"]["Entrypoint"],
        serde_json::json!(["/program"])
    );
    assert_eq!(
        configuration["config"]["Cmd"],
        serde_json::json!(["--port=80"])
    );
    assert_eq!(configuration["config"]["Labels"]["key"], "value");
}

#[test]
fn a_folder_with_something_else_in_it_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("precious"), "").unwrap();
    let place = Place::Folder(folder.path().to_owned());
    let error = place
        .write(&image(), &"web".parse().unwrap(), 1)
        .unwrap_err();
    assert!(
        error.contains("expected an empty folder or an OCI image layout"),
        "{error}"
    );
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    // A layout that is not one is not mended.
    fs::write(folder.path().join("oci-layout"), "").unwrap();
    fs::write(folder.path().join("index.json"), "[]").unwrap();
    let error = place
        .write(&image(), &"web".parse().unwrap(), 1)
        .unwrap_err();
    assert!(error.contains("found no array `manifests`"), "{error}");
}

#[test]
fn archives_are_the_same_octets_each_time() {
    let folder = tempfile::tempdir().unwrap();
    let reference: Reference = "web:1".parse().unwrap();
    let written = |place: Place, path: &Path| {
        place.write(&image(), &reference, 1).unwrap();
        fs::read(path).unwrap()
    };
    let path = folder.path().join("image.tar");
    let forms: [fn(Option<PathBuf>) -> Place; 2] = [Place::OciArchive, Place::DockerArchive];
    for form in forms {
        let first = written(form(Some(path.clone())), &path);
        assert_eq!(written(form(Some(path.clone())), &path), first);
    }
    let archive = written(Place::DockerArchive(Some(path.clone())), &path);
    let mut files = BTreeMap::new();
    for entry in tar::Archive::new(&*archive).entries().unwrap() {
        let mut entry = entry.unwrap();
        let mut content = Vec::new();
        entry.read_to_end(&mut content).unwrap();
        files.insert(entry.path().unwrap().display().to_string(), content);
    }
    let manifest: Value = serde_json::from_slice(&files["manifest.json"]).unwrap();
    assert_eq!(manifest[0]["RepoTags"], serde_json::json!(["web:1"]));
    assert_eq!(
        files[manifest[0]["Config"].as_str().unwrap()],
        image().configuration
    );
    assert_eq!(
        files[manifest[0]["Layers"][0].as_str().unwrap()],
        image().layers[0].archive
    );
}

#[test]
fn a_place_is_a_form_and_a_path() {
    for (text, expected) in [
        ("images/web", Place::Folder("images/web".into())),
        ("oci:web", Place::Folder("web".into())),
        ("oci", Place::Folder("oci".into())),
        ("oci-archive", Place::OciArchive(None)),
        ("oci-archive:a.tar", Place::OciArchive(Some("a.tar".into()))),
        (
            "docker-archive:a:b",
            Place::DockerArchive(Some("a:b".into())),
        ),
    ] {
        assert_eq!(text.parse(), Ok(expected));
    }
}

#[test]
fn what_may_be_another_form_is_no_folder() {
    for text in [
        "docker://127.0.0.1:1/small:1.0",
        "docker-daemon:web:1",
        "containers-storage:web",
        "docker-archiv",
        "docker",
        "oci-archives",
        "oci:",
        "oci-archive:",
        "",
    ] {
        let error = text.parse::<Place>().unwrap_err();
        let expected = format!("expected a folder (./{text} for one of that name), oci:FOLDER");
        assert!(
            error.starts_with(&expected) && error.contains("skopeo copy"),
            "{error}"
        );
    }
    for text in [
        "./docker-archiv",
        "./a:b",
        "/tmp/a:b",
        "../oci-images",
        "web.d",
        "web",
    ] {
        assert_eq!(text.parse(), Ok(Place::Folder(text.into())));
    }
}

#[test]
fn a_name_may_have_a_host_and_a_tag() {
    for (text, name, tag, normalised) in [
        ("web", "web", "latest", "docker.io/library/web:latest"),
        ("me/web:1.0", "me/web", "1.0", "docker.io/me/web:1.0"),
        (
            "localhost:5000/a/b",
            "localhost:5000/a/b",
            "latest",
            "localhost:5000/a/b:latest",
        ),
        (
            "r.example.com/a__b-c.d:_x",
            "r.example.com/a__b-c.d",
            "_x",
            "r.example.com/a__b-c.d:_x",
        ),
    ] {
        let reference: Reference = text.parse().unwrap();
        assert_eq!((&*reference.name, &*reference.tag), (name, tag));
        assert_eq!(reference.normalised(), normalised);
    }
    let long = format!("web:{}", "x".repeat(129));
    for text in [
        "",
        "Web",
        "web:",
        "web:-",
        ":1",
        "a//b",
        "a/",
        "/a",
        "-a",
        "a-",
        "a..b",
        "a___b",
        "a.b:+80/c",
        "a b",
        "web:a/b",
        &long,
    ] {
        assert!(text.parse::<Reference>().is_err(), "{text:?}");
    }
}

#[test]
fn libraries_are_those_with_a_path() {
    let listing = "\tlinux-vdso.so.1 (0x00007f67abf70000)\n\
        \tlibc.so.6 => /lib/x86_64-linux-gnu/libc.so.6 (0x00007f67abc6b000)\n\
        \t/lib64/ld-linux-x86-64.so.2 (0x00007f67abf72000)\n";
    let expected = [
        "/lib/x86_64-linux-gnu/libc.so.6",
        "/lib64/ld-linux-x86-64.so.2",
    ];
    assert_eq!(
        libraries::parse(listing).unwrap(),
        expected.map(PathBuf::from)
    );
    let error = libraries::parse("\tliby.so => not found\n").unwrap_err();
    assert_eq!(error, "this machine has no liby.so");
}

#[test]
fn urunc_reads_base64_in_the_file_and_text_in_annotations() {
    let mut unikernel = Unikernel {
        abi: Abi::Spt,
        networks: vec!["web".to_owned()],
        blocks: Vec::new(),
        ours: true,
    };
    let labels_of = |unikernel: &Unikernel| labels(unikernel, "/unikernel", "--port=80");
    let found = labels_of(&unikernel);
    for (name, value) in [
        ("unikernelType", "mirage"),
        ("hypervisor", "spt"),
        ("binary", "/unikernel"),
        ("cmdline", "--port=80"),
        ("solo5NetDev", "web"),
    ] {
        assert_eq!(found[&format!("com.urunc.unikernel.{name}")], value);
    }
    let file: BTreeMap<String, String> = serde_json::from_slice(&configuration(&found)).unwrap();
    assert_eq!(file.len(), found.len());
    for (name, value) in file {
        assert_eq!(
            BASE64_STANDARD.decode(value).unwrap(),
            found[&name].as_bytes()
        );
    }
    // Of several devices none is the one.
    unikernel.networks.push("admin".to_owned());
    unikernel.abi = Abi::Hvt;
    let found = labels_of(&unikernel);
    assert!(!found.contains_key("com.urunc.unikernel.solo5NetDev"));
    assert_eq!(found["com.urunc.unikernel.hypervisor"], "hvt");
}
