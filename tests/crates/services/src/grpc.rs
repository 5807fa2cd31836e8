//! gRPC: each of its four kinds of calls.

use std::net::SocketAddr;
use std::pin::Pin;

use numbers_client::NumbersClient;
use numbers_server::{Numbers, NumbersServer};
use tokio::net::TcpListener;
use tokio_stream::{Stream, StreamExt as _};
use tonic::transport::Server;
use tonic::transport::server::TcpIncoming;
use tonic::{Code, Request, Response, Status, Streaming};

use crate::{block_on, listen};

// What `build.rs` makes.
#[allow(
    missing_docs,
    private_interfaces,
    unreachable_pub,
    reason = "they are tonic's"
)]
mod generated {
    tonic::include_proto!("numbers.Numbers");
}
use generated::{numbers_client, numbers_server};

/// The message of all calls.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Number {
    /// It.
    #[prost(uint64, tag = "1")]
    pub value: u64,
}

struct Service;

type Answers = Pin<Box<dyn Stream<Item = Result<Number, Status>> + Send>>;

#[tonic::async_trait]
impl Numbers for Service {
    async fn square(&self, request: Request<Number>) -> Result<Response<Number>, Status> {
        let value = request.into_inner().value;
        match value.checked_mul(value) {
            Some(value) => Ok(Response::new(Number { value })),
            None => Err(Status::out_of_range(format!("the square of {value}"))),
        }
    }

    type UpToStream = Answers;

    async fn up_to(&self, request: Request<Number>) -> Result<Response<Answers>, Status> {
        let numbers = 1..=request.into_inner().value;
        let answers = tokio_stream::iter(numbers.map(|value| Ok(Number { value })));
        Ok(Response::new(Box::pin(answers)))
    }

    async fn total(&self, request: Request<Streaming<Number>>) -> Result<Response<Number>, Status> {
        let mut numbers = request.into_inner();
        let mut value = 0;
        while let Some(number) = numbers.next().await {
            value += number?.value;
        }
        Ok(Response::new(Number { value }))
    }

    type SumsStream = Answers;

    /// The sum so far, for each number.
    async fn sums(&self, request: Request<Streaming<Number>>) -> Result<Response<Answers>, Status> {
        let mut sum = 0;
        let answers = request.into_inner().map(move |number| {
            sum += number?.value;
            Ok(Number { value: sum })
        });
        Ok(Response::new(Box::pin(answers)))
    }
}

pub(crate) async fn serve(listener: TcpListener) {
    Server::builder()
        .add_service(NumbersServer::new(Service))
        .serve_with_incoming(TcpIncoming::from(listener))
        .await
        .unwrap();
}

pub(crate) async fn ask(address: SocketAddr) {
    let mut client = NumbersClient::connect(format!("http://{address}"))
        .await
        .unwrap();
    let square = client.square(Number { value: 12 }).await.unwrap();
    assert_eq!(square.into_inner().value, 144);
    let too_large = client.square(Number { value: u64::MAX }).await.unwrap_err();
    assert_eq!(too_large.code(), Code::OutOfRange);

    let numbers = client.up_to(Number { value: 1_000 }).await.unwrap();
    let numbers = numbers.into_inner().map(|number| number.unwrap().value);
    assert!(numbers.collect::<Vec<_>>().await.into_iter().eq(1..=1_000));

    let numbers = |count| tokio_stream::iter((1..=count).map(|value| Number { value }));
    let total = client.total(numbers(1_000)).await.unwrap();
    assert_eq!(total.into_inner().value, 500_500);

    // One after the other: each question waits for the answer before it.
    let (questions, asked) = tokio::sync::mpsc::channel(1);
    let asked = tokio_stream::wrappers::ReceiverStream::new(asked);
    let mut sums = client.sums(asked).await.unwrap().into_inner();
    for (value, sum) in [(1, 1), (10, 11), (100, 111)] {
        questions.send(Number { value }).await.unwrap();
        assert_eq!(sums.next().await.unwrap().unwrap().value, sum);
    }
    drop(questions);
    assert!(sums.next().await.is_none());
}

/// A server and a client.
pub(crate) fn tonic() {
    block_on(async {
        let (listener, address) = listen().await;
        tokio::spawn(serve(listener));
        ask(address).await;
    });
}
