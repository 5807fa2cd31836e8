//! SSH, both ends in memory.

use std::sync::Arc;

use russh::keys::{PrivateKey, PublicKeyOrCertificate};
use russh::server::{Auth, ChannelOpenHandle, Msg, Session};
use russh::{Channel, ChannelId, ChannelMsg, client, server};

use crate::block_on;

struct Server;

impl server::Handler for Server {
    type Error = russh::Error;

    async fn auth_password(&mut self, user: &str, password: &str) -> Result<Auth, russh::Error> {
        Ok(if (user, password) == ("me", "secret") {
            Auth::Accept
        } else {
            Auth::reject()
        })
    }

    async fn channel_open_session(
        &mut self,
        _: Channel<Msg>,
        reply: ChannelOpenHandle,
        _: &mut Session,
    ) -> Result<(), russh::Error> {
        reply.accept().await;
        Ok(())
    }

    async fn exec_request(
        &mut self,
        channel: ChannelId,
        command: &[u8],
        session: &mut Session,
    ) -> Result<(), russh::Error> {
        session.channel_success(channel)?;
        session.data(channel, [b"ran ", command].concat())?;
        session.exit_status_request(channel, 7)?;
        session.close(channel)
    }
}

struct Client;

impl client::Handler for Client {
    type Error = russh::Error;

    async fn check_server_key(&mut self, _: &PublicKeyOrCertificate) -> Result<bool, russh::Error> {
        Ok(true)
    }
}

/// A password, a command, its output and its status.
pub(crate) fn russh() {
    let key = PrivateKey::random(&mut rand::rng(), russh::keys::Algorithm::Ed25519).unwrap();
    let server = Arc::new(server::Config {
        keys: vec![key],
        auth_rejection_time: std::time::Duration::ZERO,
        ..server::Config::default()
    });
    block_on(async {
        let (near, far) = tokio::io::duplex(65_536);
        tokio::spawn(async move { server::run_stream(server, far, Server).await.unwrap().await });
        let config = Arc::new(client::Config::default());
        let mut session = client::connect_stream(config, near, Client).await.unwrap();
        let wrong = session.authenticate_password("me", "guess").await.unwrap();
        assert!(!wrong.success());
        let right = session.authenticate_password("me", "secret").await.unwrap();
        assert!(right.success());
        let mut channel = session.channel_open_session().await.unwrap();
        channel.exec(true, "uname").await.unwrap();
        let (mut output, mut status) = (Vec::new(), None);
        while let Some(message) = channel.wait().await {
            match message {
                ChannelMsg::Data { data } => output.extend(&data[..]),
                ChannelMsg::ExitStatus { exit_status } => status = Some(exit_status),
                _ => {}
            }
        }
        assert_eq!((output.as_slice(), status), (&b"ran uname"[..], Some(7)));
    });
}
