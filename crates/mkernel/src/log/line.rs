//! A line of the log.

use std::cell::Cell;
use std::fmt::{self, Write};

/// Octets of a line that are written.
const LIMIT: usize = 4096;
/// Octets that the time takes at the start of a line, at least; and what it is written in.
const TIME: &str = "[            ] ";

thread_local! {
    /// The last line's memory, for the next.
    static SPARE: Cell<String> = const { Cell::new(String::new()) };
}

/// A line that is being written: control characters are escaped, and what exceeds [`LIMIT`] is counted.
pub(super) struct Line {
    text: String,
    more: usize,
}

impl Line {
    /// A line that begins with level and target.
    pub(super) fn new(level: &str, target: &str) -> Self {
        let mut text = SPARE.take();
        text.clear();
        let mut line = Self { text, more: 0 };
        line.push(format_args!("{TIME}{level:5} {target}: "));
        line
    }

    /// Appends text. A value that fails to format is left out from there on.
    pub(super) fn push(&mut self, text: fmt::Arguments<'_>) {
        let _ = self.write_fmt(text);
    }

    /// Has `write` take the line, with the time in nanoseconds.
    pub(super) fn finish(self, nanos: u64, write: impl FnOnce(&[u8])) {
        let Self { mut text, more } = self;
        let (seconds, micros) = (nanos / 1_000_000_000, nanos / 1000 % 1_000_000);
        text.replace_range(..TIME.len(), &format!("[{seconds:5}.{micros:06}] "));
        if more > 0 {
            text += &format!("… ({more} octets more)");
        }
        text.push('\n');
        write(text.as_bytes());
        SPARE.set(text);
    }

    fn push_char(&mut self, character: char) {
        if self.more == 0 && self.text.len() + character.len_utf8() <= LIMIT {
            self.text.push(character);
        } else {
            self.more += character.len_utf8();
        }
    }
}

impl Write for Line {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for character in text.chars() {
            if character.is_control() && character != '\t' {
                character
                    .escape_default()
                    .for_each(|escaped| self.push_char(escaped));
            } else {
                self.push_char(character);
            }
        }
        Ok(())
    }
}
