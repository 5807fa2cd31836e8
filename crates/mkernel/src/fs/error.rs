use std::fmt;
use std::io;

/// What cannot be done with a file, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error {
    path: String,
    kind: ErrorKind,
}

/// Why something cannot be done.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ErrorKind {
    /// There is nothing by that name.
    NotFound,
    /// What is used as a directory is none.
    NotADirectory,
    /// A directory is used as a file.
    IsADirectory,
    /// It is neither a file nor a directory.
    NotAFile,
    /// The name is longer than any, or holds what no name may.
    InvalidPath,
    /// There is something by that name.
    AlreadyExists,
    /// The directory holds something.
    NotEmpty,
    /// The file is open, or it is the root.
    InUse,
    /// There are more than [`MAX_LINKS`](super::MAX_LINKS) symbolic links on the path.
    TooManyLinks,
    /// There is more of something than is allowed for.
    LimitExceeded(&'static str),
    /// The device holds no file system that is known.
    NotRecognized,
    /// The file system uses what is not known here.
    Unsupported(String),
    /// What is on the device makes no sense.
    Damaged(String),
    /// The device failed.
    Device(String),
    /// What is mounted, or how the file was opened, allows only reading.
    ReadOnly,
    /// There is no room.
    Full,
    /// The device does not make durable what is written.
    CannotFlush,
}

impl Error {
    pub(super) fn new(path: &str, kind: ErrorKind) -> Self {
        // Bounded: a path is whatever a client has sent.
        let path = path.chars().take(1024).collect();
        Self { path, kind }
    }

    /// Of what, as it was given; the root where a file system is mounted.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// Why.
    pub fn kind(&self) -> &ErrorKind {
        &self.kind
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.path, self.kind)
    }
}

impl std::error::Error for Error {}

impl fmt::Display for ErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotFound => f.write_str("no such file or directory"),
            Self::NotADirectory => f.write_str("not a directory"),
            Self::IsADirectory => f.write_str("is a directory"),
            Self::NotAFile => f.write_str("neither a file nor a directory"),
            Self::InvalidPath => f.write_str("not a path"),
            Self::AlreadyExists => f.write_str("already exists"),
            Self::NotEmpty => f.write_str("a directory that is not empty"),
            Self::InUse => f.write_str("in use"),
            Self::Full => f.write_str("no room"),
            Self::CannotFlush => f.write_str("the device cannot make writes durable"),
            Self::TooManyLinks => write!(f, "more than {} symbolic links", super::MAX_LINKS),
            Self::LimitExceeded(what) => write!(f, "too many {what}"),
            Self::NotRecognized => f.write_str("no file system that is known"),
            Self::Unsupported(what) => write!(f, "not supported: {what}"),
            Self::Damaged(what) => write!(f, "damaged: {what}"),
            Self::Device(what) => write!(f, "the device failed: {what}"),
            Self::ReadOnly => f.write_str("can only be read"),
        }
    }
}

impl std::error::Error for ErrorKind {}

impl From<Error> for io::Error {
    fn from(error: Error) -> Self {
        let kind = match error.kind {
            ErrorKind::NotFound => io::ErrorKind::NotFound,
            ErrorKind::NotADirectory => io::ErrorKind::NotADirectory,
            ErrorKind::IsADirectory => io::ErrorKind::IsADirectory,
            ErrorKind::InvalidPath | ErrorKind::NotAFile => io::ErrorKind::InvalidInput,
            ErrorKind::AlreadyExists => io::ErrorKind::AlreadyExists,
            ErrorKind::NotEmpty => io::ErrorKind::DirectoryNotEmpty,
            ErrorKind::InUse => io::ErrorKind::ResourceBusy,
            ErrorKind::Full => io::ErrorKind::StorageFull,
            ErrorKind::Unsupported(_) | ErrorKind::CannotFlush => io::ErrorKind::Unsupported,
            ErrorKind::NotRecognized
            | ErrorKind::Damaged(_)
            | ErrorKind::TooManyLinks
            | ErrorKind::LimitExceeded(_) => io::ErrorKind::InvalidData,
            ErrorKind::ReadOnly => io::ErrorKind::ReadOnlyFilesystem,
            ErrorKind::Device(_) => io::ErrorKind::Other,
        };
        Self::new(kind, error)
    }
}
