//! A Linux guest in QEMU with nothing in it but Debian's cloud kernel, an initramfs with the modules that it needs for
//! its network, and the static program: less than anybody runs.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};
use bench_common::network;

use crate::subjects::{Service, Subject, octets};

/// Why there is no virtual machine to be measured here; nothing where there may be one. A `/dev/kvm` without these
/// processor features is not hardware virtualisation, and may not even run a kernel.
pub fn obstacle() -> Option<&'static str> {
    let cpus = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let flags = cpus.lines().find(|line| line.starts_with("flags"));
    let mut flags = flags.unwrap_or_default().split_whitespace();
    if !flags.any(|flag| flag == "vmx" || flag == "svm") {
        return Some(
            "the processor has neither vmx nor svm, so that a /dev/kvm would not be hardware's",
        );
    }
    let kvm = File::options().read(true).write(true).open("/dev/kvm");
    kvm.is_err()
        .then_some("/dev/kvm is not there, or not open to this user")
}

pub struct LinuxGuest {
    pub service: Service,
    kernel: PathBuf,
    initramfs: PathBuf,
}

/// Makes the guest that runs `program`.
pub fn make(root: &Path, service: Service, program: &Path) -> Result<LinuxGuest> {
    let cache = root.join("target/ci/hvt");
    let status = Command::new(root.join("ci/vm/image"))
        .arg(&cache)
        .status()?;
    ensure!(status.success(), "ci/vm/image: {status}");
    let folder = root.join("target/bench/boot").join(service.name());
    let address = network::served(Subject::LinuxGuest as u8);
    fs::create_dir_all(folder.join("tree"))?;
    fs::copy(program, folder.join("tree/server"))?;
    // Nothing that it could do without.
    let init = format!(
        "\
#!/bin/busybox sh
/bin/busybox modprobe -a virtio_pci virtio_net
/bin/busybox ip addr add {address}/24 dev eth0
/bin/busybox ip link set eth0 up
exec /server
"
    );
    let path = folder.join("tree/init");
    fs::write(&path, init)?;
    fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o755))?;
    let archive = Command::new("sh")
        .args(["-c", "find . | busybox cpio -o -H newc"])
        .current_dir(folder.join("tree"))
        .stderr(Stdio::null())
        .output()?;
    ensure!(archive.status.success(), "busybox cpio: {}", archive.status);
    let initramfs = folder.join("initrd");
    fs::copy(cache.join("base.cpio"), &initramfs).context("base.cpio")?;
    File::options()
        .append(true)
        .open(&initramfs)?
        .write_all(&archive.stdout)?;
    Ok(LinuxGuest {
        service,
        kernel: cache.join("vmlinux"),
        initramfs,
    })
}

impl LinuxGuest {
    /// How to start it on TAP interface `link`; without KVM only to see that it works.
    pub fn command(&self, link: &str, kvm: bool) -> Command {
        let (acceleration, cpu) = if kvm {
            ("kvm", "host")
        } else {
            ("tcg", "EPYC")
        };
        let mut command = Command::new("qemu-system-x86_64");
        command
            .args([
                "-machine",
                "pc,vmport=off",
                "-accel",
                acceleration,
                "-cpu",
                cpu,
                "-m",
                "256",
            ])
            .args([
                "-nodefaults",
                "-no-user-config",
                "-no-reboot",
                "-display",
                "none",
            ])
            .arg("-kernel")
            .arg(&self.kernel)
            .arg("-initrd")
            .arg(&self.initramfs)
            .args([
                "-append",
                "quiet loglevel=0 no_timer_check tsc=reliable panic=-1 ipv6.disable=1",
            ])
            .arg("-netdev")
            .arg(format!("tap,id=net0,ifname={link},script=no,downscript=no"))
            .args(["-device", "virtio-net-pci,netdev=net0,romfile="]);
        command
    }

    pub fn size(&self) -> Result<u64> {
        Ok(octets(&self.kernel)? + octets(&self.initramfs)?)
    }
}
