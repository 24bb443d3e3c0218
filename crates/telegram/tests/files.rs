//! Files of citizens come through the bot however long they take, as long as they come.

use std::time::Duration;

use futures::StreamExt;
use meydan_telegram::Telegram;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::mpsc,
};

async fn hear_request(connection: &mut TcpStream) -> String {
    let mut heard = String::new();
    let mut piece = [0; 1024];
    while !heard.contains("\r\n\r\n") {
        let more = connection.read(&mut piece).await.expect("a request comes");
        assert!(more > 0, "the request is whole");
        heard.push_str(&String::from_utf8_lossy(&piece[..more]));
    }
    heard
}

/// A Bot API with one file, whose bytes go out when the test says so.
async fn telegram(mut bytes: mpsc::UnboundedReceiver<u8>) -> Telegram {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a port is free");
    let address = listener.local_addr().expect("it has an address");
    tokio::spawn(async move {
        let (mut asked, _) = listener.accept().await.expect("the hub asks where the file is");
        hear_request(&mut asked).await;
        let where_it_is = r#"{"ok":true,"result":{"file_path":"voice.oga","file_size":3}}"#;
        let head = "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-type: application/json\r\n";
        let answer = format!("{head}content-length: {}\r\n\r\n{where_it_is}", where_it_is.len());
        asked.write_all(answer.as_bytes()).await.expect("it is told");
        drop(asked);
        let (mut fetched, _) = listener.accept().await.expect("the hub fetches the file");
        assert!(hear_request(&mut fetched).await.contains("/voice.oga "));
        let head = b"HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\n";
        fetched.write_all(head).await.expect("it begins");
        while let Some(byte) = bytes.recv().await {
            fetched.write_all(&[byte]).await.expect("it goes on");
        }
    });
    let base = format!("http://{address}").parse().expect("it is an address");
    Telegram::new(base, None).expect("it can be reached")
}

#[tokio::test]
async fn a_file_that_comes_slowly_comes_whole() {
    let (send, bytes) = mpsc::unbounded_channel();
    let telegram = telegram(bytes).await;
    let token = "123:abcdefghijk".to_owned().into();
    send.send(b'a').expect("somebody listens");
    let file = telegram.file(&token, "voice").await.expect("it is there");
    let mut file = std::pin::pin!(file);
    let mut whole = Vec::from(file.next().await.expect("it goes on").expect("it comes"));
    for byte in *b"bc" {
        // Twice ten seconds: longer than any other request may take.
        tokio::time::pause();
        tokio::time::advance(Duration::from_secs(10)).await;
        tokio::time::resume();
        send.send(byte).expect("somebody listens");
        whole.extend(file.next().await.expect("it goes on").expect("it comes"));
    }
    assert_eq!(whole, b"abc");
}
