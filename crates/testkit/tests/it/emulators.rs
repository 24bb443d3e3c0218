//! The foreign servers start, hand out what citizens write, and tell what the
//! bot sent.

use anyhow::Result;
use axum::{Router, extract::State, http::HeaderMap, routing::post};
use meydan_testkit::telegram::emulators::{LoBotEmulator, TelegramTestApi};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    sync::mpsc,
};

const TOKEN: &str = "7000000001:foreign";

async fn call(url: &str, method: &str, body: Value) -> Result<Value> {
    let address = format!("{url}/bot{TOKEN}/{method}");
    Ok(reqwest::Client::new().post(address).json(&body).send().await?.json().await?)
}

/// A webhook that tells the secret and the text of every update.
async fn hook() -> Result<(String, mpsc::UnboundedReceiver<(String, Value)>)> {
    let (tell, told) = mpsc::unbounded_channel();
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await?;
    let url = format!("http://{}/hook", listener.local_addr()?);
    let receive = async |State(tell): State<mpsc::UnboundedSender<(String, Value)>>,
                         headers: HeaderMap,
                         axum::Json(update): axum::Json<Value>| {
        let secret = headers.get("x-telegram-bot-api-secret-token");
        let secret = secret.and_then(|secret| secret.to_str().ok()).unwrap_or_default();
        tell.send((secret.to_owned(), update)).expect("the test listens");
    };
    let router = Router::new().route("/hook", post(receive)).with_state(tell);
    tokio::spawn(async move { axum::serve(listener, router).await });
    Ok((url, told))
}

#[tokio::test]
async fn lo_bot_delivers_to_a_webhook_with_its_secret() -> Result<()> {
    let emulator = LoBotEmulator::start().await?;
    let (url, mut told) = hook().await?;
    let wish = json!({"url": url, "secret_token": "s3cret", "allowed_updates": ["message"]});
    assert_eq!(call(&emulator.url(), "setWebhook", wish).await?["result"], true);

    let update_id = emulator.say(TOKEN, 5, "سلام").await?;
    let (secret, update) = told.recv().await.expect("an update arrives");
    assert_eq!(secret, "s3cret");
    assert_eq!(update["update_id"], update_id);
    assert_eq!(update["message"]["text"], "سلام");
    assert_eq!(update["message"]["chat"]["id"], 5);
    assert_eq!(emulator.deliver(TOKEN).await?, 0, "it was taken");
    Ok(())
}

#[tokio::test]
async fn lo_bot_hands_out_a_photo_and_tells_what_was_sent_and_refused() -> Result<()> {
    let emulator = LoBotEmulator::start().await?;
    emulator.say_photo(TOKEN, 5, "چاله", b"jpeg").await?;
    let updates = call(&emulator.url(), "getUpdates", json!({})).await?;
    let message = &updates["result"][0]["message"];
    assert_eq!(message["caption"], "چاله");
    let id = &message["photo"][0]["file_id"];
    let file = call(&emulator.url(), "getFile", json!({ "file_id": id })).await?;
    let path = file["result"]["file_path"].as_str().expect("the file has a path");
    let address = format!("{}/file/bot{TOKEN}/{path}", emulator.url());
    assert_eq!(reqwest::get(address).await?.bytes().await?, "jpeg");

    call(&emulator.url(), "sendMessage", json!({"chat_id": 5, "text": "سپاس"})).await?;
    let protected = json!({"chat_id": 5, "text": "x", "protect_content": true});
    call(&emulator.url(), "sendMessage", protected).await?;
    call(&emulator.url(), "GetMe", json!({})).await?;

    let sent = emulator.wait_sent(5, 1).await?;
    assert_eq!((sent.len(), sent[0].text()), (1, "سپاس"));
    let refused: Vec<_> =
        emulator.refused().into_iter().map(|call| (call.method, call.status)).collect();
    assert_eq!(refused, [("sendMessage".to_owned(), 400), ("GetMe".to_owned(), 404)]);
    Ok(())
}

#[tokio::test]
async fn telegram_test_api_is_polled_and_tells_what_was_sent() -> Result<()> {
    let emulator = TelegramTestApi::start().await?;
    emulator.say(TOKEN, 5, "سلام").await?;
    emulator.say_photo(TOKEN, 5, "چاله").await?;
    let updates = call(&emulator.url(), "getUpdates", json!({"timeout": 10})).await?;
    assert_eq!(updates["result"][0]["message"]["text"], "سلام");
    assert_eq!(updates["result"][1]["message"]["caption"], "چاله");
    let again = call(&emulator.url(), "getUpdates", json!({})).await?;
    assert_eq!(again["result"], json!([]), "it forgets what it handed out");

    call(&emulator.url(), "sendMessage", json!({"chat_id": 5, "text": "سپاس"})).await?;
    let sent = emulator.wait_sent(5, 1).await?;
    assert_eq!((sent.len(), sent[0].text()), (1, "سپاس"));
    assert!(emulator.sent(6).is_empty());
    call(&emulator.url(), "setMyCommands", json!({})).await?;
    assert_eq!(emulator.refused()[0].status, 500);
    Ok(())
}

#[tokio::test]
async fn foreign_servers_end_when_they_are_dropped() -> Result<()> {
    let (python, node) = (LoBotEmulator::start().await?, TelegramTestApi::start().await?);
    let mut to_python = connected(&python.server_url()).await?;
    let mut to_node = connected(&node.server_url()).await?;
    drop((python, node));
    for connection in [&mut to_python, &mut to_node] {
        let mut rest = Vec::new();
        let end = connection.read_to_end(&mut rest).await;
        assert!(matches!(end, Ok(0) | Err(_)), "the connection ended with its server");
    }
    Ok(())
}

async fn connected(url: &str) -> Result<TcpStream> {
    let mut connection = TcpStream::connect(url.trim_start_matches("http://")).await?;
    // Half of a call: the server has nothing to answer and waits for the rest.
    connection.write_all(b"POST / HTTP/1.1\r\n").await?;
    Ok(connection)
}
