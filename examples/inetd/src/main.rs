//! The small services, over TCP and UDP: echo (RFC 862), discard (RFC 863),
//! chargen (RFC 864) and daytime (RFC 867).
mod answers;
mod tcp;
mod udp;

use std::{cell::RefCell, error::Error, io, process::ExitCode, rc::Rc, sync::LazyLock};

use answers::Answers;
use bytes::Bytes;
use clap::{Parser, ValueEnum};
use mkernel::{Orphans, cli, net::netstack::proto::tcp::congestion};

/// Serves echo, discard, chargen and daytime over TCP and UDP.
#[derive(Parser)]
#[command(name = "inetd")]
struct Arguments {
    #[command(flatten)]
    network: cli::Network,
    /// The port of the echo service
    #[arg(long, default_value_t = 3000)]
    echo: u16,
    /// The port of the discard service
    #[arg(long, default_value_t = 3009)]
    discard: u16,
    /// The port of the character generator
    #[arg(long, default_value_t = 3019)]
    chargen: u16,
    /// The port of the daytime service
    #[arg(long, default_value_t = 3013)]
    daytime: u16,
    /// The congestion control of the services over TCP
    #[arg(long, value_enum, default_value_t = Congestion::Cubic)]
    congestion: Congestion,
}

#[derive(Clone, Copy, ValueEnum)]
enum Congestion {
    /// RFC 9438
    Cubic,
    /// RFC 5681
    NewReno,
    /// Version 3, for paths that lose packets or have large buffers
    Bbr,
}

impl Congestion {
    fn controller(self) -> congestion::MakeController {
        match self {
            Self::Cubic => congestion::cubic,
            Self::NewReno => congestion::new_reno,
            Self::Bbr => congestion::bbr,
        }
    }
}

fn main() -> ExitCode {
    cli::run(serve)
}

async fn serve(arguments: Arguments) -> Result<(), Box<dyn Error>> {
    let online = arguments.network.start(mkernel::net!("service")?).await?;
    let stack = &online.stack;
    let Arguments {
        echo,
        discard,
        chargen,
        daytime,
        congestion,
        ..
    } = arguments;
    let congestion = congestion.controller();
    let ports = [echo, discard, chargen, daytime];
    let answers = Rc::new(RefCell::new(Answers::new(ports)));
    let answers = || answers.clone();
    let mut services = Orphans::new();
    services.spawn(tcp::serve(stack.clone(), echo, congestion, tcp::echo));
    services.spawn(tcp::serve(stack.clone(), discard, congestion, tcp::discard));
    services.spawn(tcp::serve(stack.clone(), chargen, congestion, tcp::chargen));
    services.spawn(tcp::serve(stack.clone(), daytime, congestion, tcp::daytime));
    services.spawn(udp::serve(stack.clone(), echo, answers(), |request| {
        request
    }));
    services.spawn(udp::serve(stack.clone(), discard, answers(), udp::discard));
    services.spawn(udp::serve(stack.clone(), chargen, answers(), udp::chargen));
    services.spawn(udp::serve(stack.clone(), daytime, answers(), |_| {
        daytime_line()
    }));
    // Each runs until the unikernel is told to end, the device breaks or its port is taken.
    while let Some(ended) = services.next().await {
        ended??;
    }
    Ok(())
}

/// Waits until the unikernel is told to end.
async fn told_to_end() -> io::Result<()> {
    mkernel::shutdown().await;
    Ok(())
}

/// The time as one line, in the second of the forms that RFC 867 proposes.
fn daytime_line() -> Bytes {
    let now = jiff::Timestamp::now().strftime("%d %b %y %H:%M:%S UTC\r\n");
    now.to_string().into()
}

/// The lines of RFC 864: 72 of the 95 printing characters, beginning one
/// further on each line; as many lines as there are characters, so that the
/// text can follow itself.
static CHARGEN_TEXT: LazyLock<Bytes> = LazyLock::new(|| {
    let printing = b' '..=b'~';
    let line = |first: usize| {
        let characters = printing.clone().cycle().skip(first).take(72);
        characters.chain(*b"\r\n")
    };
    (0..printing.len()).flat_map(line).collect()
});
