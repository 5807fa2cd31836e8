//! What is measured: the lines of the table.

use crate::subjects::Subject::{
    self, AsyncExecutor, Axum, Mkernel, Nginx, Smoltcp, TokioCurrentThread, TokioMultiThread,
};

/// Clients of the closed loop.
pub const CLIENTS: [usize; 7] = [8, 16, 32, 64, 128, 256, 512];
/// Connections of the open loop.
pub const OPEN_CLIENTS: [usize; 2] = [64, 512];
/// Percent of the slowest subject's rate.
pub const OPEN_PERCENT: [usize; 2] = [50, 80];
/// Requests a second on one connection.
pub const RATES: [usize; 3] = [100, 1000, 10_000];
const TLS_CLIENTS: [usize; 3] = [8, 64, 512];
/// TLS handshakes under way.
const HANDSHAKES: usize = 16;

const ALL: &[Subject] = &Subject::ALL;
/// nginx runs no tasks of ours.
const WITH_TASKS: &[Subject] = &[
    Mkernel,
    AsyncExecutor,
    TokioCurrentThread,
    TokioMultiThread,
    Axum,
    Smoltcp,
];
/// axum on tokio has no more than `/healthz`; smoltcp's responder has no content to speak of, and no TLS.
const WITH_CONTENT: &[Subject] = &[
    Mkernel,
    AsyncExecutor,
    TokioCurrentThread,
    TokioMultiThread,
    Nginx,
];

/// One line.
#[derive(Clone, Debug)]
pub struct Case {
    pub name: String,
    pub load: Load,
    /// Whether a task in the program computes 5 µs at a time, and yields.
    pub busy: bool,
    pub tls: bool,
    pub subjects: &'static [Subject],
}

#[derive(Clone, Copy, Debug)]
pub enum Load {
    /// Each client sends its next request when it has its answer.
    Closed { connections: usize },
    /// At a rate: percent of the slowest subject's in a closed loop with so many connections.
    Open { connections: usize, percent: usize },
    /// So many requests a second on one connection.
    Paced { rate: usize },
    /// One connection, and no request.
    Idle,
    /// So many handshakes under way.
    Handshakes { in_flight: usize },
    /// One download after the other.
    Download,
}

impl Load {
    /// Connections at once.
    pub fn connections(self) -> usize {
        match self {
            Load::Closed { connections } | Load::Open { connections, .. } => connections,
            Load::Handshakes { in_flight } => in_flight,
            Load::Paced { .. } | Load::Idle | Load::Download => 1,
        }
    }
}

/// All lines, in their order.
pub fn all() -> Vec<Case> {
    let case = |name: String, load, subjects| Case {
        busy: name.contains("busy"),
        tls: name.starts_with("https"),
        name,
        load,
        subjects,
    };
    let closed = |kind: &str, clients: &[usize], subjects| -> Vec<Case> {
        let case = |&connections| {
            let load = Load::Closed { connections };
            case(format!("{kind}-{connections}"), load, subjects)
        };
        clients.iter().map(case).collect()
    };
    let mut cases = closed("http", &CLIENTS, ALL);
    cases.extend(closed("http-busy", &CLIENTS, WITH_TASKS));
    for connections in OPEN_CLIENTS {
        for percent in OPEN_PERCENT {
            let load = Load::Open {
                connections,
                percent,
            };
            cases.push(case(
                format!("http-open-{percent}-{connections}"),
                load,
                ALL,
            ));
        }
    }
    for rate in RATES {
        cases.push(case(format!("http-rate-{rate}"), Load::Paced { rate }, ALL));
    }
    cases.push(case("http-idle".into(), Load::Idle, ALL));
    cases.push(case("http-download".into(), Load::Download, WITH_CONTENT));
    cases.extend(closed("https", &TLS_CLIENTS, WITH_CONTENT));
    let load = Load::Handshakes {
        in_flight: HANDSHAKES,
    };
    cases.push(case("https-handshakes".into(), load, WITH_CONTENT));
    cases.push(case("https-download".into(), Load::Download, WITH_CONTENT));
    cases
}
