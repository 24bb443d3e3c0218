//! Calls of methods as they are, without their types: the tables of policies name methods, and a table has no types.

use http::uri::PathAndQuery;
use prost::bytes::{Buf, BufMut, Bytes};
use tonic::{
    Request, Status,
    client::Grpc,
    codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder},
    transport::Channel,
};

/// Messages as bytes.
#[derive(Debug, Clone, Copy, Default)]
struct Raw;

impl Codec for Raw {
    type Encode = Bytes;
    type Decode = Bytes;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        Self
    }

    fn decoder(&mut self) -> Self {
        Self
    }
}

impl Encoder for Raw {
    type Item = Bytes;
    type Error = Status;

    fn encode(&mut self, item: Bytes, buffer: &mut EncodeBuf<'_>) -> Result<(), Status> {
        buffer.put(item);
        Ok(())
    }
}

impl Decoder for Raw {
    type Item = Bytes;
    type Error = Status;

    fn decode(&mut self, buffer: &mut DecodeBuf<'_>) -> Result<Option<Bytes>, Status> {
        Ok(Some(buffer.copy_to_bytes(buffer.remaining())))
    }
}

/// Calls a method, and reads its answer to the end: a stream of many messages, or of one.
pub(crate) async fn call(
    channel: Channel,
    path: &'static str,
    request: Request<Bytes>,
) -> Result<Vec<u8>, Status> {
    let mut client = Grpc::<Channel>::new(channel);
    client.ready().await.map_err(|error| Status::unavailable(error.to_string()))?;
    let path = PathAndQuery::from_static(path);
    let mut messages = client.server_streaming(request, path, Raw).await?.into_inner();
    let mut answer = vec![];
    while let Some(message) = messages.message().await? {
        answer.extend_from_slice(&message);
    }
    Ok(answer)
}
