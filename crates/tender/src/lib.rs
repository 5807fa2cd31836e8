//! Tenders for Solo5 unikernels on Linux (x86_64): the host programs that load, confine and serve one unikernel each.
//!
//! The two binaries, `solo5-spt` and `solo5-hvt`, are [`run`] with a [`Tender`]. Their command line is that of Solo5's
//! own tenders; it can be looked at without running anything:
//!
//! ```
//! use tender::options::{Command, NetSource, parse};
//!
//! let line = "--mem=32 --net:service=tap100 echo.spt --port=3000";
//! let Ok(Command::Run(options)) = parse(line.split(' ').map(Into::into)) else { panic!() };
//! assert_eq!(options.mem, 32 << 20);
//! assert_eq!(options.net["service"], NetSource::Interface("tap100".to_owned()));
//! assert_eq!(options.args, ["--port=3000"]);
//! ```

mod attach;
mod confine;
mod console;
mod error;
#[cfg(test)]
mod filters;
mod flush;
pub mod hvt;
mod kernel;
pub mod options;
mod polling;
mod process;
mod shutdown;
pub mod spt;
mod user;
mod wire;

use std::io::Write;
use std::path::Path;
use std::process::ExitCode;

use options::Command;

pub use attach::{AttachError, BlockDevice, Devices, Interface, NetDevice};
pub use confine::ConfineError;
pub use error::Error;
pub use user::UserNetwork;
pub use wire::WireError;

/// One of the two tenders.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tender {
    /// A virtual machine under KVM.
    Hvt,
    /// A process behind a seccomp filter.
    Spt,
}

impl Tender {
    /// The program's name, which stands before each of its messages.
    #[must_use]
    pub const fn program(self) -> &'static str {
        match self {
            Self::Hvt => "solo5-hvt",
            Self::Spt => "solo5-spt",
        }
    }

    /// Tells of something that is not as it might be, but no reason to stop.
    fn notice(self, text: &str) {
        print(&format!("{}: {text}\n", self.program()));
    }

    const fn abi_version(self) -> u32 {
        match self {
            Self::Hvt => solo5_abi::hvt::ABI_VERSION,
            Self::Spt => solo5_abi::spt::ABI_VERSION,
        }
    }
}

/// The whole program: reads the command line of this process and runs the unikernel it names.
///
/// Comes back only when there is none to run or it cannot be run; the reason has then been printed.
#[must_use]
// Inlined into each binary, where `tender` is known: neither then carries the other's code.
#[inline(always)]
pub fn run(tender: Tender) -> ExitCode {
    let program = tender.program();
    let error = match options::parse(std::env::args_os().skip(1)) {
        Ok(Command::Help) => {
            // A closed stdout is nobody's loss.
            let _ = std::io::stdout().write_all(options::usage(program).as_bytes());
            return ExitCode::SUCCESS;
        }
        Ok(Command::Version) => {
            let version = env!("CARGO_PKG_VERSION");
            print(&format!(
                "{program} tender, version mkernel {version}\nABI version {}\n",
                tender.abi_version()
            ));
            return ExitCode::SUCCESS;
        }
        Ok(Command::Run(options)) => {
            let ran = match tender {
                Tender::Hvt => hvt::run(&options),
                Tender::Spt => spt::run(&options),
            };
            match ran {
                Err(error) => error,
            }
        }
        Err(error) => error.into(),
    };
    let hint = match error.is_usage() {
        true => format!(" (see {program} --help)"),
        false => String::new(),
    };
    print(&format!("{program}: {error}{hint}\n"));
    ExitCode::FAILURE
}

/// Reads the executable at `path` into `mem` octets of guest memory, as [`run`] would, and forgets it again: without devices
/// and without running anything.
///
/// For spt that is memory at the guest's own addresses, so that there can be but one such call at a time in a process.
///
/// # Errors
///
/// When the tender would refuse to load it.
pub fn try_load(tender: Tender, path: &Path, mem: u64) -> Result<(), Error> {
    match tender {
        Tender::Hvt => hvt::try_load(path, mem),
        Tender::Spt => spt::try_load(path, mem),
    }
}

/// Prints to stderr, all at once; a closed stderr is nobody's loss.
fn print(text: &str) {
    let _ = std::io::stderr().write_all(text.as_bytes());
}
