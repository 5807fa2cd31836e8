//! Help, version, options, and what is said about bad ones.

use crate::support::Tender;

#[test]
fn help_goes_to_stdout_with_status_0() {
    for tender in Tender::BOTH {
        for args in [
            &["--help"][..],
            &["--mem=8", "--help"],
            &["--nonsense", "--help", "kernel"],
        ] {
            let ended = tender.run(args);
            assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), ""));
            assert!(
                ended
                    .stdout
                    .starts_with(&format!("usage: {} [OPTIONS]", tender.name())),
                "{}",
                ended.stdout
            );
        }
    }
}

#[test]
fn version_goes_to_stderr_with_status_0() {
    for tender in Tender::BOTH {
        let ended = tender.run(["--version"]);
        assert_eq!((ended.code, ended.stdout.as_str()), (Some(0), ""));
        let lines = ended.stderr.lines().collect::<Vec<_>>();
        assert!(
            lines[0].starts_with(&format!("{} tender, version ", tender.name())),
            "{}",
            lines[0]
        );
        assert_eq!(lines[1..], ["ABI version 2"]);
    }
}

/// What stands behind the unikernel's name is the unikernel's.
#[test]
fn options_end_at_the_kernel() {
    for tender in Tender::BOTH {
        tender.run(["/nonexistent/kernel", "--help"]).refused(
            tender,
            "cannot open \"/nonexistent/kernel\"",
            false,
        );
        tender
            .run(["--", "--help"])
            .refused(tender, "cannot open \"--help\"", false);
    }
}

#[test]
fn an_option_of_a_known_name_is_told_its_form() {
    let cases = [
        (&["--mem:9", "k"][..], "\"--mem:9\": expected --mem=N"),
        (&["--memory=9", "k"], "unknown option \"--memory=9\""),
        (
            &["--net=user", "k"],
            "\"--net=user\": expected --net:NAME=IFACE",
        ),
        (
            &["--net-mac=2:0:0:0:0:1", "k"],
            "expected --net-mac:NAME=xx",
        ),
        (
            &["--net-mac:service=01:00:00:00:00:01", "k"],
            "expected the address of one device, whose first field is even",
        ),
        (&["--block=d.img", "k"], "expected --block:NAME=PATH"),
        (
            &["--block-sector-size=512", "k"],
            "expected --block-sector-size:NAME=N",
        ),
        (&["--user", "k"], "expected --user=UID:GID"),
        (&["--chroot", "k"], "expected --chroot=DIR"),
        (
            &["--shutdown-timeout", "k"],
            "expected --shutdown-timeout=SECONDS",
        ),
    ];
    for tender in Tender::BOTH {
        for (args, what) in cases {
            tender.run(args).refused(tender, what, true);
        }
    }
}

#[test]
fn malformed_options_are_named() {
    let cases = [
        (&[][..], "missing KERNEL"),
        (&["--"], "missing KERNEL"),
        (&["--mem=64"], "missing KERNEL"),
        (&["--nonsense", "k"], "unknown option \"--nonsense\""),
        (&["-m", "k"], "unknown option \"-m\""),
        (&["--mem", "k"], "\"--mem\": expected --mem=N"),
        (&["--mem=0", "k"], "\"--mem=0\": expected --mem=N"),
        (&["--mem=", "k"], "\"--mem=\": expected --mem=N"),
        (&["--mem=64x", "k"], "\"--mem=64x\": expected --mem=N"),
        (&["--mem=-1", "k"], "\"--mem=-1\": expected --mem=N"),
        (&["--mem=18446744073709551615", "k"], "expected --mem=N"),
        (
            &["--shutdown-timeout=", "k"],
            "\"--shutdown-timeout=\": expected --shutdown-timeout=SECONDS",
        ),
        (
            &["--shutdown-timeout=4294967296", "k"],
            "with a whole number from 0 to 4294967295",
        ),
        (
            &["--net:service", "k"],
            "\"--net:service\": expected --net:NAME=IFACE",
        ),
        (
            &["--net:service=", "k"],
            "\"--net:service=\": expected --net:NAME=IFACE",
        ),
        (&["--net:=tap0", "k"], "empty name"),
        (
            &["--net:my-net=tap0", "k"],
            "expected ASCII letters and digits",
        ),
        (
            &["--net:service=@tap", "k"],
            "FD the number of an inherited descriptor",
        ),
        (
            &["--net:service=@99999999999", "k"],
            "FD the number of an inherited descriptor",
        ),
        (
            &["--net-mac:service=1:2:3", "k"],
            "malformed MAC address \"1:2:3\"",
        ),
        (&["--block:disk", "k"], "expected --block:NAME=PATH"),
        (
            &["--block-sector-size:disk=4k", "k"],
            "expected --block-sector-size:NAME=N",
        ),
        (
            &["--block-sector-size:disk=521", "k"],
            "invalid block size 521: Block size must be a multiple of 2 greater than or equal 512",
        ),
        (
            &["--block-sector-size:disk=65536", "k"],
            "invalid block size 65536",
        ),
    ];
    for tender in Tender::BOTH {
        for (args, what) in cases {
            tender.run(args).refused(tender, what, true);
        }
    }
}
