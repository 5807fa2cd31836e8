//! A static site, from what is on the block device `site`: a tar archive, squashfs, FAT or ext4.

mod answer;
mod conditions;
mod content;
mod media_type;
mod range;
mod site;

use std::convert::Infallible;
use std::error::Error;
use std::net::{Ipv6Addr, SocketAddr};
use std::process::ExitCode;
use std::rc::Rc;

use clap::Parser;
use mkernel::http::hyper::service::service_fn;
use mkernel::http::{self, Options};
use mkernel::net::TcpListener;
use mkernel::{block, cli, fs};

use crate::site::Site;

/// Serves the files on the block device `site`
#[derive(Parser)]
struct Arguments {
    #[command(flatten)]
    network: cli::Network,
    /// The TCP port to listen on
    #[arg(long, default_value_t = 80, value_parser = clap::value_parser!(u16).range(1..))]
    port: u16,
}

fn main() -> ExitCode {
    cli::run(serve)
}

async fn serve(arguments: Arguments) -> Result<(), Box<dyn Error>> {
    let files = fs::mount(block::open(mkernel::block!("site")?)?)?;
    mkernel::log::info!("a site on {:?}", files.format());
    let online = arguments.network.start(mkernel::net!("service")?).await?;
    let everywhere = SocketAddr::from((Ipv6Addr::UNSPECIFIED, arguments.port));
    let listener = TcpListener::bind(&online.stack, everywhere)?;
    let site = Rc::new(Site::new(files));
    let service = service_fn(move |request| {
        let answer = site.answer(&request);
        async { Ok::<_, Infallible>(answer) }
    });
    let server = http::serve(listener, service, Options::default());
    server.shutdown_on(mkernel::shutdown()).await?;
    Ok(())
}
