//! Gathers UDP datagrams at port 7, up to one that is shorter than the first, and sends them back in one call; what is
//! shorter than 100 octets goes back at once.
#![forbid(unsafe_code)]

use std::error::Error;
use std::net::Ipv6Addr;

use mkernel::net::{self, Config, Ipv6, UdpSocket};

fn main() -> Result<(), Box<dyn Error>> {
    mkernel::run(async {
        let config = Config::default()
            .ipv6(Ipv6::default().dad_transmits(0).accept_ra(false))
            .address("10.0.0.2/24".parse()?)
            .address("fd00::2/64".parse()?);
        let stack = net::start(mkernel::net!("service")?, config)?;
        let socket = UdpSocket::bind(&stack, (Ipv6Addr::UNSPECIFIED, 7))?;
        loop {
            let first = socket.recv_datagram().await?;
            let (size, peer) = (first.payload.len(), first.source);
            let mut last = size;
            let mut payload = first.payload.to_vec();
            while last == size && size >= 100 {
                let next = socket.recv_datagram().await?;
                last = next.payload.len();
                payload.extend(&next.payload);
            }
            socket.send_segments_to(&payload, size.max(1), peer)?;
        }
    })
}
