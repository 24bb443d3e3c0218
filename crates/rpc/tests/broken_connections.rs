//! A call whose connection breaks is worth another try; a service that says it is broken is not. The server
//! here speaks HTTP/2 by hand, because no real one would behave so.

use meydan_rpc::{
    caller::{Assertions, Caller},
    client::Dial,
    outcome::Failure,
    pb::crm::{ReceiveMessageRequest, intake_client::IntakeClient},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};
use uuid::Uuid;

const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;

/// A frame of HTTP/2 (RFC 9113, section 4.1).
fn frame(kind: u8, flags: u8, stream: u8, payload: &[u8]) -> Vec<u8> {
    let length = u8::try_from(payload.len()).expect("frames are short here");
    [&[0, 0, length, kind, flags, 0, 0, 0, stream], payload].concat()
}

/// Reads up to the headers of the first request.
async fn hear_request(connection: &mut TcpStream) {
    let mut preface = [0; 24];
    connection.read_exact(&mut preface).await.expect("a client greets");
    loop {
        let mut head = [0; 9];
        connection.read_exact(&mut head).await.expect("a frame comes");
        let length = usize::from(head[1]) << 8 | usize::from(head[2]);
        let mut payload = vec![0; length];
        connection.read_exact(&mut payload).await.expect("a frame is whole");
        if head[3] == HEADERS {
            return;
        }
    }
}

/// How a call ends that is answered with these bytes, after which the connection stays open or not.
async fn call(answer: Vec<u8>, stays: bool) -> Failure {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a port is free");
    let address = listener.local_addr().expect("it has an address");
    let server = tokio::spawn(async move {
        let (mut connection, _) = listener.accept().await.expect("a client comes");
        connection.write_all(&frame(SETTINGS, 0, 0, &[])).await.expect("it can be written");
        hear_request(&mut connection).await;
        connection.write_all(&answer).await.expect("it can be written");
        if stays {
            let mut rest = Vec::new();
            let _ = connection.read_to_end(&mut rest).await;
        }
    });
    let dial = Dial::new("crm", address, Assertions::generate());
    let caller = Caller::service("bot-hub", Some(Uuid::from_u128(1)));
    let request = dial.command(&caller, Uuid::from_u128(2), ReceiveMessageRequest::default());
    let answered = IntakeClient::new(dial.channel()).receive_message(request).await;
    drop(dial);
    let failure = Failure::from(answered.expect_err("nobody answers well"));
    server.abort();
    failure
}

#[tokio::test]
async fn a_connection_that_ends_in_the_middle_of_a_call_is_worth_another_try() {
    assert_eq!(call(vec![], false).await, Failure::Unavailable);
}

#[tokio::test]
async fn a_call_that_is_reset_is_worth_another_try() {
    // INTERNAL_ERROR, as a server that ends in the middle sends it.
    let reset = frame(RST_STREAM, 0, 1, &[0, 0, 0, 2]);
    assert_eq!(call(reset, true).await, Failure::Unavailable);
}

#[tokio::test]
async fn a_service_that_says_itself_that_it_is_broken_is_believed() {
    // `:status 200`, then three fields by name, all without a table (RFC 7541, section 6.2.2).
    let mut fields = vec![0x88];
    let said = [("content-type", "application/grpc"), ("grpc-status", "13"), ("grpc-message", "x")];
    for (name, value) in said {
        for text in [name, value] {
            if text == name {
                fields.push(0);
            }
            fields.push(u8::try_from(text.len()).expect("it is short"));
            fields.extend(text.as_bytes());
        }
    }
    // The end of the headers, and of the answer.
    let answer = frame(HEADERS, 0x4 | 0x1, 1, &fields);
    assert_eq!(call(answer, true).await, Failure::Broken);
}
