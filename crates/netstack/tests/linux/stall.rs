//! Peers that stop reading, and peers that are gone.

use netstack::proto::tcp::KeepAlive;
use netstack::{Stack, TcpListener, TcpStream};
use std::io::{self, Read, Write};
use std::sync::mpsc;
use std::time::Duration;

use crate::Scenario;
use crate::family;
use crate::host::{Host, PATIENCE, Spawner, connect};
use crate::link::Conditions;
use crate::stream::Octets;

pub(crate) const SCENARIOS: &[Scenario] = &[
    ("kernel-stops-reading", kernel_stops_reading),
    ("stack-stops-reading", stack_stops_reading),
    ("peer-vanishes-user-timeout", || vanishes(true)),
    ("peer-vanishes-keep-alive", || vanishes(false)),
    ("link-comes-back", link_comes_back),
];

const COUNT: usize = 20_000_000;

/// Sends [`COUNT`] octets to whoever connects, and reports each window probe.
fn kernel_stops_reading() -> String {
    let (probed, probes) = mpsc::channel();
    let conditions = Conditions {
        capture: Some("kernel-stops-reading"),
        ..Conditions::default()
    };
    let _host = Host::start(
        conditions,
        move |stack: Stack, spawner: Spawner| async move {
            let listener = TcpListener::bind(&stack, (family::any(), 19))?;
            let watched = stack.clone();
            spawner
                .spawn(async move {
                    let mut seen = 0;
                    loop {
                        watched.sleep(Duration::from_millis(10)).await;
                        let count = watched.counters().tcp.window_probe;
                        if count > seen && probed.send(count).is_err() {
                            return;
                        }
                        seen = count;
                    }
                })
                .detach();
            let (stream, _) = listener.accept().await?;
            let (mut octets, mut buffer) = (Octets::new(2), vec![0; 50_000]);
            for _ in 0..COUNT / buffer.len() {
                octets.fill(&mut buffer);
                stream.write_all(&buffer).await?;
            }
            stream.shutdown()?;
            stream.flushed().await
        },
    );
    let mut stream = connect(19);
    let mut count = 0;
    while count < 3 {
        count = probes
            .recv_timeout(PATIENCE)
            .expect("the closed window is probed");
    }
    let received = Octets::new(2).receive(&mut stream).expect("all comes");
    assert_eq!(received, COUNT);
    format!("{count} window probes while it did not read, then {received} octets")
}

fn stack_stops_reading() -> String {
    let (resume, resumed) = async_channel::bounded::<()>(1);
    let (done, is_done) = mpsc::channel();
    let conditions = Conditions {
        capture: Some("stack-stops-reading"),
        ..Conditions::default()
    };
    let _host = Host::start(conditions, move |stack: Stack, _| async move {
        let listener = TcpListener::bind(&stack, (family::any(), 9))?;
        let (stream, _) = listener.accept().await?;
        // The channel is closed when the kernel's side could send no more.
        let _ = resumed.recv().await;
        let (mut octets, mut count) = (Octets::new(1), 0);
        while let Some(chunk) = stream.read_chunk(usize::MAX).await? {
            octets.check(&chunk);
            count += chunk.len();
        }
        done.send(count).expect("the scenario waits");
        Ok(())
    });
    let mut stream = connect(9);
    stream.set_nonblocking(true).expect("set");
    let (mut octets, mut buffer) = (Octets::new(1), vec![0; 64 << 10]);
    octets.fill(&mut buffer);
    let (mut sent, mut offset, mut blocked) = (0, 0, 0);
    // Full when nothing more was taken for half a second.
    while blocked < 50 {
        match stream.write(&buffer[offset..]) {
            Ok(len) => {
                (sent, offset, blocked) = (sent + len, offset + len, 0);
                if offset == buffer.len() {
                    octets.fill(&mut buffer);
                    offset = 0;
                }
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                blocked += 1;
                std::thread::sleep(Duration::from_millis(10));
            }
            Err(error) => panic!("{error}"),
        }
    }
    assert!(sent < COUNT, "the window never closed");
    drop(resume);
    stream.set_nonblocking(false).expect("set");
    stream.write_all(&buffer[offset..]).expect("sent");
    sent += buffer.len() - offset;
    octets.send(&mut stream, COUNT - sent).expect("sent");
    drop(stream);
    let received = is_done.recv_timeout(PATIENCE).expect("all comes");
    assert_eq!(received, COUNT);
    format!("the window closed, then opened again: {received} octets")
}

/// The stack has something to send (or probes) while nobody is there.
fn vanishes(user_timeout: bool) -> String {
    let (told, error) = mpsc::channel();
    let (settled, is_settled) = mpsc::channel();
    let (gone, is_gone) = async_channel::bounded::<()>(1);
    let host = Host::start(Conditions::default(), move |stack: Stack, _| async move {
        let listener = TcpListener::bind(&stack, (family::any(), 7))?;
        let (stream, _) = listener.accept().await?;
        let mut octet = [0];
        stream.read(&mut octet).await?;
        stream.write_all(&octet).await?;
        // Else it is the octet, not the probes, that goes unanswered.
        stream.flushed().await?;
        settled.send(()).expect("somebody waits");
        if user_timeout {
            stream.set_user_timeout(Some(Duration::from_secs(1)))?;
            // The channel is closed when the link is cut.
            let _ = is_gone.recv().await;
            stream.write_all(&octet).await?;
        } else {
            let (idle, interval) = (Duration::from_millis(300), Duration::from_millis(200));
            stream.set_keep_alive(Some(
                KeepAlive::default().idle(idle).interval(interval).probes(3),
            ))?;
        }
        let ended = stream.read(&mut octet).await.map_err(|error| error.kind());
        told.send(ended).expect("somebody waits");
        Ok(())
    });
    let mut stream = connect(7);
    stream.write_all(b"!").expect("sent");
    stream.read_exact(&mut [0]).expect("echoed");
    is_settled.recv_timeout(PATIENCE).expect("acknowledged");
    host.control.cut(true);
    drop(gone);
    let ended = error.recv_timeout(PATIENCE).expect("the connection ends");
    assert_eq!(ended, Err(io::ErrorKind::TimedOut));
    match user_timeout {
        true => "TimedOut by the user time-out of one second".into(),
        false => "TimedOut after three keep-alive probes".into(),
    }
}

async fn echo(stream: &TcpStream) -> io::Result<()> {
    while let Some(chunk) = stream.read_chunk(usize::MAX).await? {
        stream.write_chunk(chunk).await?;
    }
    Ok(())
}

fn link_comes_back() -> String {
    let host = Host::start(Conditions::default(), |stack: Stack, _| async move {
        let listener = TcpListener::bind(&stack, (family::any(), 7))?;
        let (stream, _) = listener.accept().await?;
        echo(&stream).await
    });
    let mut stream = connect(7);
    let writer = stream.try_clone().expect("a second handle");
    let control = host.control.clone();
    let sender = std::thread::spawn(move || {
        let (mut writer, mut octets) = (writer, Octets::new(3));
        for round in 0..5 {
            octets.send(&mut writer, 2_000_000).expect("sent");
            control.cut(round % 2 == 0);
            std::thread::sleep(Duration::from_millis(300));
            control.cut(false);
        }
        writer
            .shutdown(std::net::Shutdown::Write)
            .expect("half-closed");
    });
    let received = Octets::new(3).receive(&mut stream).expect("all comes back");
    sender.join().expect("all was sent");
    assert_eq!(received, 10_000_000);
    format!("{received} octets echoed over a link that was cut three times")
}
