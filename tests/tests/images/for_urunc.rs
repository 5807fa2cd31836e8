use std::io::Write;
use std::process::{Command, Stdio};
use std::time::Duration;

use nix::sys::signal::Signal;
use serde_json::Value;
use system_tests::{Network, Running, host_program};

use crate::image::{Image, read_json};
use crate::own_interface::exchange;

fn decoded(value: &Value) -> String {
    let mut base64 = Command::new("base64")
        .arg("--decode")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = base64.stdin.take().unwrap();
    input.write_all(value.as_str().unwrap().as_bytes()).unwrap();
    drop(input);
    let output = base64.wait_with_output().unwrap();
    assert!(output.status.success(), "{value}");
    String::from_utf8(output.stdout).unwrap()
}

/// The command line is one text for urunc, which it splits at each space.
#[test]
fn it_boots_by_the_command_line_that_urunc_makes_of_it() {
    for (arguments, port) in [
        (&[][..], 3000),
        (&["--", "--port=80", "--name=two words"], 80),
    ] {
        let image = Image::make(arguments);
        let root = image.unpack();
        let urunc = read_json(&root.join("urunc.json"));
        let value = |name: &str| decoded(&urunc[format!("com.urunc.unikernel.{name}")]);
        assert_eq!(
            (value("unikernelType"), value("hypervisor")),
            ("mirage".to_owned(), "spt".to_owned())
        );
        let words = image.configuration()["config"]["Cmd"].clone();
        let words: Vec<&str> = words
            .as_array()
            .unwrap()
            .iter()
            .map(|word| word.as_str().unwrap())
            .collect();
        assert!(!words.is_empty(), "Docker has no command");
        let line = format!(
            "--mem=256 --net:{net}=tap0_urunc --net-mac:{net}=02:42:ac:11:00:02 {root}{binary} --ipv4=10.0.0.2/24 --ipv4-gateway=10.0.0.1 {}",
            words.join(" "),
            net = value("solo5NetDev"),
            root = root.display(),
            binary = value("binary"),
        );
        Network::with(|network| {
            network.add_tap("tap0_urunc", "10.0.0.1/24");
            let mut command = Command::new(host_program("cargo-mkernel", "solo5-spt"));
            command.args(line.split(' '));
            let mut running = Running::start(command, Duration::from_secs(60));
            exchange(running.connect(([10, 0, 0, 2], port).into(), Duration::from_secs(20)));
            running.signal(Signal::SIGTERM);
            let outcome = running.wait();
            assert_eq!(outcome.status, 0, "{outcome}");
            assert_eq!(
                outcome.stdout.contains("two words"),
                port == 80,
                "{outcome}"
            );
        });
    }
}
