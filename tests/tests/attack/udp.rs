//! The services over UDP, and what a forged source makes of them.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

use system_tests::attacks::{GUEST, Strangers, port};
use system_tests::frames::{Datagram, Link, Received, stranger};

use crate::field::{Field, Setting};

const SETTING: Setting = Setting {
    mebibytes: 16,
    from: Strangers::ONE,
};

/// The answers that come until one goes to an honest client, who asks `service` from now on, each second; each with whom
/// it was for and its length.
fn answers_until_honest(link: &mut Link, service: SocketAddr) -> Vec<(SocketAddr, usize)> {
    let honest = SocketAddr::new(SETTING.from.stranger(9), 50_000);
    let mut answers = Vec::new();
    for _ in 0..10 {
        link.datagram(&Datagram {
            from: honest,
            to: service,
            payload: b"honest",
        });
        let deadline = Instant::now() + Duration::from_secs(1);
        while let Some(received) = link.receive(deadline.saturating_duration_since(Instant::now()))
        {
            match received {
                Received::Udp(answer) if answer.to == honest => return answers,
                Received::Udp(answer) => answers.push((answer.to, answer.payload.len())),
                _ => {}
            }
        }
    }
    panic!("no answer to {honest}");
}

/// Two services would answer each other for ever.
#[test]
fn a_service_is_not_made_to_talk_to_a_service() {
    Field::with(SETTING, |field| {
        let link = &mut field.link;
        let services = [port::ECHO, port::DAYTIME, port::CHARGEN];
        let reserved = [1, 7, 13, 19, 53, 1023];
        for to in services {
            for from in services.iter().chain(&[port::DISCARD]).chain(&reserved) {
                for address in [stranger(0), Ipv4Addr::new(10, 0, 0, 1), GUEST] {
                    link.datagram(&Datagram {
                        from: SocketAddr::new(address.into(), *from),
                        to: SETTING.from.service(to),
                        payload: b"ping",
                    });
                }
            }
            assert_eq!(answers_until_honest(link, SETTING.from.service(to)), []);
        }
        field.assert_lives();
    });
}

/// A source that may be forged is not sent much more than was received from it.
#[test]
fn a_source_is_not_flooded_with_characters() {
    const REQUESTS: usize = 5000;
    Field::with(SETTING, |field| {
        let link = &mut field.link;
        let victim = SocketAddr::new(SETTING.from.stranger(0), 40_000);
        for _ in 0..REQUESTS {
            link.datagram(&Datagram {
                from: victim,
                to: SETTING.from.service(port::CHARGEN),
                payload: b"\n",
            });
        }
        // From another address: this one may have had its share.
        let answers = answers_until_honest(link, SETTING.from.service(port::CHARGEN));
        let headers = 14 + 20 + 8;
        let sent = REQUESTS * (headers + 18);
        let received: usize = answers.iter().map(|(_, length)| headers + length).sum();
        println!("{received} octets for {sent}");
        assert!(received <= 3 * sent, "{received} octets for {sent}");
        field.assert_lives();
    });
}
