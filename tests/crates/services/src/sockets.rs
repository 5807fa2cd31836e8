//! WebSockets.

use std::net::SocketAddr;

use futures_util::{SinkExt as _, StreamExt as _};
use tokio::net::TcpListener;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{accept_async, connect_async};

use crate::{block_on, listen};

/// Sends back what comes.
pub(crate) async fn serve(listener: TcpListener) {
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        tokio::spawn(async move {
            let (mut answers, questions) = accept_async(stream).await.unwrap().split();
            let mut messages = questions.filter(|message| {
                std::future::ready(
                    message
                        .as_ref()
                        .is_ok_and(|it| it.is_text() || it.is_binary()),
                )
            });
            answers.send_all(&mut messages).await.unwrap();
        });
    }
}

pub(crate) async fn ask(address: SocketAddr) {
    let (mut socket, response) = connect_async(format!("ws://{address}/")).await.unwrap();
    assert_eq!(response.status(), 101);
    for message in [Message::text("ünïcode"), vec![7_u8; 100_000].into()] {
        socket.send(message.clone()).await.unwrap();
        assert_eq!(socket.next().await.unwrap().unwrap(), message);
    }
    socket.close(None).await.unwrap();
    while let Some(Ok(message)) = socket.next().await {
        assert!(message.is_close());
    }
}

pub(crate) fn tokio_tungstenite() {
    block_on(async {
        let (listener, address) = listen().await;
        tokio::spawn(serve(listener));
        ask(address).await;
    });
}
