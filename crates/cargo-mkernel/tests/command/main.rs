//! `cargo mkernel` and the programs beside it, with programs of the tests' own in place of Cargo and rustc.

mod toolchain;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use tempfile::TempDir;

/// An empty folder with a space in its path, outside of this workspace, as long as the first value is there.
fn folder(test: &str) -> (TempDir, PathBuf) {
    let outer = TempDir::new().unwrap();
    let folder = outer.path().join(format!("a {test}"));
    fs::create_dir(&folder).unwrap();
    (outer, folder)
}

/// A shell script.
fn script(folder: &Path, name: &str, text: &str) -> PathBuf {
    let path = folder.join(name);
    fs::write(&path, format!("#!/bin/sh\n{text}\n")).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    path
}

fn program(name: &str) -> Command {
    // At run time: a shell between Cargo and the compiler may drop a variable with a hyphen in its name.
    let variable = format!("CARGO_BIN_EXE_{name}");
    let mut command = Command::new(std::env::var_os(variable).expect("set by Cargo"));
    command
        .stdin(Stdio::null())
        .env_remove("RUSTC_WRAPPER")
        .env_remove("SOLO5_RUSTC_WRAPPER")
        .env_remove("RUST_BACKTRACE");
    command
}

fn cargo_mkernel(words: &[&str]) -> Command {
    let mut command = program("cargo-mkernel");
    command.arg("mkernel").args(words);
    command
}

/// Status, standard output and standard error.
fn outcome(command: &mut Command) -> (Option<i32>, String, String) {
    let Output {
        status,
        stdout,
        stderr,
    } = command.output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (status.code(), text(stdout), text(stderr))
}

#[test]
fn help_goes_to_stdout_with_status_0() {
    for name in ["cargo-mkernel", "solo5-rustc", "solo5-run", "solo5-elftool"] {
        let (status, stdout, stderr) = outcome(program(name).arg("--help"));
        assert_eq!((status, stderr.as_str()), (Some(0), ""), "{name}");
        assert!(
            stdout.to_lowercase().contains("usage: "),
            "{name}: {stdout}"
        );
    }
}

#[test]
fn an_option_that_is_no_good_is_one_line() {
    let cases = [
        (
            cargo_mkernel(&["run", "--bogus"]),
            "'--bogus' found; tip: to pass '--bogus' as a value, use '-- --bogus' (try cargo mkernel run --help)",
        ),
        (
            cargo_mkernel(&["bogus"]),
            "'bogus' (try cargo mkernel --help)",
        ),
        (
            cargo_mkernel(&["test"]),
            "'test' (try cargo test --target x86_64-solo5-spt)",
        ),
        (
            cargo_mkernel(&["new"]),
            "were not provided: <FOLDER> (try cargo mkernel new --help)",
        ),
        (
            cargo_mkernel(&["image", "a", "--bin", "b", "--example", "c"]),
            "'--bin <NAME>' cannot be used with '--example <NAME>' (try ",
        ),
        (program("solo5-run"), "expected the path of a unikernel"),
        (program("solo5-rustc"), "expected rustc's path"),
        (program("solo5-elftool"), "expected a command"),
    ];
    for (mut command, what) in cases {
        let (status, stdout, stderr) = outcome(&mut command);
        assert_eq!((status, stdout.as_str()), (Some(1), ""), "{command:?}");
        assert_eq!(stderr.lines().count(), 1, "{stderr}");
        assert!(
            stderr.contains(what) && stderr.contains("(try "),
            "{stderr}"
        );
    }
}

#[test]
fn a_new_project_has_all_that_cargo_is_told() {
    let (_outer, folder) = folder("new project");
    let mkernel = Path::new(env!("CARGO_MANIFEST_DIR")).join("../mkernel");
    for (option, feature) in [
        (None, None),
        (Some("--echo"), Some("cli")),
        (Some("--http"), Some("http")),
        (Some("--kv"), Some("store")),
    ] {
        let name = option.unwrap_or("--hello").trim_start_matches('-');
        let mut command = cargo_mkernel(&["new", name]);
        command
            .args(option)
            .arg("--mkernel-path")
            .arg(&mkernel)
            .current_dir(&folder);
        let (status, _, stderr) = outcome(&mut command);
        assert_eq!(status, Some(0), "{stderr}");
        assert!(stderr.contains(&format!("cd {name} && cargo mkernel run")));

        let read = |file: &str| fs::read_to_string(folder.join(name).join(file)).unwrap();
        let manifest = read("Cargo.toml");
        let dependency = manifest.lines().find(|line| line.starts_with("mkernel = "));
        let dependency = dependency.unwrap_or_default();
        assert!(
            feature.is_none_or(|feature| dependency.contains(feature)),
            "{manifest}"
        );
        assert!(manifest.contains("rust-version = "), "{manifest}");
        assert!(manifest.contains("[profile.stripped]"), "{manifest}");
        assert!(manifest.contains("[profile.dev]\ndebug = "), "{manifest}");
        assert!(read(".cargo/config.toml").contains("rustc-wrapper = \"solo5-rustc\""));
        assert!(read("src/main.rs").contains("fn main()"));
        // Cargo reads it as it is meant.
        let mut metadata = Command::new(env!("CARGO"));
        metadata
            .args(["metadata", "--no-deps", "--format-version=1", "--offline"])
            .env("RUSTC_WRAPPER", "")
            .current_dir(folder.join(name));
        let (status, _, stderr) = outcome(&mut metadata);
        assert_eq!(status, Some(0), "{stderr}");
    }
}

/// Profiles and Cargo's configuration count at the root alone.
#[test]
fn a_project_in_a_workspace_completes_the_workspace() {
    let (_outer, folder) = folder("workspace");
    fs::write(
        folder.join("Cargo.toml"),
        "[workspace]\nresolver = \"3\"\nmembers = []\n",
    )
    .unwrap();
    let (status, _, stderr) = outcome(cargo_mkernel(&["new", "guest"]).current_dir(&folder));
    assert_eq!(status, Some(0), "{stderr}");
    let root = fs::read_to_string(folder.join("Cargo.toml")).unwrap();
    assert!(
        root.contains("\"guest\"") && root.contains("[profile.stripped]"),
        "{root}"
    );
    let member = fs::read_to_string(folder.join("guest/Cargo.toml")).unwrap();
    assert!(!member.contains("[profile"), "{member}");
    assert!(folder.join(".cargo/config.toml").exists());
    assert!(!folder.join("guest/.cargo").exists());
}

#[test]
fn new_leaves_nothing_behind_when_it_cannot_make_a_project() {
    let (_outer, folder) = folder("refused");
    fs::create_dir_all(folder.join("project/src")).unwrap();
    fs::create_dir(folder.join("empty")).unwrap();
    fs::write(folder.join("project/Cargo.toml"), "[package]\n").unwrap();
    let cases: [(&[&str], &str); 7] = [
        (
            &["project"],
            "project has a project already: `cargo mkernel init project`",
        ),
        (
            &["empty"],
            "empty is there already: `cargo init empty && cargo mkernel init empty`",
        ),
        (&["a b"], "invalid character ` ` in package name: `a b`"),
        (&["mkernel"], "by --name"),
        (
            &["a", "--mkernel-path", "nowhere"],
            "--mkernel-path nowhere: its Cargo.toml: No such file",
        ),
        (
            &["a", "--mkernel-path", "project"],
            "--mkernel-path project: another package: expected crates/mkernel of a checkout",
        ),
        (&["a", "--name", "1"], "`1`"),
    ];
    for (words, expected) in cases {
        let mut command = cargo_mkernel(&["new"]);
        let (status, _, stderr) = outcome(command.args(words).current_dir(&folder));
        assert_eq!(status, Some(1), "{words:?}");
        assert!(stderr.contains(expected), "{words:?}: {stderr}");
        let names = fs::read_dir(&folder).unwrap();
        assert_eq!(names.count(), 2, "{words:?}");
    }
    let mut command = cargo_mkernel(&["new", "a b", "--name", "ab"]);
    let (status, _, stderr) = outcome(command.current_dir(&folder));
    assert_eq!(status, Some(0), "{stderr}");
    let manifest = fs::read_to_string(folder.join("a b/Cargo.toml")).unwrap();
    assert!(manifest.contains("name = \"ab\""), "{manifest}");
}

/// What only has the word in its name does not depend on it, and a workspace's own manifest depends on nothing.
#[test]
fn init_looks_at_dependencies_and_names_the_member_of_a_workspace() {
    let (_outer, folder) = folder("members");
    let mkernel = Path::new(env!("CARGO_MANIFEST_DIR")).join("../mkernel");
    fs::create_dir_all(folder.join("one/src")).unwrap();
    fs::write(folder.join("one/src/main.rs"), "fn main() {}\n").unwrap();
    let manifest = "[package]\nname = \"on-mkernel\"\nedition = \"2024\"\n";
    fs::write(folder.join("one/Cargo.toml"), manifest).unwrap();
    let manifest = "[workspace]\nresolver = \"3\"\nmembers = [\"one\"]\n";
    fs::write(folder.join("Cargo.toml"), manifest).unwrap();

    let (status, _, stderr) = outcome(cargo_mkernel(&["init"]).current_dir(&folder));
    assert_eq!(status, Some(0), "{stderr}");
    assert!(stderr.contains("cargo mkernel init MEMBER"), "{stderr}");
    assert!(folder.join(".cargo/config.toml").exists());

    let mut command = cargo_mkernel(&["init", "one", "--mkernel-path"]);
    let (status, _, stderr) = outcome(command.arg(&mkernel).current_dir(&folder));
    assert_eq!(status, Some(0), "{stderr}");
    let manifest = fs::read_to_string(folder.join("one/Cargo.toml")).unwrap();
    assert!(manifest.contains("mkernel = { "), "{manifest}");

    // Cargo would take the name of a dependency as well, and find no program in it.
    for words in [&["run", "-p"][..], &["image", "a", "-p"]] {
        for (name, expected) in [
            (
                "solo5-nolibc",
                "no package solo5-nolibc in this workspace: expected one of on-mkernel\n",
            ),
            ("one", "one is on-mkernel\n"),
        ] {
            let mut command = cargo_mkernel(words);
            let (status, _, stderr) = outcome(command.arg(name).current_dir(&folder));
            assert_eq!(status, Some(1));
            assert!(stderr.ends_with(expected), "{stderr}");
        }
    }

    let (status, _, stderr) = outcome(cargo_mkernel(&["init", "two"]).current_dir(&folder));
    assert_eq!(status, Some(1));
    let expected = "there is no two/Cargo.toml: `cargo mkernel new NAME`";
    assert!(stderr.contains(expected), "{stderr}");
}

#[test]
fn init_adds_to_a_project_and_not_twice() {
    let (_outer, folder) = folder("init");
    let mkernel = Path::new(env!("CARGO_MANIFEST_DIR")).join("../mkernel");
    fs::create_dir(folder.join("src")).unwrap();
    fs::write(folder.join("src/main.rs"), "fn main() {}\n").unwrap();
    let manifest = "[package]\nname = \"mine\"\nedition = \"2024\"\n\n[workspace]\n";
    fs::write(folder.join("Cargo.toml"), manifest).unwrap();
    let mut last = String::new();
    for _ in 0..2 {
        let mut command = cargo_mkernel(&["init", "--mkernel-path"]);
        command.arg(&mkernel).current_dir(&folder);
        let (status, _, stderr) = outcome(&mut command);
        assert_eq!(status, Some(0), "{stderr}");
        let written = fs::read_to_string(folder.join("Cargo.toml")).unwrap();
        assert!(
            written.starts_with("[package]\nname = \"mine\""),
            "{written}"
        );
        for (text, count) in [("mkernel = ", 1), ("[profile.stripped]", 1)] {
            assert_eq!(written.matches(text).count(), count, "{text}: {written}");
        }
        assert!(last.is_empty() || last == written);
        last = written;
    }
    // What is there already is not overwritten.
    fs::write(folder.join(".cargo/config.toml"), "[build]\njobs = 1\n").unwrap();
    let (status, _, stderr) = outcome(cargo_mkernel(&["init"]).current_dir(&folder));
    assert_eq!(status, Some(1));
    assert!(
        stderr.contains("add these lines") && stderr.contains("solo5-rustc"),
        "{stderr}"
    );
}

/// A program of std's threads and sockets has the feature, and the line without which rustc would leave it out.
#[test]
fn init_prepares_a_program_of_std() {
    let (_outer, folder) = folder("posix");
    let mkernel = Path::new(env!("CARGO_MANIFEST_DIR")).join("../mkernel");
    fs::create_dir(folder.join("src")).unwrap();
    let manifest = "[package]\nname = \"mine\"\nedition = \"2024\"\n\n[workspace]\n";
    fs::write(folder.join("Cargo.toml"), manifest).unwrap();
    fs::write(folder.join("src/main.rs"), "fn main() {}\n").unwrap();
    // The second time it depends on mkernel already.
    for words in [
        &["init", "--mkernel-path"][..],
        &["init", "--posix", "--mkernel-path"],
    ] {
        let mut command = cargo_mkernel(words);
        command.arg(&mkernel).current_dir(&folder);
        let (status, _, stderr) = outcome(&mut command);
        assert_eq!(status, Some(0), "{stderr}");
    }
    for _ in 0..2 {
        let mut command = cargo_mkernel(&["init", "--posix", "--mkernel-path"]);
        command.arg(&mkernel).current_dir(&folder);
        let (status, _, stderr) = outcome(&mut command);
        assert_eq!(status, Some(0), "{stderr}");
        let manifest = fs::read_to_string(folder.join("Cargo.toml")).unwrap();
        assert!(manifest.contains("features = [\"posix\"]"), "{manifest}");
        assert!(manifest.contains("path = "), "{manifest}");
        let program = fs::read_to_string(folder.join("src/main.rs")).unwrap();
        assert_eq!(program, "use mkernel as _;\n\nfn main() {}\n");
    }
    fs::rename(folder.join("src/main.rs"), folder.join("src/lib.rs")).unwrap();
    let mut command = cargo_mkernel(&["init", "--posix", "--mkernel-path"]);
    command.arg(&mkernel).current_dir(&folder);
    let (status, _, stderr) = outcome(&mut command);
    assert_eq!(status, Some(0), "{stderr}");
    assert!(stderr.contains("`use mkernel as _;`"), "{stderr}");
}

#[test]
fn run_puts_our_wrapper_in_front_of_another() {
    let (_outer, folder) = folder("wrapper");
    let cargo = script(
        &folder,
        "cargo",
        "[ \"$1\" != metadata ] || { echo '{\"packages\":[{\"name\":\"a b\"}]}'; exit; }\n\
         echo \"$RUSTC_WRAPPER|$SOLO5_RUSTC_WRAPPER\"; for word; do echo \"$word\"; done",
    );
    fs::write(folder.join("Cargo.toml"), "").unwrap();
    fs::create_dir(folder.join(".cargo")).unwrap();
    fs::write(
        folder.join(".cargo/config.toml"),
        "build.rustc-wrapper = \"solo5-rustc\"",
    )
    .unwrap();
    let mut command = cargo_mkernel(&["run", "--spt", "-p", "a b", "--release", "--"]);
    command
        .current_dir(&folder)
        .args(["--mem=8", "--", "x y"])
        .env("CARGO", &cargo)
        .env("RUSTC_WRAPPER", "/usr/bin/sccache");
    let (status, stdout, stderr) = outcome(&mut command);
    assert_eq!(status, Some(0), "{stderr}");
    let (wrappers, words) = stdout.split_once('\n').unwrap();
    assert!(
        wrappers.ends_with("/solo5-rustc|/usr/bin/sccache"),
        "{wrappers}"
    );
    let expected =
        "run\n--target\nx86_64-solo5-spt\n--package\na b\n--release\n--\n--mem=8\n--\nx y\n";
    assert_eq!(words, expected);
    assert!(
        stderr.contains("RUSTC_WRAPPER=/usr/bin/sccache is run by solo5-rustc"),
        "{stderr}"
    );

    let mut command = cargo_mkernel(&["run", "--hvt"]);
    command
        .env("CARGO", &cargo)
        .env("RUSTC_WRAPPER", "solo5-rustc");
    let (_, stdout, _) = outcome(&mut command);
    assert_eq!(stdout, "solo5-rustc|\nrun\n--target\nx86_64-solo5-hvt\n");
}

#[test]
fn run_says_what_cargo_has_to_be_told() {
    let (_outer, folder) = folder("nothing told");
    let (status, _, stderr) = outcome(cargo_mkernel(&["run"]).current_dir(&folder));
    assert_eq!(status, Some(1));
    let expected = format!(
        "error: no Cargo.toml from {} up: `cargo mkernel new NAME` makes a project\n",
        folder.display()
    );
    assert_eq!(stderr, expected);

    let manifest = "[package]\nname = \"mine\"\nedition = \"2024\"\n";
    fs::write(folder.join("Cargo.toml"), manifest).unwrap();
    fs::create_dir(folder.join("src")).unwrap();
    fs::write(folder.join("src/main.rs"), "fn main() {}\n").unwrap();
    for words in [&["run"][..], &["image", "mine"]] {
        let (status, _, stderr) = outcome(cargo_mkernel(words).current_dir(&folder));
        assert_eq!(status, Some(1));
        assert!(
            stderr.contains("names solo5-rustc: `cargo mkernel init`"),
            "{stderr}"
        );
    }
    for words in [&["run", "--profile", "stripped"][..], &["image", "mine"]] {
        let mut command = cargo_mkernel(words);
        command
            .current_dir(&folder)
            .env("RUSTC_WRAPPER", "solo5-rustc");
        let (status, _, stderr) = outcome(&mut command);
        assert_eq!(status, Some(1));
        assert!(stderr.contains("no profile `stripped`"), "{stderr}");
        assert!(
            stderr.contains("[profile.stripped]\ninherits = \"release\"\n"),
            "{stderr}"
        );
    }
}

/// Of several programs an image would have one: which, is asked before all are built.
#[test]
fn an_image_of_several_programs_is_refused_before_they_are_built() {
    let (_outer, folder) = folder("several");
    let manifest = "[workspace]\nmembers = [\"one\", \"two\", \"none\"]\n[profile.stripped]\ninherits = \"release\"\n";
    fs::write(folder.join("Cargo.toml"), manifest).unwrap();
    for (name, file) in [("one", "main.rs"), ("two", "main.rs"), ("none", "lib.rs")] {
        fs::create_dir_all(folder.join(name).join("src")).unwrap();
        fs::write(folder.join(name).join("src").join(file), "fn main() {}\n").unwrap();
        let manifest = format!("[package]\nname = {name:?}\nedition = \"2024\"\n");
        fs::write(folder.join(name).join("Cargo.toml"), manifest).unwrap();
    }
    let none = "this package has no program: expected src/main.rs, or --example\n";
    for (place, words, expected) in [
        (
            "",
            &[][..],
            "there are several programs, one, two: expected --package, --bin or --example to name one\n",
        ),
        ("none", &[][..], none),
        ("one", &["-p", "none"][..], none),
        // There is nothing wrong with these but that they depend on nothing.
        ("one", &[][..], "cargo build did not succeed\n"),
        ("", &["-p", "two"][..], "cargo build did not succeed\n"),
        ("", &["--bin", "two"][..], "cargo build did not succeed\n"),
        // Cargo alone knows which that is.
        ("", &["-p", "t?o"][..], "cargo build did not succeed\n"),
    ] {
        let mut command = cargo_mkernel(&["image", "a"]);
        command
            .args(words)
            .current_dir(folder.join(place))
            .env("RUSTC_WRAPPER", "solo5-rustc")
            .env("CARGO_TARGET_DIR", folder.join("built"));
        let (status, _, stderr) = outcome(&mut command);
        assert_eq!(status, Some(1));
        assert!(stderr.ends_with(expected), "{place} {words:?}: {stderr}");
        let built = expected.contains("did not succeed");
        assert_eq!(folder.join("built").exists(), built, "{place} {words:?}");
    }
}

#[test]
fn the_doctor_names_the_command_for_what_is_missing() {
    let (_outer, folder) = folder("doctor");
    script(
        &folder,
        "rustc",
        "echo 'rustc 1.80.1 (3f5fd8dd4 2024-08-06)'",
    );
    let mut command = cargo_mkernel(&["doctor"]);
    command
        .env("PATH", &folder)
        .env("RUSTC_WRAPPER", "/usr/bin/sccache");
    let (status, stdout, _) = outcome(&mut command);
    assert_eq!(status, Some(1));
    let minimum = format!(
        "missing  Rust: rustc 1.80.1 (3f5fd8dd4 2024-08-06): expected {} or newer\n         rustup update stable",
        env!("CARGO_PKG_RUST_VERSION")
    );
    for expected in [
        minimum.as_str(),
        "missing  C compiler: no cc on PATH\n         sudo apt-get install gcc libc6-dev\n",
        "export RUSTC_WRAPPER=solo5-rustc SOLO5_RUSTC_WRAPPER='/usr/bin/sccache'\n",
        "missing  solo5-rustc and its companions: not on PATH: solo5-rustc, ",
        "without  user namespaces: no unshare on PATH\n         sudo apt-get install util-linux\n",
        "without  user-mode network: no passt on PATH\n         sudo apt-get install passt\n",
    ] {
        assert!(stdout.contains(expected), "no {expected:?} in\n{stdout}");
    }
}

#[test]
fn a_file_that_is_no_unikernel_is_named() {
    let (_outer, folder) = folder("no unikernel");
    let file = script(&folder, "file", "");
    let (status, _, stderr) = outcome(program("solo5-run").arg(&file));
    assert_eq!(status, Some(1));
    assert!(
        stderr.starts_with("solo5-run: ") && stderr.contains("a no unikernel/file: "),
        "{stderr}"
    );
}
