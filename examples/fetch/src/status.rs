//! What `curl` would end with: its manual page, EXIT CODES.

use mkernel::cli::Failure;
use mkernel::http::ClientError;
use mkernel::tls::Error as TlsError;

const URL: u8 = 3;

/// When there is no answer.
pub(crate) fn of_head(error: ClientError) -> Failure {
    let status = match &error {
        ClientError::Url(_) | ClientError::Location(_) => URL,
        ClientError::NoTls(_) | ClientError::InsecureRedirect(_) => 1,
        ClientError::Resolve(..) => 6,
        ClientError::Connect(..) => 7,
        ClientError::TimedOut(..) => 28,
        ClientError::Tls(_, TlsError::Certificate(_)) => 60,
        ClientError::Tls(..) => 35,
        ClientError::Redirects(_) | ClientError::RedirectLoop(_) => 47,
        ClientError::Http(error) if error.is_parse() => 8,
        ClientError::Http(error) if error.is_incomplete_message() => 52,
        // Nothing more was received.
        _ => 56,
    };
    Failure::new(status, error)
}

/// When the answer ends too early.
pub(crate) fn of_content(error: ClientError) -> Failure {
    match error {
        ClientError::Http(_) => Failure::new(18, error),
        error => of_head(error),
    }
}
