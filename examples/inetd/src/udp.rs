//! The services over UDP: a datagram in, at most one out.
use std::{cell::RefCell, io, net::Ipv6Addr, rc::Rc, time::Instant};

use bytes::Bytes;
use futures_lite::future;
use mkernel::net::{Stack, UdpSocket};

use crate::{CHARGEN_TEXT, answers::Answers, told_to_end};

/// Answers each datagram with what `service` makes of it, as far as `answers` allows, until the unikernel is told to end; an
/// empty answer is not sent.
pub(crate) async fn serve(
    stack: Stack,
    port: u16,
    answers: Rc<RefCell<Answers>>,
    service: impl Fn(Bytes) -> Bytes,
) -> io::Result<()> {
    future::or(told_to_end(), answer(stack, port, answers, service)).await
}

async fn answer(
    stack: Stack,
    port: u16,
    answers: Rc<RefCell<Answers>>,
    service: impl Fn(Bytes) -> Bytes,
) -> io::Result<()> {
    let socket = UdpSocket::bind(&stack, (Ipv6Addr::UNSPECIFIED, port))?;
    loop {
        let datagram = socket.recv_datagram().await?;
        let to = datagram.destination.ip();
        let to_us = stack.addresses().iter().any(|cidr| cidr.address() == to);
        let answer = service(datagram.payload);
        let source = datagram.source;
        if !answer.is_empty()
            && answers
                .borrow_mut()
                .allow(Instant::now(), source, to_us, answer.len())
        {
            // A datagram may get lost; that no route leads back is one way.
            let _ = socket.send_to(&answer, source);
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
