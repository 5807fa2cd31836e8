//! What is said on a secured connection, and how it ends.

use std::io::ErrorKind;
use std::sync::{Arc, Mutex};

use futures_lite::{AsyncReadExt, AsyncWriteExt, future::zip};

use super::world::{Authority, World, run};
use crate::tls::rustls::ProtocolVersion;
use crate::tls::{ClientOptions, Error, KeyLog, Server, ServerOptions};

fn both(options: ServerOptions) -> (Authority, Server) {
    let authority = Authority::new();
    let server = Server::new([authority.sign(&["a"])], options).expect("a server");
    (authority, server)
}

#[test]
fn a_megabyte_goes_each_way() {
    run(async |world: World| {
        let (authority, server) = both(ServerOptions::default());
        let (mut ours, theirs) = world.pair(&authority.client(), &server).await;
        assert_eq!(ours.version(), Some(ProtocolVersion::TLSv1_3));
        assert_eq!(ours.cipher_suite(), theirs.cipher_suite());
        assert!(
            ours.cipher_suite()
                .is_some_and(|suite| suite.starts_with("TLS13_"))
        );
        let sent: Vec<_> = (0..1_000_000_u32)
            .map(|at| (at * 31 + at / 256) as u8)
            .collect();
        let echo = async {
            let (mut reader, mut writer) = futures_lite::io::split(theirs);
            futures_lite::io::copy(&mut reader, &mut writer)
                .await
                .expect("copied");
            writer.close().await.expect("ended");
        };
        let ask = async {
            let (mut reader, mut writer) = futures_lite::io::split(&mut ours);
            let write = async {
                writer.write_all(&sent).await.expect("written");
                writer.close().await.expect("ended");
            };
            let mut received = Vec::new();
            let read = async { reader.read_to_end(&mut received).await.expect("read") };
            zip(write, read).await;
            received
        };
        let (received, ()) = zip(ask, echo).await;
        assert!(received == sent);
    });
}

#[test]
fn rfc7301_a_protocol_is_agreed_upon_or_there_is_no_connection() {
    run(async |world: World| {
        let (authority, server) = both(ServerOptions::default().protocols(["h2", "http/1.1"]));
        let client = |protocols: &[&str]| {
            let protocols = protocols.iter().copied();
            authority.client_with(ClientOptions::default().protocols(protocols))
        };
        let (ours, theirs) = world.pair(&client(&["http/1.1", "h2"]), &server).await;
        assert_eq!(
            (ours.protocol(), theirs.protocol()),
            (Some(&b"h2"[..]), Some(&b"h2"[..]))
        );
        let (ours, _) = world.pair(&client(&[]), &server).await;
        assert_eq!(ours.protocol(), None);
        let (ours, theirs) = world.handshake(&client(&["smtp"]), "a", &server).await;
        assert!(matches!(theirs, Err(Error::Protocol(_))), "{theirs:?}");
        let alert = rustls::AlertDescription::NoApplicationProtocol;
        assert!(
            matches!(ours, Err(Error::Alert(it)) if it == alert),
            "{ours:?}"
        );
    });
}

#[test]
fn rfc8446_section_2_2_sessions_are_resumed() {
    run(async |world: World| {
        let (authority, server) = both(ServerOptions::default());
        let client = authority.client();
        for resumed in [false, true, true] {
            let (mut ours, mut theirs) = world.pair(&client, &server.clone()).await;
            assert_eq!((ours.is_resumed(), theirs.is_resumed()), (resumed, resumed));
            // With the first data come the tickets.
            theirs.write_all(b"x").await.expect("sent");
            ours.read_exact(&mut [0]).await.expect("there");
        }
    });
}

#[test]
fn a_stream_that_is_cut_off_is_told_from_one_that_ends() {
    run(async |world: World| {
        let (authority, server) = both(ServerOptions::default());
        let (mut ours, mut theirs) = world.pair(&authority.client(), &server).await;
        theirs.write_all(b"all").await.expect("sent");
        theirs.close().await.expect("ended");
        let mut text = String::new();
        ours.read_to_string(&mut text).await.expect("to its end");
        assert_eq!(text, "all");

        let (mut ours, mut theirs) = world.pair(&authority.client(), &server).await;
        theirs.write_all(b"some").await.expect("sent");
        theirs.tcp().shutdown().expect("ended");
        let error = ours
            .read_to_end(&mut Vec::new())
            .await
            .expect_err("cut off");
        assert_eq!(error.kind(), ErrorKind::UnexpectedEof);
    });
}

#[test]
fn who_does_not_speak_tls_is_an_error() {
    run(async |world: World| {
        let (_, server) = both(ServerOptions::default());
        for text in [
            &b"GET / HTTP/1.1\r\n\r\n"[..],
            &[0x16, 3, 1, 0xff, 0xff, 1],
            b"",
        ] {
            let (ours, theirs) = world.tcp().await;
            let ask = async {
                ours.write_all(text).await.expect("sent");
                ours.shutdown().expect("ended");
                while let Ok(Some(_)) = ours.read_chunk(usize::MAX).await {}
            };
            let (accepted, ()) = zip(server.accept(theirs), ask).await;
            assert!(
                matches!(accepted, Err(Error::Protocol(_) | Error::Io(_))),
                "{accepted:?}"
            );
        }
    });
}

#[test]
fn the_secrets_are_told_to_who_is_to_have_them() {
    run(async |world: World| {
        let log = || {
            let lines = Arc::new(Mutex::new(Vec::new()));
            let written = lines.clone();
            let write = move |line: &str| written.lock().expect("no panic").push(line.to_owned());
            (KeyLog::new(write), lines)
        };
        let ((ours, our_lines), (theirs, their_lines)) = (log(), log());
        let (authority, server) = both(ServerOptions::default().key_log(theirs));
        let client = authority.client_with(ClientOptions::default().key_log(ours));
        let _pair = world.pair(&client, &server).await;
        let sorted = |lines: &Mutex<Vec<String>>| {
            let mut lines = lines.lock().expect("no panic").clone();
            lines.sort_unstable();
            lines
        };
        let lines = sorted(&our_lines);
        assert_eq!(lines, sorted(&their_lines));
        let traffic = lines
            .iter()
            .find(|it| it.starts_with("CLIENT_TRAFFIC_SECRET_0 "));
        let parts: Vec<_> = traffic.expect("the secret").split(' ').collect();
        assert_eq!((parts.len(), parts[1].len()), (3, 64), "{parts:?}");
        assert!(
            parts[1..]
                .iter()
                .all(|it| it.bytes().all(|it| it.is_ascii_hexdigit()))
        );
    });
}
