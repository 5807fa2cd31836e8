use std::fmt::{self, Write};

use jsonc_parser::ast::Value;
use solo5_abi::manifest::VERSION;

use super::{MANIFEST_TYPE, SOURCE_MAX};
use crate::DeviceError;

/// What is wrong with a manifest's source, and where.
///
/// Displayed as `LINE: LOCATION: reason`, to put behind a file name and a colon.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct JsonError {
    /// The line, from 1.
    pub line: usize,
    /// The member concerned, unless the source is no JSON at all.
    pub location: Option<&'static str>,
    /// The reason.
    pub problem: JsonProblem,
}

impl JsonError {
    pub(super) fn new(line: usize, location: Option<&'static str>, problem: JsonProblem) -> Self {
        Self {
            line,
            location,
            problem,
        }
    }
}

impl fmt::Display for JsonError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.line)?;
        if let Some(location) = self.location {
            write!(f, "{location}: ")?;
        }
        write!(f, "{}", self.problem)
    }
}

impl std::error::Error for JsonError {}

/// What is wrong with a manifest's source.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum JsonProblem {
    /// It is too long to be a manifest.
    #[error("source of {found} bytes, expected at most {SOURCE_MAX}")]
    TooLong {
        /// Bytes of it.
        found: usize,
    },
    /// It is not text.
    #[error("JSON parse error: not UTF-8")]
    NotUtf8,
    /// It is empty.
    #[error("JSON parse error: no value, expected an object")]
    NoValue,
    /// It is not JSON.
    #[error("JSON parse error: {0}")]
    Syntax(String),
    /// A value of another type was wanted.
    #[error("expected {expected}, got {found}")]
    WrongType {
        /// The type wanted.
        expected: JsonType,
        /// The type given.
        found: JsonType,
    },
    /// A key that does not belong there.
    #[error("unknown key: {}", Excerpt(.0))]
    UnknownKey(String),
    /// A key that is there already.
    #[error("repeated key: {0}")]
    RepeatedKey(&'static str),
    /// A key that is not there.
    #[error("missing key: {0}")]
    MissingKey(&'static str),
    /// JSON of another type.
    #[error("invalid value {}, expected \"{MANIFEST_TYPE}\"", Excerpt(.0))]
    ManifestType(String),
    /// A manifest of another version.
    #[error("invalid version {0}, expected {VERSION}")]
    Version(String),
    /// A device of a type that is not known.
    #[error("unknown device type {}, expected \"NET_BASIC\" or \"BLOCK_BASIC\"", Excerpt(.0))]
    DeviceType(String),
    /// A device that cannot be.
    #[error(transparent)]
    Device(DeviceError),
}

/// Part of the source in a message: quoted, without line breaks or control characters, and short.
struct Excerpt<'a>(&'a str);

impl fmt::Display for Excerpt<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Of what is shown, not of the source: an escape is longer than what it stands for.
        const MAX: usize = 80;
        let mut shown = 0;
        f.write_char('"')?;
        for character in self.0.chars() {
            let escape = character.escape_debug();
            shown += escape.len();
            if shown > MAX {
                return f.write_str("\"...");
            }
            write!(f, "{escape}")?;
        }
        f.write_char('"')
    }
}

/// The types of JSON values; numbers without fraction and exponent are told from the others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names are JSON's")]
pub enum JsonType {
    Null,
    Boolean,
    Integer,
    Real,
    String,
    Array,
    Object,
}

impl JsonType {
    pub(super) fn of(value: &Value<'_>) -> Self {
        match value {
            Value::NullKeyword(_) => Self::Null,
            Value::BooleanLit(_) => Self::Boolean,
            Value::StringLit(_) => Self::String,
            Value::Array(_) => Self::Array,
            Value::Object(_) => Self::Object,
            Value::NumberLit(number) if number.value.contains(['.', 'e', 'E']) => Self::Real,
            Value::NumberLit(_) => Self::Integer,
        }
    }
}

impl fmt::Display for JsonType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Null => "NULL",
            Self::Boolean => "BOOLEAN",
            Self::Integer => "INTEGER",
            Self::Real => "REAL",
            Self::String => "STRING",
            Self::Array => "ARRAY",
            Self::Object => "OBJECT",
        })
    }
}
