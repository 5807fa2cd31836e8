//! What new projects begin with.

/// Without what colours and wraps: a console is no terminal.
macro_rules! clap {
    () => {
        "clap = { version = \"4.5\", default-features = false, features = [\"std\", \"derive\", \"help\", \"usage\", \"error-context\"] }\n"
    };
}

/// What Cargo is told in every project.
pub(super) const CONFIG: &str = include_str!("../templates/config.toml");

/// The profile of what is shipped.
pub(super) const PROFILE: &str = include_str!("../templates/profile.toml");

/// The profile of what is tried, in new projects.
pub(super) const DEV_PROFILE: &str = include_str!("../templates/dev-profile.toml");

/// What a program does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Template {
    Hello,
    Echo,
    Http,
    Kv,
    Posix,
}

impl Template {
    /// `src/main.rs`.
    pub(super) const fn program(self) -> &'static str {
        match self {
            Self::Hello => include_str!("../templates/hello.rs"),
            Self::Echo => include_str!("../templates/echo.rs"),
            Self::Http => include_str!("../templates/http.rs"),
            Self::Kv => include_str!("../templates/kv.rs"),
            Self::Posix => include_str!("../templates/posix.rs"),
        }
    }

    /// The features of `mkernel`.
    pub(super) const fn features(self) -> &'static [&'static str] {
        match self {
            Self::Hello => &[],
            Self::Echo => &["cli"],
            Self::Http => &["cli", "http"],
            Self::Kv => &["cli", "http", "store"],
            Self::Posix => &["posix"],
        }
    }

    /// The other dependencies, as lines of `Cargo.toml`.
    pub(super) const fn dependencies(self) -> &'static str {
        match self {
            Self::Hello | Self::Posix => "",
            Self::Echo => concat!(clap!(), "futures-lite = \"2\"\n"),
            Self::Http => concat!(
                "axum = { version = \"0.8\", default-features = false }\n",
                clap!()
            ),
            Self::Kv => concat!(clap!(), "http-body-util = \"0.1\"\n"),
        }
    }

    /// What to try in another terminal.
    pub(super) const fn client(self) -> &'static str {
        match self {
            Self::Hello => "",
            Self::Echo => "echo hello | nc -N 127.0.0.1 3000",
            Self::Http | Self::Posix => "curl http://127.0.0.1:8080/",
            Self::Kv => {
                "curl -X PUT -d value http://127.0.0.1:8080/key; curl http://127.0.0.1:8080/key"
            }
        }
    }
}
