use core::fmt;

/// Bytes of the field that holds a device's name.
pub const NAME_FIELD: usize = 68;

/// Letters of the longest name; one byte of the field is for the NUL.
pub const NAME_MAX: usize = NAME_FIELD - 1;

/// Why a text cannot be a device's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum NameError {
    /// The name is empty.
    Empty,
    /// The name has more than [`NAME_MAX`] letters.
    TooLong {
        /// Bytes of the name.
        len: usize,
    },
    /// The name holds something that is neither an ASCII letter nor a digit.
    NotAlphanumeric {
        /// Where, in bytes from the start.
        index: usize,
        /// What, the first byte of it.
        byte: u8,
    },
}

impl fmt::Display for NameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Empty => write!(
                f,
                "empty name, expected 1 to {NAME_MAX} ASCII letters and digits"
            ),
            Self::TooLong { len } => {
                write!(f, "name of {len} bytes, expected at most {NAME_MAX}")
            }
            Self::NotAlphanumeric { index, byte } => write!(
                f,
                "name with {byte:#04x} at byte {index}, expected ASCII letters and digits only"
            ),
        }
    }
}

impl core::error::Error for NameError {}

/// Tells whether `name` can be a device's name: 1 to 67 ASCII letters and digits.
///
/// # Errors
///
/// What is wrong with it, the first thing only.
pub const fn check_name(name: &str) -> Result<(), NameError> {
    let bytes = name.as_bytes();
    if bytes.is_empty() {
        return Err(NameError::Empty);
    }
    if bytes.len() > NAME_MAX {
        return Err(NameError::TooLong { len: bytes.len() });
    }
    let mut index = 0;
    while index < bytes.len() {
        if !bytes[index].is_ascii_alphanumeric() {
            return Err(NameError::NotAlphanumeric {
                index,
                byte: bytes[index],
            });
        }
        index += 1;
    }
    Ok(())
}
