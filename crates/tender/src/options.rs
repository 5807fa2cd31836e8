//! The tenders' command line, compatible with that of Solo5's own.
//!
//! The options are of the form `--net:NAME=IFACE`, with the device's name inside the option's: no argument parser
//! knows that form, so it is read by hand.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::os::fd::RawFd;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::PathBuf;

use hostdev::{BlockError, BlockSize, MacAddress, ParseMacError};
use solo5_abi::manifest::{NameError, check_name};

use crate::user::{self, UserNetwork};

/// Guest memory without `--mem`, in MiB.
const DEFAULT_MEM: u64 = 512;
/// Seconds without `--shutdown-timeout`.
const DEFAULT_SHUTDOWN_TIMEOUT: u32 = 10;

const NET_FORM: &str = "--net:NAME=IFACE, --net:NAME=@FD, --net:NAME=user or --net:NAME=unix:PATH";
const NET_MAC_FORM: &str = "--net-mac:NAME=xx:xx:xx:xx:xx:xx";
const BLOCK_FORM: &str = "--block:NAME=PATH";
const BLOCK_SIZE_FORM: &str = "--block-sector-size:NAME=N";
const CHROOT_FORM: &str = "--chroot=DIR";

/// What the command line asks for.
#[derive(Debug, PartialEq, Eq)]
pub enum Command {
    /// Print the usage.
    Help,
    /// Print the versions.
    Version,
    /// Run a unikernel.
    Run(Options),
}

/// How to run a unikernel.
#[derive(Debug, PartialEq, Eq)]
pub struct Options {
    /// Guest memory in bytes, a positive multiple of 1 MiB.
    pub mem: u64,
    /// What to attach to which network device.
    pub net: BTreeMap<String, NetSource>,
    /// MAC addresses of network devices.
    pub net_mac: BTreeMap<String, MacAddress>,
    /// Which file to attach to which block device.
    pub block: BTreeMap<String, PathBuf>,
    /// Block sizes of block devices.
    pub block_size: BTreeMap<String, BlockSize>,
    /// Memory outside the loaded segments is executable.
    pub exec_heap: bool,
    /// Whose numbers the process goes on with, user and group; those that it has, unless given.
    pub user: Option<(u32, u32)>,
    /// Which directory is the process's root from then on.
    pub chroot: Option<PathBuf>,
    /// The process can be traced by its user, and leave a core.
    pub dumpable: bool,
    /// What the host did not allow of the confinement is told.
    pub verbose: bool,
    /// Seconds that a guest which wants to be told of its end has from then on; with none it is not told.
    pub shutdown_timeout: u32,
    /// The unikernel.
    pub kernel: PathBuf,
    /// The unikernel's arguments.
    pub args: Vec<OsString>,
}

/// What is behind a network device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NetSource {
    /// An existing interface, by name.
    Interface(String),
    /// An inherited descriptor.
    Descriptor(RawFd),
    /// None: a network of its own, in which this host is the router.
    User(UserNetwork),
    /// Whoever is at the other end of a stream socket with this path, and the MTU on the way there.
    Socket(PathBuf, u16),
}

/// A command line that is no good.
#[derive(Debug, thiserror::Error)]
pub enum OptionError {
    /// No unikernel was named.
    #[error("missing KERNEL: expected the file name of a unikernel after the options")]
    MissingKernel,
    /// An option that this tender does not have.
    #[error("unknown option {0:?}")]
    Unknown(OsString),
    /// An option without its value, or with an empty one.
    #[error("malformed option {option:?}: expected {expected}")]
    Malformed {
        /// The option as given.
        option: OsString,
        /// Its form.
        expected: &'static str,
    },
    /// A device name that no manifest can hold.
    #[error("malformed option {option:?}: {source}")]
    Name {
        /// The option as given.
        option: OsString,
        /// What is wrong with the name.
        source: NameError,
    },
    /// Guest memory of zero or not a number.
    #[error("malformed option {0:?}: expected --mem=N with N a whole number of MiB from 1 on")]
    Mem(OsString),
    /// Not a number of seconds.
    #[error(
        "malformed option {0:?}: expected --shutdown-timeout=SECONDS with a whole number from 0 to {max}",
        max = u32::MAX
    )]
    ShutdownTimeout(OsString),
    /// Not the numbers of a user and a group.
    #[error(
        "malformed option {0:?}: expected --user=UID:GID with two numbers from 0 to {max}",
        max = u32::MAX - 1
    )]
    User(OsString),
    /// Not a MAC address.
    #[error("malformed option {option:?}: {source}")]
    Mac {
        /// The option as given.
        option: OsString,
        /// What is wrong with the address.
        source: ParseMacError,
    },
    /// Not a block size.
    #[error("malformed option {option:?}: {source}")]
    BlockSize {
        /// The option as given.
        option: OsString,
        /// What is wrong with the size.
        source: BlockError,
    },
}

/// Parses the arguments after the program's name.
///
/// # Errors
///
/// The first thing that is wrong, unless `--help` or `--version` stands before the unikernel.
pub fn parse(args: impl IntoIterator<Item = OsString>) -> Result<Command, OptionError> {
    let mut args = args.into_iter();
    let (given, kernel) = split(&mut args);
    // Genuine tenders look for these two first, whatever else is on the line.
    for option in &given {
        match option.as_bytes() {
            b"--help" => return Ok(Command::Help),
            b"--version" => return Ok(Command::Version),
            _ => {}
        }
    }
    let mut options = Options {
        mem: DEFAULT_MEM << 20,
        net: BTreeMap::new(),
        net_mac: BTreeMap::new(),
        block: BTreeMap::new(),
        block_size: BTreeMap::new(),
        exec_heap: false,
        user: None,
        chroot: None,
        dumpable: false,
        verbose: false,
        shutdown_timeout: DEFAULT_SHUTDOWN_TIMEOUT,
        kernel: PathBuf::new(),
        args: Vec::new(),
    };
    for option in given {
        options.set(&option)?;
    }
    options.kernel = kernel
        .filter(|kernel| !kernel.is_empty())
        .ok_or(OptionError::MissingKernel)?
        .into();
    options.args = args.collect();
    Ok(Command::Run(options))
}

/// Takes the options and the unikernel's name off the front of `args`.
fn split(args: &mut impl Iterator<Item = OsString>) -> (Vec<OsString>, Option<OsString>) {
    let mut options = Vec::new();
    while let Some(arg) = args.next() {
        if arg == "--" {
            return (options, args.next());
        }
        if !arg.as_bytes().starts_with(b"-") {
            return (options, Some(arg));
        }
        options.push(arg);
    }
    (options, None)
}

impl Options {
    fn set(&mut self, option: &OsStr) -> Result<(), OptionError> {
        let bytes = option.as_bytes();
        if let Some(value) = bytes.strip_prefix(b"--mem=") {
            self.mem = mem(value).ok_or_else(|| OptionError::Mem(option.to_owned()))?;
        } else if let Some(rest) = bytes.strip_prefix(b"--net:") {
            let (name, value) = device(option, rest, NET_FORM)?;
            self.net.insert(name, net_source(option, value)?);
        } else if let Some(rest) = bytes.strip_prefix(b"--net-mac:") {
            let (name, value) = device(option, rest, NET_MAC_FORM)?;
            let mac: MacAddress =
                String::from_utf8_lossy(value)
                    .parse()
                    .map_err(|source| OptionError::Mac {
                        option: option.to_owned(),
                        source,
                    })?;
            if mac.is_multicast() {
                return Err(OptionError::Malformed {
                    option: option.to_owned(),
                    expected: "the address of one device, whose first field is even, as in 02:00:00:12:34:56",
                });
            }
            self.net_mac.insert(name, mac);
        } else if let Some(rest) = bytes.strip_prefix(b"--block:") {
            let (name, value) = device(option, rest, BLOCK_FORM)?;
            self.block
                .insert(name, OsString::from_vec(value.to_vec()).into());
        } else if let Some(rest) = bytes.strip_prefix(b"--block-sector-size:") {
            let (name, value) = device(option, rest, BLOCK_SIZE_FORM)?;
            let size = number(value).ok_or_else(|| OptionError::Malformed {
                option: option.to_owned(),
                expected: BLOCK_SIZE_FORM,
            })?;
            let size = BlockSize::new(size).map_err(|source| OptionError::BlockSize {
                option: option.to_owned(),
                source,
            })?;
            self.block_size.insert(name, size);
        } else if let Some(value) = bytes.strip_prefix(b"--shutdown-timeout=") {
            let seconds = number(value).and_then(|seconds| u32::try_from(seconds).ok());
            self.shutdown_timeout =
                seconds.ok_or_else(|| OptionError::ShutdownTimeout(option.to_owned()))?;
        } else if let Some(value) = bytes.strip_prefix(b"--user=") {
            let user = user(value).ok_or_else(|| OptionError::User(option.to_owned()))?;
            self.user = Some(user);
        } else if let Some(value) = bytes.strip_prefix(b"--chroot=") {
            if value.is_empty() {
                return Err(OptionError::Malformed {
                    option: option.to_owned(),
                    expected: CHROOT_FORM,
                });
            }
            self.chroot = Some(OsString::from_vec(value.to_vec()).into());
        } else if bytes == b"--verbose" {
            self.verbose = true;
        } else if bytes == b"--x-dumpable" {
            self.dumpable = true;
        } else if bytes == b"--x-exec-heap" {
            self.exec_heap = true;
        } else {
            return Err(unknown(option));
        }
        Ok(())
    }
}

/// What is wrong with an option of another form than any: that, if its name is known.
fn unknown(option: &OsStr) -> OptionError {
    let bytes = option.as_bytes();
    let name = bytes.split(|octet| b"=:".contains(octet)).next();
    let option = option.to_owned();
    let expected = match name.unwrap_or_default() {
        b"--mem" => return OptionError::Mem(option),
        b"--shutdown-timeout" => return OptionError::ShutdownTimeout(option),
        b"--user" => return OptionError::User(option),
        b"--net" => NET_FORM,
        b"--net-mac" => NET_MAC_FORM,
        b"--block" => BLOCK_FORM,
        b"--block-sector-size" => BLOCK_SIZE_FORM,
        b"--chroot" => CHROOT_FORM,
        _ => return OptionError::Unknown(option),
    };
    OptionError::Malformed { option, expected }
}

/// Splits `NAME=VALUE` of a device option.
fn device<'a>(
    option: &OsStr,
    rest: &'a [u8],
    expected: &'static str,
) -> Result<(String, &'a [u8]), OptionError> {
    let malformed = || OptionError::Malformed {
        option: option.to_owned(),
        expected,
    };
    let equals = rest
        .iter()
        .position(|&byte| byte == b'=')
        .ok_or_else(malformed)?;
    let (name, value) = (&rest[..equals], &rest[equals + 1..]);
    if value.is_empty() {
        return Err(malformed());
    }
    let name = str::from_utf8(name).map_err(|_| malformed())?;
    check_name(name).map_err(|source| OptionError::Name {
        option: option.to_owned(),
        source,
    })?;
    Ok((name.to_owned(), value))
}

fn net_source(option: &OsStr, value: &[u8]) -> Result<NetSource, OptionError> {
    let malformed = |expected| OptionError::Malformed {
        option: option.to_owned(),
        expected,
    };
    if let Some(fd) = value.strip_prefix(b"@") {
        let fd = number(fd).and_then(|fd| RawFd::try_from(fd).ok());
        return fd.map(NetSource::Descriptor).ok_or_else(|| {
            malformed("--net:NAME=@FD with FD the number of an inherited descriptor")
        });
    }
    if let Some(rest) = value.strip_prefix(b"unix:") {
        let (path, mtu) = user::socket(rest).ok_or_else(|| malformed(user::SOCKET_FORM))?;
        return Ok(NetSource::Socket(path, mtu));
    }
    let name =
        str::from_utf8(value).map_err(|_| malformed("--net:NAME=IFACE with IFACE in UTF-8"))?;
    if name == "user" || name.starts_with("user,") {
        let network = UserNetwork::parse(name).ok_or_else(|| malformed(user::FORM))?;
        return Ok(NetSource::User(network));
    }
    Ok(NetSource::Interface(name.to_owned()))
}

/// `UID:GID`. The highest number is none: the kernel takes it for no change.
fn user(value: &[u8]) -> Option<(u32, u32)> {
    let colon = value.iter().position(|&byte| byte == b':')?;
    let id = |text| {
        let id = number(text).and_then(|id| u32::try_from(id).ok());
        id.filter(|&id| id < u32::MAX)
    };
    Some((id(&value[..colon])?, id(&value[colon + 1..])?))
}

fn mem(value: &[u8]) -> Option<u64> {
    number(value).filter(|&mib| mib > 0)?.checked_mul(1 << 20)
}

/// A decimal number of digits alone.
pub(crate) fn number(text: &[u8]) -> Option<u64> {
    if !text.iter().all(u8::is_ascii_digit) {
        return None;
    }
    str::from_utf8(text).ok()?.parse().ok()
}

/// The text of `--help`, for the tender named `program`.
#[must_use]
pub fn usage(program: &str) -> String {
    format!(
        "\
usage: {program} [OPTIONS] [--] KERNEL [ARGS...]
KERNEL is the file name of a unikernel built for this tender.
ARGS are handed to the unikernel, joined by spaces.
Options:
  --mem=N                       guest memory in MiB (default {DEFAULT_MEM})
  --net:NAME=IFACE              attach the TAP interface IFACE as network device NAME
  --net:NAME=@FD                attach the inherited TAP descriptor FD as network device NAME
  --net:NAME=user[,PARTS]       attach network device NAME to a network of its own behind this host, by passt
      tcp=[ADDRESS:]HOST[:GUEST]  TCP port HOST, of 127.0.0.1 or ADDRESS, leads to port GUEST of the unikernel
      udp=[ADDRESS:]HOST[:GUEST]  the same for UDP; without either, common ports and those in ARGS lead to it
      mtu=N                       the longest packet in bytes (default 65520, with less than 8 MiB of memory 1500)
      host                        the router's address leads to this host's 127.0.0.1
      no-arguments                do not put --ipv4, --ipv4-gateway and --dns before ARGS
  --net:NAME=unix:PATH[,mtu=N]  attach network device NAME to whoever else is at the stream socket PATH: connect, or
                                listen if nobody does (frames behind their lengths; default mtu=1500)
  --net-mac:NAME=MAC            set the MAC address of network device NAME (default random)
  --block:NAME=PATH             attach the file or block device PATH as block device NAME
  --block-sector-size:NAME=N    set the block size of NAME in bytes (default 512)
  --shutdown-timeout=SECONDS    end a guest so long after it was told to end (default {DEFAULT_SHUTDOWN_TIMEOUT})
  --user=UID:GID                go on as this user and group, in no other group (numbers; takes root)
  --chroot=DIR                  make DIR the root directory (takes root, or user namespaces)
  --verbose                     tell what the host did not allow of the tender's confinement
  --x-dumpable                  let the process be traced (gdb, perf) and leave a core
  --x-exec-heap                 make memory outside the loaded segments executable
  --help                        print this text and exit
  --version                     print the version and exit
"
    )
}
