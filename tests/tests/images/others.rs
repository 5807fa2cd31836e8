use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use nix::sys::signal::Signal;
use serde_json::{Value, json};
use system_tests::{Network, Running};

use crate::container::{Container, SERVICE, succeed};
use crate::image::{Image, read_json};
use crate::own_interface::exchange;

/// crun knows cgroups of version 1 and of version 2, and not both; it has no cgroup to make here.
const CRUN: &str = "if mountpoint -q /sys/fs/cgroup/unified; then umount --lazy /sys/fs/cgroup/unified; fi; exec crun \"$@\"";

#[test]
fn skopeo_reads_all_forms_and_finds_the_same_configuration() {
    for flavour in [&["--spt"][..], &["--tender"]] {
        let image = Image::make(flavour);
        image.make_again("oci-archive:oci.tar", flavour);
        image.make_again("docker-archive:docker.tar", flavour);
        let expected = image.configuration();
        for form in [
            "oci:layout:1",
            "oci-archive:oci.tar:1",
            "docker-archive:docker.tar:web:1",
        ] {
            let (kind, name) = form.split_once(':').unwrap();
            let source = format!("{kind}:{}", image.path(name).display());
            let output = Command::new("skopeo")
                .args(["inspect", "--config", "--raw", &source])
                .output()
                .unwrap();
            let errors = String::from_utf8_lossy(&output.stderr);
            assert!(output.status.success(), "{form}: {errors}");
            let found: Value = serde_json::from_slice(&output.stdout).unwrap();
            assert_eq!(found, expected, "{form}");
            // It compares the digests of all layers, compressed and not.
            let copy = format!("dir:{}", image.path(kind).display());
            succeed(Command::new("skopeo").args(["--insecure-policy", "copy", &source, &copy]));
        }
    }
}

/// Unpacks `image` as a runtime's bundle, with a network namespace, and with capabilities.
fn bundle(image: &Image, container: &Container, capabilities: &[&str]) -> std::path::PathBuf {
    let bundle = image.path(&format!("bundle{}", capabilities.len()));
    let layout = format!("{}:1", image.path("layout").display());
    let mut umoci = Command::new("umoci");
    umoci.args(["unpack", "--image", &layout]).arg(&bundle);
    if !nix::unistd::Uid::effective().is_root() || in_user_namespace() {
        umoci.arg("--rootless");
    }
    succeed(&mut umoci);
    let path = bundle.join("config.json");
    let mut configuration = read_json(&path);
    configuration["process"]["terminal"] = json!(false);
    for set in ["bounding", "effective", "permitted"] {
        configuration["process"]["capabilities"][set] = json!(capabilities);
    }
    configuration["process"]["capabilities"]["inheritable"] = json!([]);
    configuration["process"]["capabilities"]["ambient"] = json!([]);
    let linux = &mut configuration["linux"];
    linux["resources"] = json!({});
    linux["devices"] = json!([{ "path": "/dev/net/tun", "type": "c", "major": 10, "minor": 200, "fileMode": 0o666 }]);
    linux["namespaces"] = json!([
        { "type": "network", "path": container.namespace() },
        { "type": "pid" }, { "type": "ipc" }, { "type": "uts" }, { "type": "mount" },
    ]);
    let mounts = configuration["mounts"].as_array_mut().unwrap();
    mounts.retain(|mount| mount["type"] != "cgroup");
    fs::write(&path, configuration.to_string()).unwrap();
    bundle
}

fn in_user_namespace() -> bool {
    let map = fs::read_to_string("/proc/self/uid_map").unwrap();
    !map.trim_end().ends_with("4294967295")
}

fn crun(state: &Path, words: &[&str]) -> Command {
    let mut command = Command::new("unshare");
    command.args([
        "--mount",
        "sh",
        "-c",
        CRUN,
        "sh",
        "--cgroup-manager=disabled",
        "--root",
    ]);
    command.arg(state).args(words);
    command
}

#[test]
fn crun_runs_a_unikernel_with_its_tender_and_ends_it() {
    let image = Image::make(&["--tender"]);
    Network::with(|_| {
        let container = Container::new();
        let bundle = bundle(&image, &container, &["CAP_NET_ADMIN"]);
        let state = image.path("state");
        let run = ["run", "--bundle", bundle.to_str().unwrap(), "unikernel"];
        let mut running = Running::start(crun(&state, &run), Duration::from_secs(60));
        exchange(running.connect(SERVICE, Duration::from_secs(20)));
        succeed(&mut crun(
            &state,
            &["kill", "unikernel", &(Signal::SIGTERM as i32).to_string()],
        ));
        let outcome = running.wait();
        assert_eq!(outcome.status, 0, "{outcome}");
        assert!(
            outcome.stdout.contains("172.30.0.2/24, router 172.30.0.1"),
            "{outcome}"
        );
    });
}

#[test]
fn crun_without_the_capability_shows_what_to_type() {
    let image = Image::make(&["--tender"]);
    Network::with(|_| {
        let container = Container::new();
        let bundle = bundle(&image, &container, &[]);
        let run = ["run", "--bundle", bundle.to_str().unwrap(), "unikernel"];
        let running = Running::start(crun(&image.path("state"), &run), Duration::from_secs(60));
        running
            .wait()
            .assert_error(1, "docker run --device /dev/net/tun --cap-add NET_ADMIN");
    });
}
