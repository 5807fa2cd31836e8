//! Answers that lead elsewhere: RFC 9110 section 15.4.

use ::http::Request;

use super::client::text;
use super::world::{World, run};
use crate::http::{ClientError, ClientOptions};

const URL: &str = "http://10.0.0.2/";
const LAST: &str = "HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nlast";

fn to(path: &str) -> String {
    format!("HTTP/1.1 302 Found\r\nlocation: {path}\r\ncontent-length: 0\r\n\r\n")
}

#[test]
fn redirects_are_followed_to_a_bound() {
    run(async |world: World| {
        let asked = world.answer(&[&to("b?c"), &to("http://10.0.0.2/d"), LAST]);
        let client = world.client(ClientOptions::default().redirects(2));
        let response = client.get("http://10.0.0.2/a").await.expect("an answer");
        assert_eq!(text(response.into_body()).await, "last");
        let lines: Vec<_> = asked.await.expect("no panic");
        let lines: Vec<_> = lines
            .iter()
            .map(|it| it.lines().next().expect("a line"))
            .collect();
        assert_eq!(
            lines,
            ["GET /a HTTP/1.1", "GET /b?c HTTP/1.1", "GET /d HTTP/1.1"]
        );

        let asked = world.answer(&[&to("/1"), &to("/2"), &to("/3")]);
        let client = world.client(ClientOptions::default().redirects(2));
        let error = client.get(URL).await.expect_err("too many");
        assert!(
            matches!(&error, ClientError::Redirects(to) if to == "http://10.0.0.2/3"),
            "{error:?}"
        );
        drop(asked);

        let asked = world.answer(&[&to("/1")]);
        let client = world.client(ClientOptions::default().redirects(0));
        assert_eq!(client.get(URL).await.expect("an answer").status(), 302);
        drop(asked);
    });
}

#[test]
fn redirects_in_a_circle_are_told_from_many() {
    run(async |world: World| {
        let client = world.client(ClientOptions::default());
        for (answers, again) in [
            (&[to("/")][..], URL),
            (&[to("/a"), to("/b"), to("/a")], "http://10.0.0.2/a"),
        ] {
            let answers: Vec<_> = answers.iter().map(String::as_str).collect();
            let asked = world.answer(&answers);
            let error = client.get(URL).await.expect_err("a circle");
            assert!(
                matches!(&error, ClientError::RedirectLoop(to) if to == again),
                "{error:?}"
            );
            drop(asked);
        }
        // The same URL by another method is another request.
        let see = to("/").replace("302 Found", "303 See Other");
        let asked = world.answer(&[&see, LAST]);
        let client = world.client(ClientOptions::default());
        let post = Request::post(URL).body("content".to_owned());
        let response = client.request(post.expect("a request")).await;
        assert_eq!(text(response.expect("an answer").into_body()).await, "last");
        drop(asked);
    });
}

#[test]
fn what_is_for_one_server_is_not_told_another() {
    run(async |world: World| {
        let request = || {
            let request = Request::post(URL).header("authorization", "Basic c2VjcmV0");
            let request = request.header("cookie", "secret").header("x", "y");
            request.body("content".to_owned()).expect("a request")
        };
        let client = world.client(ClientOptions::default());
        let temporary = |to: &str| {
            format!(
                "HTTP/1.1 307 Temporary Redirect\r\nlocation: {to}\r\ncontent-length: 0\r\n\r\n"
            )
        };
        let asked = world.answer(&[&temporary("/there"), LAST]);
        client.request(request()).await.expect("an answer");
        let asked = asked.await.expect("no panic");
        assert!(
            asked[1].starts_with("POST /there HTTP/1.1\r\n"),
            "{asked:?}"
        );
        assert!(
            asked[1].contains("authorization: Basic c2VjcmV0\r\n"),
            "{asked:?}"
        );
        assert!(asked[1].contains("cookie: secret\r\n"), "{asked:?}");

        let other = world.answer_at(81, &[LAST]);
        let asked = world.answer(&[&temporary("http://10.0.0.2:81/there")]);
        client.request(request()).await.expect("an answer");
        let asked = [
            asked.await.expect("no panic"),
            other.await.expect("no panic"),
        ]
        .concat();
        assert!(asked[0].contains("authorization: "), "{asked:?}");
        let told = &asked[1];
        assert!(told.starts_with("POST /there HTTP/1.1\r\n"), "{told}");
        assert!(
            told.contains("x: y\r\n") && told.contains("host: 10.0.0.2:81\r\n"),
            "{told}"
        );
        assert!(
            !told.contains("authorization") && !told.contains("cookie"),
            "{told}"
        );
    });
}

#[test]
fn a_redirect_to_what_is_no_url_is_an_error() {
    run(async |world: World| {
        let client = world.client(ClientOptions::default());
        for location in [
            "ftp://10.0.0.2/",
            "http://",
            "//",
            "mailto:a",
            "http://10.0.0.2:65616/",
        ] {
            let asked = world.answer(&[&to(location)]);
            let error = client.get(URL).await.expect_err(location);
            assert!(
                matches!(&error, ClientError::Location(_) | ClientError::Url(_)),
                "{location}: {error:?}"
            );
            drop(asked);
        }
    });
}
