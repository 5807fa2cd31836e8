//! A thread that runs a stack over a link, with a server on it.

use async_executor::LocalExecutor;
use netstack::proto::interface::Counters;
use netstack::proto::link::ethernet::MacAddr;
use netstack::{Config, Stack};
use std::future::Future;
use std::io;
use std::net::{SocketAddr, TcpStream};
use std::rc::Rc;
use std::sync::mpsc;
use std::thread::JoinHandle;
use std::time::Duration;

use crate::family;
use crate::link::{Conditions, Control, Link};
use crate::namespace::Interface;
use crate::tap::{HostTimer, TapDevice};

/// The stack's address of IPv4.
pub(crate) const ADDRESS: [u8; 4] = [10, 0, 0, 2];
/// No wait of a scenario lasts longer. It is long for kernels whose retransmission time-out cannot be
/// bounded.
pub(crate) const PATIENCE: Duration = Duration::from_secs(180);

/// Starts tasks on the stack's thread.
pub(crate) type Spawner = Rc<LocalExecutor<'static>>;

/// A running stack; dropping it ends it.
pub(crate) struct Host {
    questions: Option<async_channel::Sender<mpsc::Sender<Counters>>>,
    thread: Option<JoinHandle<()>>,
    pub(crate) control: Control,
    _interface: Interface,
}

impl Host {
    /// Starts a stack at [`family::ours`] under `conditions` and runs `server` on it. It is ready when
    /// this returns.
    pub(crate) fn start<F>(
        mut conditions: Conditions,
        server: impl FnOnce(Stack, Spawner) -> F + Send + 'static,
    ) -> Self
    where
        F: Future<Output = io::Result<()>> + 'static,
    {
        conditions.mtu = conditions.mtu.max(family::least_mtu());
        let interface = Interface::new(conditions.mtu);
        let mut config = Config::default()
            .address("10.0.0.2/24".parse().expect("an address"))
            .gateway([10, 0, 0, 1].into());
        if conditions.ipv6 {
            interface.add_ipv6();
            config = crate::ipv6::added_to(config);
        }
        if family::is_v6() {
            interface.add_ipv6();
            config = crate::ipv6::added_to(config).gateway(family::kernel());
            let capture = conditions.capture;
            conditions.capture = capture.map(|name| &*family::v6_name(name).leak());
        }
        Self::start_on(interface, conditions, config, server)
    }

    /// As [`Host::start`], with other settings and on an interface that is there already.
    pub(crate) fn start_on<F>(
        interface: Interface,
        conditions: Conditions,
        config: Config,
        server: impl FnOnce(Stack, Spawner) -> F + Send + 'static,
    ) -> Self
    where
        F: Future<Output = io::Result<()>> + 'static,
    {
        let (questions, asked) = async_channel::bounded::<mpsc::Sender<Counters>>(1);
        let (ready, is_ready) = mpsc::channel();
        let control = Control::default();
        let for_link = control.clone();
        let thread = std::thread::spawn(move || {
            let tap = TapDevice::open(Interface::NAME, MacAddr([2, 0, 0, 0, 0, 2]));
            let link = Link::new(tap.expect("the TAP interface"), conditions, for_link);
            let (stack, runner) = Stack::new(link, HostTimer::new(), config).expect("a stack");
            let executor = Rc::new(LocalExecutor::new());
            let server = server(stack.clone(), executor.clone());
            let task = executor.spawn(async move {
                ready.send(()).expect("the scenario waits");
                server.await.expect("the server runs");
            });
            let until = async {
                // The channel is closed when the host is dropped.
                while let Ok(answer) = asked.recv().await {
                    answer.send(stack.counters()).expect("the scenario waits");
                }
                Ok(())
            };
            let run = async { Err(runner.await) };
            let ended = async_io::block_on(executor.run(futures_lite::future::or(until, run)));
            drop(task);
            ended.expect("the device works");
        });
        is_ready.recv_timeout(PATIENCE).expect("the stack starts");
        Self {
            questions: Some(questions),
            thread: Some(thread),
            control,
            _interface: interface,
        }
    }
}

impl Host {
    /// The stack's counters.
    pub(crate) fn counters(&self) -> Counters {
        let (answer, answered) = mpsc::channel();
        let questions = self.questions.as_ref().expect("not yet dropped");
        questions.send_blocking(answer).expect("the stack runs");
        answered.recv_timeout(PATIENCE).expect("the stack runs")
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        self.questions.take();
        let ended = self.thread.take().expect("not yet joined").join();
        if !std::thread::panicking() {
            ended.expect("the stack's thread does not panic");
        }
    }
}

/// Connects the kernel to a port of the stack.
pub(crate) fn connect(port: u16) -> TcpStream {
    let address = SocketAddr::from((family::ours(), port));
    let stream = TcpStream::connect_timeout(&address, PATIENCE).expect("a connection");
    stream.set_read_timeout(Some(PATIENCE)).expect("a time-out");
    stream
        .set_write_timeout(Some(PATIENCE))
        .expect("a time-out");
    stream
}
