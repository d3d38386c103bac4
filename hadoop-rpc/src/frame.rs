//! The frames of Hadoop's RPC protocol, as Hadoop's class `org.apache.hadoop.ipc.Client` writes and reads
//! them. A frame is a length in bytes as a 32-bit big-endian number, and then protobuf messages, each with
//! its own length before it as a varint.
//!
//! If authentication has agreed on a security layer, these frames form the plain byte stream. It is cut into
//! pieces, and each piece is wrapped and sent in a frame of its own, as a SASL message of state WRAP.

use bytes::{Buf, BufMut, Bytes, BytesMut};
use prost::Message;
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, BufReader};

use crate::error::{ErrorKind, Sent};
use crate::proto::rpc_request_header::Operation;
use crate::proto::rpc_sasl::State;
use crate::proto::{IpcConnectionContext, RpcKind, RpcRequestHeader, RpcResponseHeader, RpcSasl};
use crate::sasl::{Unwrap, Wrap};

pub(crate) const CONTEXT_CALL_ID: i32 = -3;
pub(crate) const SASL_CALL_ID: i32 = -33;
/// The id of answers that concern the connection, not a call.
pub(crate) const NO_CALL_ID: i32 = -1;

/// The first bytes of a connection: `hrpc`, the version of RPC, the service class, and whether SASL follows.
pub(crate) fn preamble(sasl: bool) -> [u8; 7] {
    [b'h', b'r', b'p', b'c', 9, 0, if sasl { 0xdf } else { 0 }]
}

pub(crate) fn request_header(call_id: i32, retry_count: i32, client_id: &[u8]) -> RpcRequestHeader {
    RpcRequestHeader {
        rpc_kind: Some(RpcKind::RpcProtocolBuffer.into()),
        rpc_op: Some(Operation::RpcFinalPacket.into()),
        call_id,
        client_id: client_id.to_vec(),
        retry_count: Some(retry_count),
    }
}

/// Puts a length before the messages that `fill` writes.
fn framed(
    capacity: usize,
    fill: impl FnOnce(&mut BytesMut) -> Result<(), prost::EncodeError>,
) -> Result<Bytes, ErrorKind> {
    let mut buf = BytesMut::with_capacity(capacity + 4);
    buf.put_u32(0);
    fill(&mut buf).map_err(|e| ErrorKind::Malformed(format!("the request cannot be encoded: {e}")))?;
    let size = buf.len() - 4;
    // Java reads the length as a signed number.
    let length = i32::try_from(size)
        .map_err(|_| ErrorKind::TooLarge { size: size as u64, limit: i32::MAX.unsigned_abs().into() })?;
    buf[..4].copy_from_slice(&length.to_be_bytes());
    Ok(buf.freeze())
}

/// A frame of two messages.
pub(crate) fn frame(header: &impl Message, body: &impl Message) -> Result<Bytes, ErrorKind> {
    framed(header.encoded_len() + body.encoded_len() + 20, |buf| {
        header.encode_length_delimited(buf)?;
        body.encode_length_delimited(buf)
    })
}

/// A frame of three messages, which is what a call consists of.
pub(crate) fn call_frame(
    header: &impl Message,
    method: &impl Message,
    request: &impl Message,
) -> Result<Bytes, ErrorKind> {
    framed(header.encoded_len() + method.encoded_len() + request.encoded_len() + 30, |buf| {
        header.encode_length_delimited(buf)?;
        method.encode_length_delimited(buf)?;
        request.encode_length_delimited(buf)
    })
}

pub(crate) fn sasl_frame(message: &RpcSasl) -> Result<Bytes, ErrorKind> {
    frame(&request_header(SASL_CALL_ID, -1, &[]), message)
}

pub(crate) fn context_frame(context: &IpcConnectionContext, client_id: &[u8]) -> Result<Bytes, ErrorKind> {
    frame(&request_header(CONTEXT_CALL_ID, -1, client_id), context)
}

/// Appends to `out` what is sent for a piece of the plain byte stream, with or without a security layer.
pub(crate) fn protect(
    plain: &[u8],
    layer: Option<&mut (dyn Wrap + 'static)>,
    out: &mut BytesMut,
) -> Result<(), ErrorKind> {
    let Some(layer) = layer else {
        out.extend_from_slice(plain);
        return Ok(());
    };
    for piece in plain.chunks(layer.max_plain().max(1)) {
        let token = layer.wrap(piece).map_err(ErrorKind::from)?;
        let message = RpcSasl { state: State::Wrap.into(), token: Some(token.into()), ..Default::default() };
        out.extend_from_slice(&sasl_frame(&message)?);
    }
    Ok(())
}

/// Decodes the first delimited message of `frame` and moves behind it.
pub(crate) fn take_message<M: Message + Default>(frame: &mut Bytes, what: &str) -> Result<M, ErrorKind> {
    M::decode_length_delimited(frame).map_err(|e| ErrorKind::Malformed(format!("{what}: {e}")))
}

/// Reads frames. A frame of more than `limit` bytes is an error.
pub(crate) struct FrameReader<R> {
    io: BufReader<R>,
    limit: usize,
    layer: Option<Box<dyn Unwrap>>,
    plain: BytesMut,
    any: bool,
}

impl<R: AsyncRead + Unpin> FrameReader<R> {
    pub(crate) fn new(io: R, limit: usize) -> Self {
        Self {
            io: BufReader::with_capacity(16 << 10, io),
            limit,
            layer: None,
            plain: BytesMut::new(),
            any: false,
        }
    }

    /// All frames that follow are wrapped by the security layer.
    pub(crate) fn protect(&mut self, layer: Option<Box<dyn Unwrap>>) {
        self.layer = layer;
    }

    /// The next frame, without its length.
    pub(crate) async fn next(&mut self) -> Result<Bytes, ErrorKind> {
        if self.layer.is_none() {
            return self.next_raw().await;
        }
        loop {
            if let Some(frame) = self.buffered()? {
                return Ok(frame);
            }
            let mut raw = self.next_raw().await?;
            let header: RpcResponseHeader = take_message(&mut raw, "header")?;
            let message: RpcSasl = match header.call_id.cast_signed() {
                SASL_CALL_ID => take_message(&mut raw, "SASL message")?,
                _ => {
                    return Err(ErrorKind::Auth(
                        "the server sent a message without the agreed protection".into(),
                    ));
                }
            };
            let (State::Wrap, Some(token)) = (message.state(), message.token) else {
                return Err(ErrorKind::Auth("the server sent a SASL message where data was expected".into()));
            };
            let Some(layer) = &mut self.layer else { continue };
            let plain = layer.unwrap(&token).map_err(ErrorKind::from)?;
            self.plain.extend_from_slice(&plain);
        }
    }

    /// A whole frame of the plain byte stream, if one has arrived. The buffer stays shorter than two frames.
    fn buffered(&mut self) -> Result<Option<Bytes>, ErrorKind> {
        let Some(Ok(length)) = self.plain.get(..4).map(<[u8; 4]>::try_from) else { return Ok(None) };
        let length = self.checked(length)?;
        if self.plain.len() < 4 + length {
            return Ok(None);
        }
        self.plain.advance(4);
        Ok(Some(self.plain.split_to(length).freeze()))
    }

    fn checked(&self, length: [u8; 4]) -> Result<usize, ErrorKind> {
        let length = u32::from_be_bytes(length);
        match usize::try_from(length) {
            Ok(n) if n <= self.limit => Ok(n),
            _ => Err(ErrorKind::TooLarge { size: length.into(), limit: self.limit as u64 }),
        }
    }

    async fn next_raw(&mut self) -> Result<Bytes, ErrorKind> {
        let mut length = [0u8; 4];
        let mut have = 0;
        while have < 4 {
            match self.io.read(&mut length[have..]).await {
                Ok(0) => return Err(self.ended(have > 0)),
                Ok(n) => have += n,
                Err(e) => return Err(disconnected(format!("cannot receive: {e}"))),
            }
        }
        let length = match self.checked(length) {
            Ok(n) => n,
            Err(too_large) => return Err(self.foreign(length).await.unwrap_or(too_large)),
        };
        // The buffer grows with what arrives, not with what the length announces.
        let mut body = Vec::with_capacity(length.min(64 << 10));
        match (&mut self.io).take(length as u64).read_to_end(&mut body).await {
            Ok(n) if n == length => {}
            Ok(_) => return Err(self.ended(true)),
            Err(e) => return Err(disconnected(format!("cannot receive: {e}"))),
        }
        self.any = true;
        Ok(body.into())
    }

    fn ended(&self, inside: bool) -> ErrorKind {
        disconnected(match (self.any, inside) {
            (false, false) => {
                "the server closed the connection without an answer (does it speak Hadoop RPC version 9?)"
                    .into()
            }
            (_, true) => "the server closed the connection inside a message".into(),
            (true, false) => "the server closed the connection".into(),
        })
    }

    /// Recognizes which kind of server answers if it is not one of Hadoop RPC. `start` is the beginning of
    /// its answer.
    async fn foreign(&mut self, start: [u8; 4]) -> Option<ErrorKind> {
        if self.any {
            return None;
        }
        match start {
            [b'H', b'T', b'T', b'P'] => {
                let more = self.io.fill_buf().await.unwrap_or_default();
                let line = more.split(|b| matches!(b, b'\r' | b'\n')).next().unwrap_or_default();
                let line = String::from_utf8_lossy(&line[..line.len().min(80)]);
                Some(ErrorKind::NotHadoopRpc(format!("it answers as a web server (HTTP{line})")))
            }
            // A TLS record: alert or handshake, version 3.x.
            [0x15 | 0x16, 0x03, ..] => Some(ErrorKind::NotHadoopRpc("it answers with TLS".into())),
            // An answer with a smaller first byte may be a frame of Hadoop RPC that is too long.
            [first, ..] if first >= b' ' => Some(ErrorKind::NotHadoopRpc(format!(
                "its answer begins with the bytes {}",
                hex::encode(start)
            ))),
            _ => None,
        }
    }
}

/// The error of a connection that has ended. Whether a request was sent is filled in later for each call.
pub(crate) fn disconnected(cause: String) -> ErrorKind {
    ErrorKind::Disconnected { cause, sent: Sent::Maybe }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use tokio::io::AsyncWriteExt;

    fn block_on<F: Future>(f: F) -> F::Output {
        tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(f)
    }

    async fn read_all(bytes: &[u8], limit: usize) -> (Vec<Bytes>, ErrorKind) {
        let mut reader = FrameReader::new(bytes, limit);
        let mut frames = Vec::new();
        loop {
            match reader.next().await {
                Ok(f) => frames.push(f),
                Err(e) => return (frames, e),
            }
        }
    }

    #[test]
    fn known_bytes_of_a_request() {
        // Recorded from Java: header { PROTOCOL_BUFFER, FINAL_PACKET, callId 0, clientId 4 bytes, retryCount
        // 0 }.
        let header = request_header(0, 0, b"abcd");
        assert_eq!(hex::encode(header.encode_to_vec()), "0802100018002204616263642800");
        let sasl = request_header(SASL_CALL_ID, -1, &[]);
        assert_eq!(hex::encode(sasl.encode_to_vec()), "08021000184122002801");
        assert_eq!(hex::encode(preamble(false)), "68727063090000");
        assert_eq!(hex::encode(preamble(true)), "687270630900df");
    }

    #[test]
    fn foreign_servers_are_named() {
        block_on(async {
            let (_, e) = read_all(b"HTTP/1.1 400 Illegal character\r\nServer: x\r\n\r\n", 1 << 20).await;
            assert_eq!(
                e.to_string(),
                "this is not a Hadoop RPC port: it answers as a web server (HTTP/1.1 400 Illegal character)"
            );
            let (_, e) = read_all(&[0x15, 3, 3, 0, 2, 2, 70], 1 << 20).await;
            assert!(matches!(e, ErrorKind::NotHadoopRpc(t) if t.contains("TLS")));
            let (_, e) = read_all(b"SSH-2.0-OpenSSH", 1 << 20).await;
            assert!(matches!(e, ErrorKind::NotHadoopRpc(_)));
            let (_, e) = read_all(b"", 1 << 20).await;
            assert!(e.to_string().contains("version 9"), "{e}");
        });
    }

    proptest! {
        #[test]
        fn frames_survive_any_cut(bodies in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..300), 0..8),
                                  cut in 1usize..64) {
            let mut bytes = Vec::new();
            for body in &bodies {
                bytes.extend_from_slice(&(body.len() as u32).to_be_bytes());
                bytes.extend_from_slice(body);
            }
            let frames = block_on(async {
                let (mut tx, rx) = tokio::io::duplex(cut);
                let write = async move { tx.write_all(&bytes).await.unwrap() };
                let read = async move {
                    let mut reader = FrameReader::new(rx, 1 << 10);
                    let mut frames = Vec::new();
                    while let Ok(f) = reader.next().await { frames.push(f) }
                    frames
                };
                tokio::join!(write, read).1
            });
            prop_assert_eq!(frames, bodies);
        }

        #[test]
        fn any_bytes_end_in_an_error(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let (frames, _) = block_on(read_all(&bytes, 100));
            prop_assert!(frames.iter().all(|f| f.len() <= 100));
        }

        #[test]
        fn hostile_frames_decode_without_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let mut b = Bytes::from(bytes);
            let _ = take_message::<RpcResponseHeader>(&mut b, "header");
            let _ = take_message::<RpcSasl>(&mut b, "sasl");
        }
    }
}
