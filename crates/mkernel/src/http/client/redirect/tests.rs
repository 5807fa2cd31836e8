use ::http::{Method, Request, Response, StatusCode, Uri};

use super::{follow, resolve, target};

#[test]
fn rfc3986_section_5_4_references_are_resolved() {
    let base: Uri = "http://a/b/c/d;p?q".parse().expect("a URL");
    for (reference, expected) in [
        ("g", "http://a/b/c/g"),
        ("./g", "http://a/b/c/g"),
        ("g/", "http://a/b/c/g/"),
        ("/g", "http://a/g"),
        ("//g", "http://g/"),
        ("?y", "http://a/b/c/d;p?y"),
        ("g?y", "http://a/b/c/g?y"),
        ("#s", "http://a/b/c/d;p?q"),
        ("g#s", "http://a/b/c/g"),
        ("", "http://a/b/c/d;p?q"),
        (".", "http://a/b/c/"),
        ("..", "http://a/b/"),
        ("../g", "http://a/b/g"),
        ("../../../g", "http://a/g"),
        ("g/../h", "http://a/b/c/h"),
        ("g?y/../x", "http://a/b/c/g?y/../x"),
        ("https://h:8443/i", "https://h:8443/i"),
        ("HTTP://h/i", "http://h/i"),
    ] {
        let resolved = resolve(&base, reference).map(|it| it.to_string());
        assert_eq!(resolved.as_deref(), Some(expected), "{reference:?}");
    }
    for reference in ["ftp://h/", "mailto:a@b", "http://", "/a b"] {
        assert_eq!(resolve(&base, reference), None, "{reference:?}");
    }
}

#[test]
fn only_a_redirect_with_a_location_leads_elsewhere() {
    let base: Uri = "http://a/b".parse().expect("a URL");
    let answer = |status: u16, location: Option<&str>| {
        let mut builder = Response::builder().status(status);
        if let Some(location) = location {
            builder = builder.header("location", location);
        }
        target(&base, &builder.body(()).expect("a response"))
    };
    let found = answer(302, Some("/c")).expect("a URL");
    assert_eq!(found.expect("a redirect").to_string(), "http://a/c");
    for (status, location) in [
        (200, Some("/c")),
        (302, None),
        (304, Some("/c")),
        (300, Some("/c")),
    ] {
        assert_eq!(
            answer(status, location).expect("no error"),
            None,
            "{status}"
        );
    }
    assert!(answer(301, Some("gopher://h/")).is_err());
}

#[test]
fn a_request_that_follows_takes_no_secrets_to_others() {
    let follow = |method: Method, to: &'static str, status: u16| {
        let request = Request::builder()
            .method(method)
            .uri("http://a/b")
            .header("host", "a")
            .header("cookie", "c")
            .header("authorization", "d")
            .header("content-type", "text/plain")
            .header("content-language", "la")
            .header("content-location", "/e")
            .header("last-modified", "Sun, 29 Nov 2026 00:00:00 GMT")
            .header("expect", "100-continue")
            .header("trailer", "x");
        let (mut parts, ()) = request.body(()).expect("a request").into_parts();
        let status = StatusCode::from_u16(status).expect("a status");
        let without_content = follow(&mut parts, Uri::from_static(to), status);
        let mut names: Vec<_> = parts.headers.keys().map(|it| it.as_str()).collect();
        names.sort_unstable();
        (parts.method, names.join(" "), without_content)
    };
    let of_content = "content-language content-location content-type";
    let all = format!("authorization {of_content} cookie expect last-modified trailer");
    assert_eq!(
        follow(Method::GET, "http://a/c", 302),
        (Method::GET, all.clone(), false)
    );
    assert_eq!(
        follow(Method::POST, "http://a/c", 307),
        (Method::POST, all, false)
    );
    let kept = "authorization cookie".to_owned();
    assert_eq!(
        follow(Method::POST, "http://a/c", 302),
        (Method::GET, kept.clone(), true)
    );
    assert_eq!(
        follow(Method::PUT, "http://a/c", 303),
        (Method::GET, kept, true)
    );
    for elsewhere in ["http://b/c", "http://a:81/c", "https://a/c"] {
        let (_, names, _) = follow(Method::PUT, elsewhere, 308);
        let expected = format!("{of_content} expect last-modified trailer");
        assert_eq!(names, expected, "{elsewhere}");
    }
}
