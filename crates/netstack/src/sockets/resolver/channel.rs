//! A question over a stream: a TCP connection, or TLS over one.

use std::future::{Future, poll_fn};
use std::io;
use std::net::IpAddr;
use std::pin::Pin;
use std::task::{Context, Poll};

use futures_io::{AsyncRead, AsyncWrite};

use super::Question;
use crate::driver::Room;
use crate::proto::dns::Answer;
use crate::sockets::stack::Stack;
use crate::sockets::stream::TcpStream;

/// Reads and writes.
trait Duplex: AsyncRead + AsyncWrite {}

impl<S: AsyncRead + AsyncWrite> Duplex for S {}

/// A stream to a server.
pub(super) struct Channel(Pin<Box<dyn Duplex>>);

type Handshake = Pin<Box<dyn Future<Output = io::Result<Channel>>>>;

/// Makes TLS of a connection to a server.
pub(super) type Secure = Box<dyn Fn(TcpStream, IpAddr) -> Handshake>;

pub(super) fn secure<F, S>(secure: impl Fn(TcpStream, IpAddr) -> F + 'static) -> Secure
where
    F: Future<Output = io::Result<S>> + 'static,
    S: AsyncRead + AsyncWrite + 'static,
{
    Box::new(move |stream, server| {
        let handshake = secure(stream, server);
        Box::pin(async move { Ok(Channel::new(handshake.await?)) })
    })
}

impl Channel {
    pub(super) fn new(stream: impl AsyncRead + AsyncWrite + 'static) -> Self {
        Self(Box::pin(stream))
    }

    async fn write_all(&mut self, mut octets: &[u8]) -> io::Result<()> {
        let stream = &mut self.0;
        while !octets.is_empty() {
            let write = |context: &mut Context<'_>| stream.as_mut().poll_write(context, octets);
            match poll_fn(write).await? {
                0 => return Err(io::ErrorKind::WriteZero.into()),
                written => octets = &octets[written..],
            }
        }
        poll_fn(|context| stream.as_mut().poll_flush(context)).await
    }

    async fn read_exact(&mut self, buffer: &mut [u8]) -> io::Result<()> {
        let (stream, mut filled) = (&mut self.0, 0);
        poll_fn(|context| {
            while filled < buffer.len() {
                match stream.as_mut().poll_read(context, &mut buffer[filled..])? {
                    Poll::Ready(0) => return Poll::Ready(Err(io::ErrorKind::UnexpectedEof.into())),
                    Poll::Ready(read) => filled += read,
                    Poll::Pending => return Poll::Pending,
                }
            }
            Poll::Ready(Ok(()))
        })
        .await
    }
}

/// Asks, and reads the answer.
pub(super) async fn ask(
    stack: &Stack,
    channel: &mut Channel,
    question: &Question<'_>,
) -> io::Result<Answer> {
    // RFC 1035 §4.2.2: a length of two octets goes before each message. One write, so that both go together.
    let length = u16::try_from(question.message.len()).map_err(io::Error::other)?;
    let message = [&length.to_be_bytes(), &question.message[..]].concat();
    channel.write_all(&message).await?;
    let mut length = [0; 2];
    channel.read_exact(&mut length).await?;
    let length = u16::from_be_bytes(length).into();
    let _room = Room::new(&stack.driver, length)?;
    let mut message = vec![0; length];
    channel.read_exact(&mut message).await?;
    Ok(question.answer(&message).unwrap_or(Answer::Failed))
}
