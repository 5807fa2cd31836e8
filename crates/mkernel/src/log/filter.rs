//! Which events are written.

use std::fmt;
use std::str::FromStr;

use tracing_core::LevelFilter;

/// The levels, by name.
const LEVELS: [(&str, LevelFilter); 6] = [
    ("off", LevelFilter::OFF),
    ("error", LevelFilter::ERROR),
    ("warn", LevelFilter::WARN),
    ("info", LevelFilter::INFO),
    ("debug", LevelFilter::DEBUG),
    ("trace", LevelFilter::TRACE),
];

/// The least important level that is written, of all events and of those of some targets.
///
/// As text it is a list of levels, separated by commas: `LEVEL` for all targets that nothing else in the list is for, and
/// `TARGET=LEVEL` for one target, that is, a module, and those within it. The longest target that fits counts. Levels are
/// `off`, `error`, `warn`, `info`, `debug` and `trace`; without one for all targets it is `info`.
///
/// ```
/// let filter: mkernel::log::Filter = "warn,shop=debug,shop::orders=off".parse()?;
/// assert_eq!(filter.to_string(), "warn,shop::orders=off,shop=debug");
/// # Ok::<(), mkernel::log::FilterError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Filter {
    others: LevelFilter,
    /// The longest first.
    targets: Vec<(String, LevelFilter)>,
}

/// What is wrong with a text that should have been a [`Filter`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FilterError(String);

impl fmt::Display for FilterError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = &self.0;
        write!(
            f,
            "{text:?}: expected off, error, warn, info, debug or trace, or TARGET=LEVEL with one of these"
        )
    }
}

impl std::error::Error for FilterError {}

impl Default for Filter {
    fn default() -> Self {
        Self {
            others: LevelFilter::INFO,
            targets: Vec::new(),
        }
    }
}

impl Filter {
    /// The level for a target.
    pub(super) fn level(&self, target: &str) -> LevelFilter {
        let holds = |module: &str| {
            let within = target.strip_prefix(module);
            within.is_some_and(|within| within.is_empty() || within.starts_with("::"))
        };
        let named = self.targets.iter().find(|(module, _)| holds(module));
        named.map_or(self.others, |(_, level)| *level)
    }

    /// The least important level that any target has.
    pub(super) fn most(&self) -> LevelFilter {
        let levels = self.targets.iter().map(|(_, level)| *level);
        levels.fold(self.others, Ord::max)
    }
}

impl FromStr for Filter {
    type Err = FilterError;

    fn from_str(text: &str) -> Result<Self, FilterError> {
        let mut filter = Self::default();
        for part in text.split(',').map(str::trim) {
            let error = || FilterError(part.to_owned());
            let (target, name) = match part.split_once('=') {
                Some((target, name)) => (Some(target.trim_end()), name.trim_start()),
                None => (None, part),
            };
            let level = LEVELS
                .iter()
                .find(|(known, _)| known.eq_ignore_ascii_case(name));
            let (_, level) = *level.ok_or_else(error)?;
            match target {
                None => filter.others = level,
                Some("") => return Err(error()),
                Some(target) => {
                    filter.targets.retain(|(other, _)| other != target);
                    let not_shorter = |other: &(String, _)| other.0.len() >= target.len();
                    let at = filter.targets.partition_point(not_shorter);
                    filter.targets.insert(at, (target.to_owned(), level));
                }
            }
        }
        Ok(filter)
    }
}

impl fmt::Display for Filter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.others)?;
        let mut targets = self.targets.iter();
        targets.try_for_each(|(target, level)| write!(f, ",{target}={level}"))
    }
}
