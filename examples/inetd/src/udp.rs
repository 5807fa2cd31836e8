//! The services over UDP: a datagram in, at most one out.
use std::io;

use bytes::Bytes;
use mkernel::net::{Stack, UdpSocket};

use crate::CHARGEN_TEXT;

/// Answers each datagram with what `service` makes of it; an empty answer is
/// not sent.
pub(crate) async fn serve(
    stack: Stack,
    port: u16,
    service: impl Fn(Bytes) -> Bytes,
) -> io::Result<()> {
    let socket = UdpSocket::bind(&stack, ([0, 0, 0, 0], port))?;
    loop {
        let (request, peer) = socket.receive().await?;
        let answer = service(request);
        if !answer.is_empty() {
            // A datagram may get lost; that no route leads back is one way.
            let _ = socket.send_to(&answer, peer);
        }
    }
}

pub(crate) fn discard(_: Bytes) -> Bytes {
    Bytes::new()
}

/// Between 0 and 512 characters; here as many whole lines as fit.
pub(crate) fn chargen(_: Bytes) -> Bytes {
    CHARGEN_TEXT.slice(..6 * 74)
}
