//! The secrets of connections, for who debugs them.

use std::fmt::{self, Write};

/// Takes each secret as a line in the format of NSS, which Wireshark reads. Who has them reads all that was said.
pub struct KeyLog(Box<dyn Fn(&str) + Send + Sync>);

impl KeyLog {
    /// Gives each line to `write`.
    pub fn new(write: impl Fn(&str) + Send + Sync + 'static) -> Self {
        Self(Box::new(write))
    }
}

impl fmt::Debug for KeyLog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyLog").finish_non_exhaustive()
    }
}

impl rustls::KeyLog for KeyLog {
    fn log(&self, label: &str, client_random: &[u8], secret: &[u8]) {
        let mut line = format!("{label} ");
        let hexadecimal = |line: &mut String, octets: &[u8]| {
            for octet in octets {
                // Writing to a string cannot fail.
                let _ = write!(line, "{octet:02x}");
            }
        };
        hexadecimal(&mut line, client_random);
        line.push(' ');
        hexadecimal(&mut line, secret);
        (self.0)(&line);
    }
}
