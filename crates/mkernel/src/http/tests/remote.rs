//! Who asks.

use std::convert::Infallible;

use ::http::{Request, Response};
use hyper::service::service_fn;
use miou_rs::spawn;

use super::world::{Serving, World, rest, run};
use crate::http::{Body, Options, RemoteAddr, serve};

const GET: &str = "GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n";

/// Starts a server that answers with the address it is asked from.
fn serve_addresses(world: &World, options: Options) -> Serving {
    let service = service_fn(async |request: Request<Body>| {
        let address = request.extensions().get::<RemoteAddr>();
        let text = address.map_or_else(String::new, |RemoteAddr(address)| address.to_string());
        Ok::<_, Infallible>(Response::new(text))
    });
    spawn(serve(world.listener(), service, options).into_future())
}

#[test]
fn the_address_is_told_where_that_is_asked_for() {
    run(async |world: World| {
        for asked_for in [true, false] {
            let _serving = serve_addresses(&world, Options::default().remote_addr(asked_for));
            let stream = world.connect().await;
            stream.write_all(GET.as_bytes()).await.expect("sent");
            let answer = rest(&stream).await;
            let local = stream.local_addr().expect("there is one").to_string();
            let expected = if asked_for { local.as_str() } else { "" };
            assert_eq!(answer.split("\r\n\r\n").nth(1), Some(expected), "{answer}");
        }
    });
}

#[cfg(feature = "tls")]
#[test]
fn the_certificates_of_clients_that_have_shown_some_are_told() {
    use futures_lite::{AsyncReadExt, AsyncWriteExt};

    use crate::tls::tests::world::{Authority, certificate};
    use crate::tls::{ClientCertificates, ClientOptions, Server, ServerOptions};

    run(async |world: World| {
        let authority = Authority::new();
        let certificates = ClientCertificates::Optional(authority.pem().into());
        let options = ServerOptions::default().client_certificates(certificates);
        let server = Server::new([authority.sign(&["a"])], options).expect("a server");
        let known = authority.sign(&["client"]);
        let shown = certificate(&known);
        let service = service_fn(move |request: Request<Body>| {
            let certificates = request.extensions().get::<crate::http::PeerCertificates>();
            let is_known = certificates.map(|it| it.0[0] == shown);
            async move { Ok::<_, Infallible>(Response::new(format!("{is_known:?}"))) }
        });
        let serving = serve(world.listener(), service, Options::default()).tls(server);
        let _serving = spawn(serving.into_future());
        let strange = authority.client();
        let known = authority.client_with(ClientOptions::default().identity(known));
        for (client, expected) in [(known, "Some(true)"), (strange, "None")] {
            let stream = client.connect("a", world.connect().await).await;
            let mut stream = stream.expect("secured");
            stream.write_all(GET.as_bytes()).await.expect("sent");
            let mut answer = String::new();
            stream.read_to_string(&mut answer).await.expect("read");
            assert!(answer.ends_with(expected), "{answer}");
        }
    });
}
