use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use nix::sys::signal::Signal;
use nix::unistd::Uid;
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

/// Unpacks `image` as a runtime's bundle, with a network namespace, capabilities, and more arguments.
fn bundle(image: &Image, container: &Container, capabilities: &[&str], more: &[&str]) -> PathBuf {
    let bundle = image.path(&format!("bundle{}", capabilities.len()));
    let layout = format!("{}:1", image.path("layout").display());
    let mut umoci = Command::new("umoci");
    umoci.args(["unpack", "--image", &layout]).arg(&bundle);
    if !Uid::effective().is_root() || in_user_namespace() {
        umoci.arg("--rootless");
    }
    succeed(&mut umoci);
    let path = bundle.join("config.json");
    let mut configuration = read_json(&path);
    configuration["process"]["terminal"] = json!(false);
    let words = configuration["process"]["args"].as_array_mut().unwrap();
    words.extend(more.iter().map(|word| json!(word)));
    for set in ["bounding", "effective", "permitted"] {
        configuration["process"]["capabilities"][set] = json!(capabilities);
    }
    configuration["process"]["capabilities"]["inheritable"] = json!([]);
    configuration["process"]["capabilities"]["ambient"] = json!([]);
    configuration["process"]["noNewPrivileges"] = json!(true);
    configuration["root"]["readonly"] = json!(true);
    let linux = &mut configuration["linux"];
    linux["seccomp"] = seccomp(capabilities);
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

/// The system calls that Podman, and Docker but for namespaces, lets a container with these capabilities make.
fn seccomp(capabilities: &[&str]) -> Value {
    let profile = read_json(Path::new("/usr/share/containers/seccomp.json"));
    let names = |list: &Value| -> Vec<String> {
        let list = list.as_array().into_iter().flatten();
        list.map(|name| name.as_str().unwrap().to_owned()).collect()
    };
    let mut rules = Vec::new();
    for rule in profile["syscalls"].as_array().unwrap() {
        let (includes, excludes) = (&rule["includes"], &rule["excludes"]);
        let has = |name: &String| capabilities.contains(&&**name);
        let arches = names(&includes["arches"]);
        let applies = names(&includes["caps"]).iter().all(has)
            && !names(&excludes["caps"]).iter().any(has)
            && (arches.is_empty() || arches.iter().any(|arch| arch == "amd64"));
        let mut calls = names(&rule["names"]);
        calls.retain(|name| name != "unshare");
        if applies && !calls.is_empty() {
            let arguments = rule["args"].as_array().cloned().unwrap_or_default();
            let mut kept = json!({ "names": calls, "action": rule["action"], "args": arguments });
            if rule["errnoRet"].is_u64() {
                kept["errnoRet"] = rule["errnoRet"].clone();
            }
            rules.push(kept);
        }
    }
    assert!(rules.len() > 10, "{profile}");
    json!({
        "architectures": ["SCMP_ARCH_X86_64"],
        "defaultAction": profile["defaultAction"],
        "defaultErrnoRet": profile["defaultErrnoRet"],
        "syscalls": rules,
    })
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

/// A runtime may be told what urunc asks for by umoci's way of making annotations of labels.
#[test]
fn umoci_hands_the_annotations_on() {
    let image = Image::make(&["--", "--port=80"]);
    Network::with(|_| {
        let bundle = bundle(&image, &Container::new(), &[], &[]);
        let annotations = &read_json(&bundle.join("config.json"))["annotations"];
        assert_eq!(annotations["com.urunc.unikernel.unikernelType"], "mirage");
        assert_eq!(annotations["com.urunc.unikernel.cmdline"], "--port=80");
        let unpacked = fs::read(bundle.join("rootfs/unikernel")).unwrap();
        assert_eq!(
            unpacked,
            fs::read(image.unpack().join("unikernel")).unwrap()
        );
    });
}

/// With the least that it takes, and with what docs/deploy/deployment.yaml gives it.
#[test]
fn crun_runs_a_unikernel_with_its_tender_and_ends_it() {
    let as_nobody = ["--mem=64", "--user=65534:65534", "--", "--name=nobody"];
    for (capabilities, arguments) in [
        (&["CAP_NET_ADMIN"][..], &[][..]),
        (&["CAP_NET_ADMIN", "CAP_SETUID", "CAP_SETGID"], &as_nobody),
    ] {
        let image = Image::make(&["--tender"]);
        Network::with(|_| {
            let container = Container::new();
            let bundle = bundle(&image, &container, capabilities, arguments);
            let state = image.path("state");
            let run = ["run", "--bundle", bundle.to_str().unwrap(), "unikernel"];
            let mut running = Running::start(crun(&state, &run), Duration::from_secs(60));
            exchange(running.connect(SERVICE, Duration::from_secs(20)));
            let signal = (Signal::SIGTERM as i32).to_string();
            succeed(&mut crun(&state, &["kill", "unikernel", &signal]));
            let outcome = running.wait();
            assert_eq!(outcome.status, 0, "{outcome}");
            let address = "172.30.0.2/24, router 172.30.0.1";
            assert!(outcome.stdout.contains(address), "{outcome}");
        });
    }
}

#[test]
fn crun_without_the_capability_shows_what_to_type() {
    let image = Image::make(&["--tender"]);
    Network::with(|_| {
        let container = Container::new();
        let bundle = bundle(&image, &container, &[], &[]);
        let run = ["run", "--bundle", bundle.to_str().unwrap(), "unikernel"];
        let running = Running::start(crun(&image.path("state"), &run), Duration::from_secs(60));
        running
            .wait()
            .assert_error(1, "docker run --device /dev/net/tun --cap-add NET_ADMIN");
    });
}
