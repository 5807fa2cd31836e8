//! Conditional requests (RFC 9110 section 13).

use std::time::{Duration, SystemTime};

use mkernel::fs::Metadata;
use mkernel::http::hyper::StatusCode;
use mkernel::http::hyper::header::{
    HeaderMap, HeaderName, IF_MATCH, IF_MODIFIED_SINCE, IF_NONE_MATCH, IF_RANGE,
    IF_UNMODIFIED_SINCE,
};

/// What tells one state of a file from another. The image does not change as long as the site is served, so that both
/// are strong.
pub(crate) struct Validators {
    pub(crate) tag: String,
    /// In whole seconds.
    pub(crate) modified: Option<SystemTime>,
}

impl Validators {
    pub(crate) fn new(metadata: &Metadata, is_compressed: bool) -> Self {
        let since = metadata
            .modified
            .and_then(|modified| modified.duration_since(SystemTime::UNIX_EPOCH).ok());
        let suffix = if is_compressed { "-gzip" } else { "" };
        let nanoseconds = since.unwrap_or_default().as_nanos();
        Self {
            tag: format!("\"{:x}-{nanoseconds:x}{suffix}\"", metadata.len),
            modified: since
                .map(|since| SystemTime::UNIX_EPOCH + Duration::from_secs(since.as_secs())),
        }
    }

    /// What the conditions of a request come to instead of the file, in the order of section 13.2.2.
    pub(crate) fn refusal(&self, headers: &HeaderMap) -> Option<StatusCode> {
        if headers.contains_key(IF_MATCH) {
            if !self.is_among(headers, IF_MATCH, false) {
                return Some(StatusCode::PRECONDITION_FAILED);
            }
        } else if let Some(since) = date(headers, IF_UNMODIFIED_SINCE)
            && self.modified.is_none_or(|modified| modified > since)
        {
            return Some(StatusCode::PRECONDITION_FAILED);
        }
        let is_unchanged = if headers.contains_key(IF_NONE_MATCH) {
            self.is_among(headers, IF_NONE_MATCH, true)
        } else {
            let since = date(headers, IF_MODIFIED_SINCE);
            since.is_some_and(|since| self.modified.is_some_and(|modified| modified <= since))
        };
        is_unchanged.then_some(StatusCode::NOT_MODIFIED)
    }

    /// Whether a range of octets may be sent: whether it is a part of what the client has another part of.
    pub(crate) fn allow_range(&self, headers: &HeaderMap) -> bool {
        let Some(value) = headers.get(IF_RANGE) else {
            return true;
        };
        match date(headers, IF_RANGE) {
            Some(date) => self.modified == Some(date),
            // A weak one is never equal.
            None => value.as_bytes() == self.tag.as_bytes(),
        }
    }

    /// Whether the tag, or any by `*`, is in a list. Of a weak comparison `W/` is no part.
    fn is_among(&self, headers: &HeaderMap, name: HeaderName, is_weak: bool) -> bool {
        let values = headers.get_all(name);
        let mut tags = values
            .iter()
            .filter_map(|value| value.to_str().ok())
            // Our tags have no commas: of one that has, no part is ours.
            .flat_map(|value| value.split(','))
            .map(str::trim);
        tags.any(|tag| {
            let bare = match is_weak {
                true => tag.strip_prefix("W/").unwrap_or(tag),
                false => tag,
            };
            tag == "*" || bare == self.tag
        })
    }
}

fn date(headers: &HeaderMap, name: HeaderName) -> Option<SystemTime> {
    httpdate::parse_http_date(headers.get(name)?.to_str().ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const CHANGED: &str = "Tue, 14 Nov 2023 22:13:20 GMT";
    const BEFORE: &str = "Tue, 14 Nov 2023 22:13:19 GMT";

    fn validators() -> Validators {
        Validators {
            tag: String::from("\"1-2\""),
            modified: Some(SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000)),
        }
    }

    fn headers(all: &[(HeaderName, &str)]) -> HeaderMap {
        let pairs = all.iter().cloned();
        pairs
            .map(|(name, value)| (name, value.parse().expect("a value")))
            .collect()
    }

    #[test]
    fn conditions_are_looked_at_in_order() {
        let (unchanged, failed) = (
            Some(StatusCode::NOT_MODIFIED),
            Some(StatusCode::PRECONDITION_FAILED),
        );
        let cases: [(&[(HeaderName, &str)], _); 13] = [
            (&[], None),
            (&[(IF_NONE_MATCH, "\"1-2\"")], unchanged),
            (&[(IF_NONE_MATCH, "\"x\", W/\"1-2\"")], unchanged),
            (&[(IF_NONE_MATCH, "*")], unchanged),
            (&[(IF_NONE_MATCH, "\"1-3\"")], None),
            (&[(IF_MODIFIED_SINCE, CHANGED)], unchanged),
            (&[(IF_MODIFIED_SINCE, BEFORE)], None),
            (&[(IF_MODIFIED_SINCE, "yesterday")], None),
            (
                &[(IF_NONE_MATCH, "\"1-3\""), (IF_MODIFIED_SINCE, CHANGED)],
                None,
            ),
            (&[(IF_MATCH, "\"1-2\"")], None),
            (&[(IF_MATCH, "W/\"1-2\"")], failed),
            (&[(IF_UNMODIFIED_SINCE, BEFORE)], failed),
            (&[(IF_MATCH, "*"), (IF_NONE_MATCH, "*")], unchanged),
        ];
        for (conditions, expected) in cases {
            let outcome = validators().refusal(&headers(conditions));
            assert_eq!(outcome, expected, "{conditions:?}");
        }
    }

    #[test]
    fn a_range_is_of_the_same_state() {
        for (value, expected) in [
            ("\"1-2\"", true),
            ("W/\"1-2\"", false),
            ("\"1-3\"", false),
            (CHANGED, true),
            (BEFORE, false),
        ] {
            let allowed = validators().allow_range(&headers(&[(IF_RANGE, value)]));
            assert_eq!(allowed, expected, "{value}");
        }
        assert!(validators().allow_range(&HeaderMap::new()));
    }
}
