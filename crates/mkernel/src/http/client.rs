//! Asking servers.

mod connect;
mod error;
mod link;
mod options;
mod outgoing;
mod redirect;

pub use error::ClientError;
pub use link::ResponseBody;
pub use options::{ClientEvent, ClientOptions};
pub use outgoing::Outgoing;

use std::cell::RefCell;
use std::collections::HashMap;
use std::error::Error;
use std::rc::Rc;

use ::http::header::HOST;
use ::http::{HeaderValue, Request, Response, Uri};
use http_body::Body as HttpBody;
use miou_rs::timeout;
use netstack::{Resolver, Stack};

use connect::Origin;
use link::Link;

/// Asks servers by HTTP/1.1, and keeps connections for what is asked next. Its clones are the same client.
///
/// ```no_run
/// use hyper::Request;
/// use mkernel::http::{Client, ClientOptions};
///
/// # async fn example(stack: mkernel::net::Stack, resolver: mkernel::net::Resolver) -> Result<(), Box<dyn std::error::Error>> {
/// let client = Client::new(&stack, resolver, ClientOptions::default());
/// let mut response = client.get("http://example.org/").await?;
/// println!("{}", response.status());
/// while let Some(piece) = response.body_mut().next().await {
///     println!("{} octets", piece?.len());
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct Client(Rc<Inner>);

#[derive(Debug)]
struct Inner {
    stack: Stack,
    resolver: Rc<Resolver>,
    options: ClientOptions,
    kept: RefCell<HashMap<Origin, Vec<Link>>>,
}

impl Client {
    /// A client over `stack` that finds names by `resolver`.
    pub fn new(stack: &Stack, resolver: impl Into<Rc<Resolver>>, options: ClientOptions) -> Self {
        Self(Rc::new(Inner {
            stack: stack.clone(),
            resolver: resolver.into(),
            options,
            kept: RefCell::default(),
        }))
    }

    /// Asks for what is at `url`.
    ///
    /// # Errors
    ///
    /// As [`Client::request`], and if `url` is none.
    pub async fn get(&self, url: &str) -> Result<Response<ResponseBody>, ClientError> {
        let uri: Uri = url.parse().map_err(|_| ClientError::Url(url.to_owned()))?;
        let mut request = Request::new(String::new());
        *request.uri_mut() = uri;
        self.request(request).await
    }

    /// Sends a request, whose URI says scheme and host, and waits for the head of the answer. Redirects are
    /// followed; `Host`, and `User-Agent` if there is none, are added.
    ///
    /// The content is sent again where a redirect asks for that (307 and 308), so it must be [`Clone`].
    ///
    /// # Errors
    ///
    /// What went wrong, step by step: see [`ClientError`]. A status is none, whatever it says.
    pub async fn request<B>(
        &self,
        request: Request<B>,
    ) -> Result<Response<ResponseBody>, ClientError>
    where
        B: HttpBody<Error: Into<Box<dyn Error + Send + Sync>>> + Clone + 'static,
    {
        let (mut parts, content) = request.into_parts();
        let mut content = Some(content);
        // Bounded by the redirects that are followed.
        for followed in 0.. {
            let body = Outgoing::new(content.clone());
            let request = Request::from_parts(parts.clone(), body);
            let response = self.ask(request).await?;
            let Some(target) = redirect::target(&parts.uri, &response)? else {
                return Ok(response);
            };
            if followed >= self.0.options.redirects {
                return match self.0.options.redirects {
                    0 => Ok(response),
                    _ => Err(ClientError::Redirects(target.to_string())),
                };
            }
            self.0
                .options
                .tell(&ClientEvent::Redirected { target: &target });
            if redirect::follow(&mut parts, target, response.status()) {
                content = None;
            }
        }
        Err(ClientError::Redirects(parts.uri.to_string()))
    }

    /// Sends one request and waits for the head of its answer.
    async fn ask(
        &self,
        mut request: Request<Outgoing>,
    ) -> Result<Response<ResponseBody>, ClientError> {
        let origin = Origin::of(request.uri())?;
        prepare(&mut request, &origin)?;
        let time = self.0.options.answer_time;
        // Bounded: each turn takes a connection that was kept, or is the last one.
        loop {
            let kept = self.0.take_kept(&origin).await;
            let again = kept.is_some();
            let mut link = match kept {
                Some(link) => link,
                None => self.0.connect(&origin).await?,
            };
            self.0.options.tell(&ClientEvent::Sent {
                reused: again,
                request: &request,
            });
            let sent = timeout(time, link.sender.try_send_request(request)).await;
            match sent.map_err(|_| ClientError::TimedOut("the head of the answer"))? {
                Ok(response) => {
                    let client = Rc::downgrade(&self.0);
                    let idle = self.0.options.idle_time;
                    let body = |incoming| ResponseBody::new(incoming, link, client, origin, idle);
                    return Ok(response.map(body));
                }
                // It had ended, and nothing of the request was sent.
                Err(mut error) => match error.take_message() {
                    Some(unsent) if again => request = unsent,
                    _ => return Err(ClientError::Http(error.into_error())),
                },
            }
        }
    }
}

/// Makes of a request for a URL one for a server: RFC 9112 section 3.2.
fn prepare(request: &mut Request<Outgoing>, origin: &Origin) -> Result<(), ClientError> {
    let url = request.uri().clone();
    let no_url = || ClientError::Url(url.to_string());
    if !request.headers().contains_key(HOST) {
        let host = HeaderValue::from_str(&origin.authority()).map_err(|_| no_url())?;
        request.headers_mut().insert(HOST, host);
    }
    let agent = ::http::header::USER_AGENT;
    let ours = HeaderValue::from_static(concat!("mkernel/", env!("CARGO_PKG_VERSION")));
    request.headers_mut().entry(agent).or_insert(ours);
    let path = url.path_and_query().map_or("/", |it| it.as_str());
    let path = match path.starts_with('?') {
        true => format!("/{path}"),
        false => path.to_owned(),
    };
    *request.uri_mut() = path.parse().map_err(|_| no_url())?;
    Ok(())
}
