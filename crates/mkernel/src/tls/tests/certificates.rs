//! Whose certificate is shown, and what is wrong with one.

use std::time::Duration;

use blockdev::{BlockDevice, MemoryDevice};
use futures_lite::{AsyncReadExt, AsyncWriteExt, future::zip};
use miou_rs::sleep;
use rcgen::{BasicConstraints, IsCa, KeyPair, date_time_ymd};

use super::world::{Authority, World, certificate, identity, params, run};
use crate::tls::identity::is_out_of_date;
use crate::tls::{
    CertificateFault, Client, ClientCertificates, ClientOptions, Error, Identity, Server,
    ServerOptions, Stream,
};

fn server(identity: Identity) -> Server {
    Server::new([identity], ServerOptions::default()).expect("a server")
}

/// What the client finds wrong, which the server hears of.
async fn fault(world: &World, client: &Client, identity: Identity) -> CertificateFault {
    let (client, server) = world.handshake(client, "a", &server(identity)).await;
    let told = server.expect_err("refused");
    assert!(matches!(told, Error::Alert(_)), "{told:?}");
    match client.expect_err("refused") {
        Error::Certificate(fault) => fault,
        error => panic!("{error:?}"),
    }
}

#[test]
fn each_fault_of_a_certificate_has_its_name() {
    run(async |world: World| {
        let authority = Authority::new();
        let client = authority.client();
        let good = authority.sign(&["a"]);
        let (ours, theirs) = world.handshake(&client, "a", &server(good)).await;
        ours.expect("secured");
        theirs.expect("secured");

        let expired = authority.sign_with(&["a"], |it| it.not_after = date_time_ymd(2001, 1, 1));
        assert_eq!(
            fault(&world, &client, expired).await,
            CertificateFault::Expired
        );
        let early = authority.sign_with(&["a"], |it| it.not_before = date_time_ymd(4000, 1, 1));
        assert_eq!(
            fault(&world, &client, early).await,
            CertificateFault::NotYetValid
        );
        let other = authority.sign(&["b", "c"]);
        assert_eq!(
            fault(&world, &client, other).await,
            CertificateFault::WrongName
        );
        let unknown = Authority::new().sign(&["a"]);
        assert_eq!(
            fault(&world, &client, unknown).await,
            CertificateFault::UnknownIssuer
        );

        let key = KeyPair::generate().expect("a key");
        for is_ca in [IsCa::NoCa, IsCa::Ca(BasicConstraints::Unconstrained)] {
            let mut params = params(&["a"]);
            params.is_ca = is_ca;
            // Not by chance that of the authority.
            params
                .distinguished_name
                .push(rcgen::DnType::CommonName, "itself");
            let itself = params.self_signed(&key).expect("a certificate");
            let itself = identity(&itself.pem(), &key);
            assert_eq!(
                fault(&world, &client, itself).await,
                CertificateFault::SelfSigned
            );
        }
    });
}

/// One that is its own issuer may be trusted, and is then a server's unless it says that it is an authority's.
#[test]
fn rfc5280_section_4_2_1_9_an_authority_is_no_server_though_it_is_trusted() {
    run(async |world: World| {
        let key = KeyPair::generate().expect("a key");
        let of = |is_ca| {
            let mut params = params(&["a"]);
            params.is_ca = is_ca;
            let itself = params.self_signed(&key).expect("a certificate");
            let options = ClientOptions::default().authorities(itself.pem());
            let client = Client::new(options).expect("a client");
            (client, identity(&itself.pem(), &key))
        };
        let (client, itself) = of(IsCa::Ca(BasicConstraints::Unconstrained));
        assert_eq!(
            fault(&world, &client, itself).await,
            CertificateFault::Authority
        );
        let (client, itself) = of(IsCa::NoCa);
        let (ours, theirs) = world.handshake(&client, "a", &server(itself)).await;
        ours.expect("secured");
        theirs.expect("secured");

        // Issued by another authority.
        let authority = Authority::new();
        let below = authority.sign_with(&["a"], |it| {
            it.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        });
        assert_eq!(
            fault(&world, &authority.client(), below).await,
            CertificateFault::Authority
        );
    });
}

#[test]
fn those_whom_mozilla_trusts_are_trusted_unless_others_are_named() {
    run(async |world: World| {
        let client = Client::new(ClientOptions::default()).expect("a client");
        let unknown = Authority::new().sign(&["a"]);
        assert_eq!(
            fault(&world, &client, unknown).await,
            CertificateFault::UnknownIssuer
        );
    });
}

/// The names of the certificate that the client was shown.
fn shown(stream: &Stream, candidates: [&Identity; 3]) -> Option<usize> {
    let shown = &stream.peer_certificates().expect("shown")[0];
    candidates.iter().position(|it| certificate(it) == *shown)
}

#[test]
fn rfc6066_section_3_the_certificate_is_for_the_name_that_is_asked_for() {
    run(async |world: World| {
        let authority = Authority::new();
        let [a, b, wild] = [
            authority.sign(&["a", "10.0.0.2"]),
            authority.sign(&["b"]),
            authority.sign(&["*.example.org"]),
        ];
        let all = [a.clone(), b.clone(), wild.clone()];
        let server = Server::new(all, ServerOptions::default()).expect("a server");
        let client = authority.client();
        for (name, expected) in [("a", 0), ("b", 1), ("d.example.org", 2), ("10.0.0.2", 0)] {
            let (ours, theirs) = world.handshake(&client, name, &server).await;
            let ours = ours.expect("secured");
            assert_eq!(shown(&ours, [&a, &b, &wild]), Some(expected), "{name}");
            let is_name = name.parse::<std::net::Ipv4Addr>().is_err();
            let asked = theirs
                .expect("secured")
                .server_name()
                .map(ToOwned::to_owned);
            assert_eq!(asked.as_deref(), is_name.then_some(name));
        }
        let (ours, _) = world.handshake(&client, "e", &server).await;
        let fault = ours.expect_err("the first one, which is for others");
        assert!(
            matches!(fault, Error::Certificate(CertificateFault::WrongName)),
            "{fault:?}"
        );
    });
}

#[test]
fn a_reload_is_for_the_connections_that_come() {
    run(async |world: World| {
        let authority = Authority::new();
        let [old, new, other] = ["a", "a", "a"].map(|name| authority.sign(&[name]));
        let server = server(old.clone());
        // Without a session to resume.
        let (ours, mut theirs) = world.pair(&authority.client(), &server).await;
        assert_eq!(shown(&ours, [&old, &new, &other]), Some(0));
        assert!(matches!(server.reload([]), Err(Error::NoIdentity)));
        server.clone().reload([new.clone()]).expect("reloaded");
        let (later, _) = world.pair(&authority.client(), &server).await;
        assert_eq!(shown(&later, [&old, &new, &other]), Some(1));
        futures_lite::AsyncWriteExt::write_all(&mut theirs, b"x")
            .await
            .expect("goes on");
    });
}

#[test]
fn clients_show_certificates_where_they_are_asked_to() {
    run(async |world: World| {
        let [of_servers, of_clients] = [Authority::new(), Authority::new()];
        let server = |certificates| {
            let options = ServerOptions::default().client_certificates(certificates);
            Server::new([of_servers.sign(&["a"])], options).expect("a server")
        };
        let known = of_clients.sign(&["client"]);
        let client = |identity| of_servers.client_with(ClientOptions::default().identity(identity));
        let required = server(ClientCertificates::Required(of_clients.pem().into()));
        let optional = server(ClientCertificates::Optional(of_clients.pem().into()));
        let none = server(ClientCertificates::None);

        let (_, theirs) = world.pair(&client(known.clone()), &required).await;
        assert_eq!(
            theirs.peer_certificates().expect("shown")[0],
            certificate(&known)
        );
        let (_, theirs) = world.pair(&client(known.clone()), &none).await;
        assert_eq!(theirs.peer_certificates(), None);
        let (_, theirs) = world.pair(&of_servers.client(), &optional).await;
        assert_eq!(theirs.peer_certificates(), None);

        let (_, theirs) = world.handshake(&of_servers.client(), "a", &required).await;
        let fault = theirs.expect_err("none shown");
        assert!(
            matches!(fault, Error::Certificate(CertificateFault::Absent)),
            "{fault:?}"
        );
        let stranger = Authority::new().sign(&["client"]);
        let (_, theirs) = world.handshake(&client(stranger), "a", &optional).await;
        let fault = theirs.expect_err("not known");
        assert!(
            matches!(fault, Error::Certificate(CertificateFault::UnknownIssuer)),
            "{fault:?}"
        );
    });
}

#[test]
fn text_without_what_is_needed_is_refused() {
    let key = KeyPair::generate().expect("a key");
    let certificate = params(&["a"])
        .self_signed(&key)
        .expect("a certificate")
        .pem();
    let (chain, key) = (certificate.as_bytes(), key.serialize_pem());
    let other = KeyPair::generate().expect("a key").serialize_pem();
    let read = |chain: &[u8], key: &str| Identity::from_pem(chain, key.as_bytes());
    read(chain, &key).expect("an identity");
    let both = [&certificate, "text between\n", &key].concat();
    read(both.as_bytes(), &both).expect("both in one text, behind what is neither");
    assert!(matches!(
        read(b"", &key),
        Err(Error::Nothing("certificate"))
    ));
    assert!(matches!(
        read(chain, ""),
        Err(Error::Nothing("private key"))
    ));
    assert!(matches!(read(chain, &other), Err(Error::KeyMismatch)));
    let cut = &certificate[..certificate.len() / 2];
    let error = read(cut.as_bytes(), &key).expect_err("cut off");
    assert!(matches!(error, Error::Pem("certificate", _)), "{error:?}");
    let text = certificate.replace("MII", "!!!");
    let error = read(text.as_bytes(), &key).expect_err("no base64");
    assert!(matches!(error, Error::Pem("certificate", _)), "{error:?}");
    let client = ClientOptions::default().authorities("none");
    assert!(matches!(
        Client::new(client),
        Err(Error::Nothing("certificate"))
    ));
    assert!(matches!(
        Server::new([], ServerOptions::default()),
        Err(Error::NoIdentity)
    ));
}

/// A certificate, and its key, in PEM.
fn pair(name: &str) -> (String, String) {
    let key = KeyPair::generate().expect("a key");
    let certificate = params(&[name]).self_signed(&key).expect("a certificate");
    (certificate.pem(), key.serialize_pem())
}

fn disk(text: &str, octets: usize) -> BlockDevice<MemoryDevice> {
    let mut bytes = text.as_bytes().to_vec();
    bytes.resize(octets, 0);
    BlockDevice::new(MemoryDevice::from_bytes(512, bytes).expect("a device"))
}

#[test]
fn a_block_device_has_one_identity_after_the_other() {
    futures_lite::future::block_on(async {
        let [(one, one_key), (other, other_key)] = [pair("one"), pair("other")];
        let text = [&*one, &one_key, "text between\n", &other, &one, &other_key].concat();
        for octets in [text.len().next_multiple_of(512), 16 << 20] {
            let read = Identity::read_all(&mut disk(&text, octets)).await;
            let chains: Vec<_> = read
                .expect("two")
                .iter()
                .map(|it| it.0.cert.len())
                .collect();
            assert_eq!(chains, [1, 2]);
        }
        // Of 512 octets a piece, without a zero.
        let padded = format!("{text}{}", "\n".repeat(512 - text.len() % 512));
        let read = Identity::read_all(&mut disk(&padded, padded.len())).await;
        assert_eq!(read.expect("two").len(), 2);

        for (text, wanted) in [
            (String::new(), "certificate"),
            (one.clone(), "private key"),
            (one_key.clone(), "certificate"),
            ([&*one, &one_key, &other].concat(), "private key"),
            ([&*one, &one_key, &other_key].concat(), "certificate"),
        ] {
            let error = Identity::read_all(&mut disk(&text, 8192)).await;
            let error = error.expect_err(wanted);
            assert!(
                matches!(error, Error::Nothing(it) if it == wanted),
                "{error:?}"
            );
        }
        let mixed = [&*one, &other_key].concat();
        let error = Identity::read_all(&mut disk(&mixed, 8192)).await;
        assert!(matches!(error, Err(Error::KeyMismatch)), "{error:?}");
        let endless = "x".repeat(1 << 20);
        let error = Identity::read_all(&mut disk(&endless, 1 << 20)).await;
        assert!(matches!(error, Err(Error::TooLong(_))), "{error:?}");
    });
}

#[test]
fn rfc8446_section_6_2_who_has_said_more_hears_why_it_is_refused() {
    run(async |world: World| {
        let [of_servers, of_clients] = [Authority::new(), Authority::new()];
        let certificates = ClientCertificates::Required(of_clients.pem().into());
        let options = ServerOptions::default().client_certificates(certificates);
        let server = Server::new([of_servers.sign(&["a"])], options).expect("a server");
        let (ours, theirs) = world.tcp().await;
        let refused = async { server.accept(theirs).await.expect_err("no certificate") };
        let says = async {
            let client = of_servers.client();
            let mut ours = client.connect("a", ours).await.expect("as far as it knows");
            // More than a record.
            ours.write_all(&[0; 20_000]).await.expect("sent");
            sleep(Duration::from_secs(1)).await;
            ours.read(&mut [0]).await.expect_err("an alert")
        };
        let (error, _) = zip(says, refused).await;
        let alert = Error::from(error);
        let expected = rustls::AlertDescription::CertificateRequired;
        assert!(
            matches!(alert, Error::Alert(it) if it == expected),
            "{alert:?}"
        );
    });
}

#[test]
fn one_of_ours_that_is_out_of_date_is_noticed() {
    let authority = Authority::new();
    let good = authority.sign(&["a"]);
    assert_eq!(is_out_of_date(&certificate(&good)), None);
    let expired = authority.sign_with(&["a"], |it| it.not_after = date_time_ymd(2001, 1, 1));
    let early = authority.sign_with(&["a"], |it| it.not_before = date_time_ymd(4000, 1, 1));
    for bad in [expired, early] {
        assert!(is_out_of_date(&certificate(&bad)).is_some());
    }
}
