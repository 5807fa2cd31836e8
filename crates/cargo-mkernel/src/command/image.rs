//! `cargo mkernel image`.

use std::collections::BTreeMap;
use std::env;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{ExitCode, Stdio};

use clap::Args;

use super::program::{Program, not_one};
use super::run::{cargo, with_our_wrapper};
use super::{say, workspace};
use crate::container;
use crate::image::{
    self, Contents, File, Files, Image as Made, Layer, Place, Reference, configuration, labels,
};
use crate::run::{Abi, Unikernel, beside_us, on_path, quoted};

/// The unikernel's path in the image.
const UNIKERNEL: &str = "unikernel";

#[derive(Args)]
pub(super) struct Image {
    /// The image's name
    #[arg(value_name = "NAME[:TAG]")]
    name: Reference,
    /// Put the tender into it as well, for any container runtime; without, it is for urunc
    #[arg(long)]
    tender: bool,
    /// Where to: a folder with OCI's layout, oci-archive[:FILE] or docker-archive[:FILE]; without FILE, to standard output
    #[arg(long, value_name = "FOLDER")]
    push: Option<Place>,
    /// For a virtual machine, on KVM
    #[arg(long, conflicts_with = "spt")]
    hvt: bool,
    /// For a process behind a filter of system calls, which is the default
    #[arg(long)]
    spt: bool,
    #[command(flatten)]
    program: Program,
    /// The profile to build it with
    #[arg(long, value_name = "NAME", default_value = "stripped")]
    profile: OsString,
    /// The program's own arguments, unless others are given where it is run
    #[arg(last = true, value_name = "ARGUMENTS")]
    arguments: Vec<String>,
}

impl Image {
    pub(super) fn run(&self) -> Result<ExitCode, String> {
        let time = source_date()?;
        let program = self.build()?;
        let unikernel = Unikernel::read(&program)?;
        let mut files = Files::new();
        files.insert(UNIKERNEL.to_owned(), read(&program)?);
        let contents = match self.tender {
            true => self.with_tender(&unikernel, files, time)?,
            false => self.for_urunc(&unikernel, files, time)?,
        };
        let image = Made::new(contents);
        let place = self.push.clone().unwrap_or_else(|| {
            let folder = program.with_file_name("images");
            Place::Folder(folder.join(self.name.title()))
        });
        let at = place.write(&image, &self.name, time)?;
        say(format_args!(
            "mkernel: {} is {}, in {at}",
            self.name,
            image.digest()
        ));
        Ok(ExitCode::SUCCESS)
    }

    /// Has Cargo build the program; its path.
    fn build(&self) -> Result<PathBuf, String> {
        workspace::check(Some(&self.profile), self.program.package())?;
        self.program.is_one()?;
        let abi = if self.hvt { Abi::Hvt } else { Abi::Spt };
        let mut cargo = cargo();
        cargo.args(["build", "--message-format=json-render-diagnostics"]);
        cargo.args(["--target", abi.triple(), "--profile"]);
        cargo.arg(&self.profile);
        self.program.name_to(&mut cargo);
        with_our_wrapper(&mut cargo)?;
        let output = cargo.stderr(Stdio::inherit()).output();
        let output = output.map_err(|error| format!("cannot run cargo: {error}"))?;
        if !output.status.success() {
            return Err("cargo build did not succeed".to_owned());
        }
        let programs = programs(&output.stdout);
        match &*programs {
            [program] => Ok(program.clone()),
            // Such as those that want a feature, or are of the same name.
            _ => {
                let names = programs.iter().filter_map(|path| path.file_name());
                let names: Vec<_> = names.map(|name| name.to_string_lossy()).collect();
                Err(not_one(&names))
            }
        }
    }

    /// An image that `urunc` runs.
    fn for_urunc(
        &self,
        unikernel: &Unikernel,
        mut files: Files,
        time: u64,
    ) -> Result<Contents, String> {
        warn_of_devices(unikernel);
        let arguments: Vec<String> = self.arguments.iter().map(|word| quoted(word)).collect();
        let mut labels = labels(unikernel, &format!("/{UNIKERNEL}"), &arguments.join(" "));
        files.insert(
            image::CONFIGURATION.to_owned(),
            File {
                executable: false,
                content: configuration(&labels),
            },
        );
        self.describe(&mut labels);
        Ok(Contents {
            layers: vec![layer(&files, time)?],
            entrypoint: Vec::new(),
            // urunc hands over all words as the unikernel's, and what calls it wants one at least: an empty one adds nothing.
            arguments: if arguments.is_empty() {
                vec![String::new()]
            } else {
                arguments
            },
            labels,
            created: created(time)?,
        })
    }

    /// An image that any runtime runs.
    fn with_tender(
        &self,
        unikernel: &Unikernel,
        files: Files,
        time: u64,
    ) -> Result<Contents, String> {
        let mut labels = BTreeMap::new();
        self.describe(&mut labels);
        Ok(Contents {
            layers: vec![
                layer(&programs_for(unikernel.abi)?, time)?,
                layer(&files, time)?,
            ],
            entrypoint: vec![format!("/{}", container::PROGRAM), format!("/{UNIKERNEL}")],
            arguments: self.arguments.clone(),
            labels,
            created: created(time)?,
        })
    }

    fn describe(&self, labels: &mut BTreeMap<String, String>) {
        let title = self.name.title().to_owned();
        labels.insert("org.opencontainers.image.title".to_owned(), title);
    }
}

/// The programs among what Cargo says it has built.
fn programs(messages: &[u8]) -> Vec<PathBuf> {
    let messages = messages.split(|&octet| octet == b'\n');
    let messages =
        messages.filter_map(|line| serde_json::from_slice::<serde_json::Value>(line).ok());
    let programs = messages.filter_map(|message| Some(message["executable"].as_str()?.into()));
    programs.collect()
}

/// The tender, what starts it, and the libraries that both are linked with.
fn programs_for(abi: Abi) -> Result<Files, String> {
    let mut files = Files::new();
    for name in [container::PROGRAM, abi.tender()] {
        let path = beside_us(name).or_else(|| on_path(name)).ok_or_else(|| {
            format!("no {name} beside cargo-mkernel or on PATH: `cargo install cargo-mkernel` installs it")
        })?;
        for library in image::libraries(&path)? {
            let in_image = library.display().to_string();
            files.insert(in_image.trim_start_matches('/').to_owned(), read(&library)?);
        }
        files.insert(name.to_owned(), read(&path)?);
    }
    Ok(files)
}

fn layer(files: &Files, time: u64) -> Result<Layer, String> {
    Layer::new(files, time).map_err(|error| format!("cannot archive the image's files: {error}"))
}

fn read(path: &Path) -> Result<File, String> {
    let content = fs::read(path).map_err(|error| format!("{}: {error}", path.display()))?;
    Ok(File {
        executable: true,
        content,
    })
}

/// urunc attaches one network and one block device, and has only lately been told their names.
fn warn_of_devices(unikernel: &Unikernel) {
    for (kind, names, usual) in [
        ("network", &unikernel.networks, "service"),
        ("block", &unikernel.blocks, "storage"),
    ] {
        match &**names {
            [name] if name != usual => say(format_args!(
                "warning: urunc up to 0.7 attaches the {kind} device {usual:?}, and this unikernel's is {name:?}"
            )),
            [] | [_] => {}
            names => say(format_args!(
                "warning: urunc attaches one {kind} device, and this unikernel has {}: {}",
                names.len(),
                names.join(", ")
            )),
        }
    }
}

/// The second that all files are of: what `SOURCE_DATE_EPOCH` says, otherwise 0.
fn source_date() -> Result<u64, String> {
    let Some(value) = env::var_os("SOURCE_DATE_EPOCH") else {
        return Ok(0);
    };
    let seconds = value.to_str().and_then(|text| text.parse().ok());
    seconds.ok_or_else(|| {
        format!("SOURCE_DATE_EPOCH is {value:?}: expected a number of seconds since 1970")
    })
}

fn created(time: u64) -> Result<String, String> {
    image::date(time).ok_or_else(|| {
        format!("SOURCE_DATE_EPOCH is {time}: expected a second before the year 10000")
    })
}
