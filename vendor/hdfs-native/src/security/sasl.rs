// Changed by heddle: see HEDDLE.md.
use bytes::{Buf, Bytes, BytesMut};
use cipher::{KeyIvInit, StreamCipher};
use log::debug;
use prost::Message;
use std::io::{self, ErrorKind, IoSlice};
use std::time::Duration;
use tokio::io::BufReader;
use tokio::runtime::Handle;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, BufStream},
    net::TcpStream,
    net::tcp::{OwnedReadHalf, OwnedWriteHalf},
};

use super::user::BlockTokenIdentifier;
use crate::common::config::Configuration;
use crate::common::idle_timeout::IdleTimeoutReader;
use crate::proto::hdfs::{CipherOptionProto, CipherSuiteProto, DataEncryptionKeyProto};
use crate::proto::{
    common::{
        RpcKindProto, RpcRequestHeaderProto, RpcResponseHeaderProto, RpcSaslProto, TokenProto,
        rpc_response_header_proto::RpcStatusProto,
        rpc_sasl_proto::{SaslAuth, SaslState},
    },
    hdfs::{
        DataTransferEncryptorMessageProto, DatanodeIdProto, HandshakeSecretProto,
        data_transfer_encryptor_message_proto::DataTransferEncryptorStatus,
    },
};
use crate::security::digest::{Decoder, DigestSaslSession, Encoder, SecurityLayer};
use crate::{HdfsError, Result};

use super::ClientAuth;
use super::user::{UserInfo, get_simple_user};

type Aes128Ctr = ctr::Ctr128BE<aes::Aes128>;
type Aes192Ctr = ctr::Ctr128BE<aes::Aes192>;
type Aes256Ctr = ctr::Ctr128BE<aes::Aes256>;

const SASL_CALL_ID: i32 = -33;
const SASL_TRANSFER_MAGIC_NUMBER: i32 = 0xDEADBEEFu32 as i32;
const TOKEN_METHOD: &str = "TOKEN";
const DIGEST_MECHANISM: &str = "DIGEST-MD5";
const RPC_PROTECTION: &str = "hadoop.rpc.protection";
const DATA_TRANSFER_PROTECTION: &str = "dfs.data.transfer.protection";

/// The longest RPC message that is taken from a NameNode, the default of Hadoop's setting
/// `ipc.maximum.response.length`.
pub(crate) const MAX_RPC_LENGTH: u32 = 128 << 20;
/// The longest message that is taken from a DataNode. Hadoop has at most 16 MiB in a packet.
pub(crate) const MAX_DATANODE_LENGTH: usize = 32 << 20;

fn sasl_error(why: impl Into<String>) -> HdfsError {
    HdfsError::SASLError(why.into())
}

fn too_long(length: impl std::fmt::Display) -> HdfsError {
    HdfsError::IOError(io::Error::new(
        ErrorKind::InvalidData,
        format!("A message of {length} bytes is too long"),
    ))
}

/// Authenticate a connection to the NameNode or name service `authority`. With `auth`, this is done
/// with a delegation token, and never otherwise; without it, authentication is simple.
pub(crate) async fn negotiate_sasl_session(
    stream: TcpStream,
    authority: &str,
    effective_user: Option<String>,
    auth: Option<&ClientAuth>,
) -> Result<(UserInfo, SaslReader, SaslWriter)> {
    let (reader, writer) = stream.into_split();
    let mut reader = SaslReader::new(reader);
    let mut writer = SaslWriter::new(writer);

    let Some(auth) = auth else {
        return Ok((get_simple_user(effective_user), reader, writer));
    };

    let rpc_sasl = RpcSaslProto {
        state: SaslState::Negotiate as i32,
        ..Default::default()
    };

    writer.send_sasl_message(&rpc_sasl).await?;

    let mut negotiation = Negotiation {
        authority,
        auth,
        session: None,
    };
    while let Some(response) = negotiation.step(reader.read_response().await?)? {
        writer.send_sasl_message(&response).await?;
    }

    if let Some(layer) = negotiation.finish()? {
        reader.decoder = Some(layer.decoder);
        writer.encoder = Some(layer.encoder);
    }
    // The token says who the user is, so nothing is sent about the user
    let user_info = UserInfo {
        real_user: None,
        effective_user: None,
    };
    Ok((user_info, reader, writer))
}

/// The client's side of the SASL negotiation, without I/O
struct Negotiation<'a> {
    authority: &'a str,
    auth: &'a ClientAuth,
    session: Option<DigestSaslSession>,
}

impl Negotiation<'_> {
    /// Handle a message of the server. Returns the answer, or `None` if the server reports success.
    fn step(&mut self, message: RpcSaslProto) -> Result<Option<RpcSaslProto>> {
        // Unlike `message.state()`, this doesn't take an unknown state for a success
        let state = SaslState::try_from(message.state)
            .map_err(|_| sasl_error(format!("Unknown SASL state {}", message.state)))?;
        debug!("Handling SASL message {}", state.as_str_name());
        match (state, self.session.as_mut()) {
            (SaslState::Negotiate, None) => self.initiate(&message.auths).map(Some),
            (SaslState::Challenge, Some(session)) => {
                let (token, _) = session.step(message.token.as_deref())?;
                Ok(Some(RpcSaslProto {
                    state: SaslState::Response as i32,
                    token: Some(token),
                    ..Default::default()
                }))
            }
            (SaslState::Success, Some(session)) => {
                if let Some(token) = message.token.as_deref() {
                    session.step(Some(token))?;
                }
                Ok(None)
            }
            // A server that requires no authentication answers to NEGOTIATE with a success
            (SaslState::Success, None) => Err(sasl_error(
                "the server asks for no authentication, but this client uses only delegation tokens",
            )),
            (state, _) => Err(sasl_error(format!(
                "Unexpected SASL message {}",
                state.as_str_name()
            ))),
        }
    }

    /// Answer to the offers of the server with those of delegation tokens
    fn initiate(&mut self, auths: &[SaslAuth]) -> Result<RpcSaslProto> {
        let selected = auths
            .iter()
            .find(|auth| auth.method == TOKEN_METHOD && auth.mechanism == DIGEST_MECHANISM)
            .ok_or_else(|| {
                let offered: Vec<String> = auths
                    .iter()
                    .map(|auth| {
                        format!("{} {}", auth.method, auth.mechanism)
                            .trim()
                            .to_string()
                    })
                    .collect();
                sasl_error(format!(
                    "the server accepts {}, but this client uses only delegation tokens \
                     ({TOKEN_METHOD} {DIGEST_MECHANISM})",
                    offered.join(", ")
                ))
            })?;
        let token = self.auth.tokens.token(self.authority).ok_or_else(|| {
            sasl_error(format!(
                "there is no delegation token for {}",
                self.authority
            ))
        })?;

        let mut session = DigestSaslSession::from_token(
            format!("{}/{}", selected.protocol(), selected.server_id()),
            &token.identifier,
            &token.password,
            &self.auth.protection,
            RPC_PROTECTION,
        );
        let (response, _) = session.step(selected.challenge.as_deref())?;
        self.session = Some(session);

        Ok(RpcSaslProto {
            state: SaslState::Initiate as i32,
            token: Some(response),
            // Response shouldn't contain the challenge
            auths: vec![SaslAuth {
                challenge: None,
                ..selected.clone()
            }],
            ..Default::default()
        })
    }

    fn finish(self) -> Result<Option<SecurityLayer>> {
        self.session
            .ok_or_else(|| sasl_error("SASL negotiation finished too soon"))?
            .finish()
    }
}

pub(crate) struct SaslReader {
    stream: OwnedReadHalf,
    decoder: Option<Decoder>,
    buffer: Bytes,
}

impl SaslReader {
    fn new(stream: OwnedReadHalf) -> Self {
        SaslReader {
            stream,
            decoder: None,
            buffer: Bytes::new(),
        }
    }

    async fn read_response(&mut self) -> Result<RpcSaslProto> {
        let mut buf = [0u8; 4];
        self.stream.read_exact(&mut buf).await?;

        let msg_length = u32::from_be_bytes(buf);
        if msg_length > MAX_RPC_LENGTH {
            return Err(too_long(msg_length));
        }

        let mut buf = BytesMut::zeroed(msg_length as usize);
        self.stream.read_exact(&mut buf).await?;

        let mut bytes = buf.freeze();
        let rpc_response = RpcResponseHeaderProto::decode_length_delimited(&mut bytes)?;
        debug!("RPC response: {:?}", rpc_response);

        match RpcStatusProto::try_from(rpc_response.status) {
            Ok(RpcStatusProto::Success) => (),
            Ok(RpcStatusProto::Error) => {
                return Err(HdfsError::RPCError(
                    rpc_response.exception_class_name().to_string(),
                    rpc_response.error_msg().to_string(),
                ));
            }
            Ok(RpcStatusProto::Fatal) => {
                return Err(HdfsError::FatalRPCError(
                    rpc_response.exception_class_name().to_string(),
                    rpc_response.error_msg().to_string(),
                ));
            }
            Err(_) => {
                return Err(sasl_error(format!(
                    "Unknown RPC status {}",
                    rpc_response.status
                )));
            }
        }

        let sasl_response = RpcSaslProto::decode_length_delimited(&mut bytes)?;
        Ok(sasl_response)
    }

    pub(crate) async fn read_exact(&mut self, buf: &mut [u8]) -> Result<usize> {
        if self.decoder.is_none() {
            return Ok(self.stream.read_exact(buf).await?);
        }
        let read_len = buf.len();
        let mut bytes_remaining = read_len;
        while bytes_remaining > 0 {
            if !self.buffer.has_remaining() {
                let response = self.read_response().await?;
                if SaslState::try_from(response.state) != Ok(SaslState::Wrap) {
                    return Err(sasl_error("the server sent a message without protection"));
                }
                if let Some(decoder) = self.decoder.as_mut() {
                    self.buffer = decoder.decode(response.token())?.into();
                }
            }
            let copy_len = usize::min(bytes_remaining, self.buffer.remaining());
            let copy_start = read_len - bytes_remaining;
            self.buffer
                .copy_to_slice(&mut buf[copy_start..(copy_start + copy_len)]);
            bytes_remaining -= copy_len;
        }

        Ok(read_len)
    }
}

pub(crate) struct SaslWriter {
    stream: OwnedWriteHalf,
    encoder: Option<Encoder>,
}

impl SaslWriter {
    fn new(stream: OwnedWriteHalf) -> Self {
        SaslWriter {
            stream,
            encoder: None,
        }
    }

    fn create_request_header() -> RpcRequestHeaderProto {
        RpcRequestHeaderProto {
            rpc_kind: Some(RpcKindProto::RpcProtocolBuffer as i32),
            // RPC_FINAL_PACKET
            rpc_op: Some(0),
            call_id: SASL_CALL_ID,
            client_id: Vec::new(),
            retry_count: Some(-1),
            ..Default::default()
        }
    }

    async fn send_sasl_message(&mut self, message: &RpcSaslProto) -> io::Result<()> {
        let header_buf = Self::create_request_header().encode_length_delimited_to_vec();
        let message_buf = message.encode_length_delimited_to_vec();
        let size = (header_buf.len() + message_buf.len()) as u32;

        let frame = [&size.to_be_bytes()[..], &header_buf, &message_buf].concat();
        self.stream.write_all(&frame).await?;
        self.stream.flush().await?;

        Ok(())
    }

    pub(crate) async fn write_all(&mut self, buf: &[u8]) -> Result<()> {
        let Some(max_plain) = self.encoder.as_ref().map(Encoder::max_plain) else {
            return Ok(self.stream.write_all(buf).await?);
        };
        for chunk in buf.chunks(max_plain) {
            if let Some(encoder) = self.encoder.as_mut() {
                let rpc_sasl = RpcSaslProto {
                    state: SaslState::Wrap as i32,
                    token: Some(encoder.encode(chunk)?),
                    ..Default::default()
                };
                self.send_sasl_message(&rpc_sasl).await?;
            }
        }
        Ok(())
    }
}

impl std::fmt::Debug for SaslWriter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SaslWriter")
            .field("stream", &self.stream)
            .finish()
    }
}

struct SaslDecryptor {
    decoder: Decoder,
    data_buffer: Bytes,
}

impl SaslDecryptor {
    async fn read_more_data(&mut self, stream: &mut DatanodeStream) -> Result<()> {
        let msg_length = stream.read_u32().await? as usize;
        if msg_length > MAX_DATANODE_LENGTH {
            return Err(too_long(msg_length));
        }

        let mut message = vec![0u8; msg_length];
        stream.read_exact(&mut message).await?;

        self.data_buffer = self.decoder.decode(&message)?.into();

        Ok(())
    }
}

enum DatanodeDecryptor {
    Sasl(SaslDecryptor),
    Cipher(Box<dyn StreamCipher + Send>),
}

type DatanodeStream = BufReader<IdleTimeoutReader<OwnedReadHalf>>;

pub(crate) struct SaslDatanodeReader {
    stream: DatanodeStream,
    decryptor: Option<DatanodeDecryptor>,
}

impl SaslDatanodeReader {
    fn new(stream: IdleTimeoutReader<OwnedReadHalf>, decryptor: Option<DatanodeDecryptor>) -> Self {
        Self {
            stream: BufReader::new(stream),
            decryptor,
        }
    }

    pub(crate) fn set_idle_timeout(&mut self, timeout: Option<(Duration, Handle)>) {
        self.stream.get_mut().set_timeout(timeout);
    }

    pub(crate) async fn read_exact(&mut self, buf: &mut [u8]) -> Result<usize> {
        match &mut self.decryptor {
            Some(DatanodeDecryptor::Sasl(sasl)) => {
                let read_len = buf.len();
                let mut bytes_remaining = read_len;
                while bytes_remaining > 0 {
                    if !sasl.data_buffer.has_remaining() {
                        sasl.read_more_data(&mut self.stream).await?;
                    }
                    let copy_len = usize::min(bytes_remaining, sasl.data_buffer.remaining());
                    let copy_start = read_len - bytes_remaining;
                    sasl.data_buffer
                        .copy_to_slice(&mut buf[copy_start..(copy_start + copy_len)]);
                    bytes_remaining -= copy_len;
                }

                Ok(read_len)
            }
            Some(DatanodeDecryptor::Cipher(cipher)) => {
                let read_len = self.stream.read_exact(buf).await?;
                cipher.apply_keystream(buf);
                Ok(read_len)
            }
            None => Ok(self.stream.read_exact(buf).await?),
        }
    }

    /// Reads a length delimiter from the stream and then reads that many bytes for a full proto message
    pub(crate) async fn read_proto(&mut self) -> Result<Bytes> {
        // Known from varint parsing, once we either get 10 bytes or a byte less than 0x80
        // we have enough to decode the length
        let mut msg_len = Vec::with_capacity(10);
        while msg_len.len() < 10 {
            let mut byte = [0u8];
            match self.read_exact(&mut byte).await {
                Err(HdfsError::IOError(e))
                    if e.kind() == ErrorKind::UnexpectedEof && msg_len.is_empty() =>
                {
                    // The stream has been closed
                    return Err(HdfsError::DataTransferError(
                        "Datanode connection closed while waiting for ack".to_string(),
                    ));
                }
                read => read?,
            };
            msg_len.push(byte[0]);
            if byte[0] < 0x80 {
                break;
            }
        }

        let decoded_len = prost::decode_length_delimiter(&msg_len[..])?;
        if decoded_len > MAX_DATANODE_LENGTH {
            return Err(too_long(decoded_len));
        }

        let mut msg_buf = BytesMut::zeroed(decoded_len);
        self.read_exact(&mut msg_buf).await?;

        Ok(msg_buf.freeze())
    }
}

enum DatanodeEncryptor {
    Sasl(Encoder),
    Cipher(Box<dyn StreamCipher + Send>),
}

pub(crate) struct SaslDatanodeWriter {
    stream: OwnedWriteHalf,
    encryptor: Option<DatanodeEncryptor>,
}

impl SaslDatanodeWriter {
    pub(crate) async fn write_all(&mut self, buf: &[u8]) -> Result<()> {
        match &mut self.encryptor {
            Some(DatanodeEncryptor::Sasl(encoder)) => {
                for chunk in buf.chunks(encoder.max_plain()) {
                    let wrapped = encoder.encode(chunk)?;
                    self.stream.write_u32(wrapped.len() as u32).await?;
                    self.stream.write_all(&wrapped).await?;
                }
            }
            Some(DatanodeEncryptor::Cipher(cipher)) => {
                let mut encrypted = buf.to_vec();
                cipher.apply_keystream(&mut encrypted);
                self.stream.write_all(&encrypted).await?;
            }
            None => {
                self.stream.write_all(buf).await?;
            }
        }
        Ok(())
    }

    /// Write reference-counted payload segments without first concatenating
    /// them into a packet-sized userspace buffer.
    pub(crate) async fn write_all_vectored(&mut self, bufs: &[Bytes]) -> Result<()> {
        if self.encryptor.is_none() {
            let mut slices: Vec<IoSlice<'_>> = bufs.iter().map(|buf| IoSlice::new(buf)).collect();
            tokio_util::io::write_all_vectored(&mut self.stream, &mut slices).await?;
            return Ok(());
        }

        for buf in bufs {
            self.write_all(buf).await?;
        }
        Ok(())
    }

    pub(crate) async fn flush(&mut self) -> Result<()> {
        Ok(self.stream.flush().await?)
    }
}

pub(crate) struct SaslDatanodeConnection {
    stream: BufStream<IdleTimeoutReader<TcpStream>>,
}

impl SaslDatanodeConnection {
    pub fn create(stream: TcpStream, timeout: Option<(Duration, Handle)>) -> Self {
        Self {
            stream: BufStream::new(IdleTimeoutReader::new(stream, timeout)),
        }
    }

    /// There are a few different paths for negotiating a connection with a DataNode:
    ///
    /// 1. If `dfs.encrypt.data.transfer` is set on the NameNode, always encrypt the session
    ///    and use an encryption key from the NameNode for the negotiation. This will happen
    ///    if `encryption_key` is defined.
    /// 2. If there is no block token
    ///    or the DataNode transfer port is privileged (< 1024)
    ///    or `dfs.data.transfer.protection` not set,
    ///    we skip the SASL handshake and assume it is trusted.
    /// 3. Otherwise, we do a SASL handshake using the provided block token, and agree on a
    ///    protection that `dfs.data.transfer.protection` allows.
    ///
    /// For cases 1 and 3, we optionally negotiate a cipher to use for encryption instead of
    /// SASL protection mechanisms.
    pub(crate) async fn negotiate(
        mut self,
        datanode_id: &DatanodeIdProto,
        token: &TokenProto,
        encryption_key: Option<&DataEncryptionKeyProto>,
        config: &Configuration,
    ) -> Result<(SaslDatanodeReader, SaslDatanodeWriter)> {
        let digest_uri = "hdfs/0".to_string();
        let mut session = if let Some(key) = encryption_key {
            DigestSaslSession::from_encryption_key(digest_uri, key)
        } else if config.security_enabled()
            && let Some(allowed) = config.data_transfer_protection()?
            && !token.identifier.is_empty()
            && datanode_id.xfer_port >= 1024
        {
            DigestSaslSession::from_token(
                digest_uri,
                &token.identifier,
                &token.password,
                &allowed,
                DATA_TRANSFER_PROTECTION,
            )
        } else {
            return Ok(self.split(None, None));
        };

        self.stream.write_i32(SASL_TRANSFER_MAGIC_NUMBER).await?;
        self.stream.flush().await?;

        let token_identifier = BlockTokenIdentifier::from_identifier(&token.identifier)?;

        let handshake_secret = if !token_identifier.handshake_secret.is_empty() {
            Some(HandshakeSecretProto {
                bpid: token_identifier.block_pool_id.clone(),
                secret: token_identifier.handshake_secret.clone(),
            })
        } else {
            None
        };

        let message = DataTransferEncryptorMessageProto {
            handshake_secret,
            status: DataTransferEncryptorStatus::Success as i32,
            ..Default::default()
        };

        self.stream
            .write_all(&message.encode_length_delimited_to_vec())
            .await?;
        self.stream.flush().await?;

        let response = self.read_sasl_response().await?;
        let (payload, _) = session.step(response.payload.as_deref())?;

        let supports_encryption = session.supports_encryption();
        let cipher_option = if supports_encryption {
            vec![CipherOptionProto {
                suite: CipherSuiteProto::AesCtrNopadding as i32,
                ..Default::default()
            }]
        } else {
            vec![]
        };

        let message = DataTransferEncryptorMessageProto {
            status: DataTransferEncryptorStatus::Success as i32,
            payload: Some(payload),
            cipher_option,
            ..Default::default()
        };

        self.stream
            .write_all(&message.encode_length_delimited_to_vec())
            .await?;
        self.stream.flush().await?;

        let response = self.read_sasl_response().await?;
        session.step(response.payload.as_deref())?;

        let Some(mut layer) = session.finish()? else {
            return Ok(self.split(None, None));
        };
        match response.cipher_option.first() {
            // The cipher doesn't protect the integrity, so it's no replacement for signatures
            Some(_) if !supports_encryption => Err(sasl_error(
                "the DataNode chose a cipher that the client did not offer",
            )),
            Some(cipher) => match CipherSuiteProto::try_from(cipher.suite) {
                Ok(CipherSuiteProto::AesCtrNopadding) => {
                    let in_key = layer.decoder.decode(cipher.in_key())?;
                    let out_key = layer.decoder.decode(cipher.out_key())?;

                    // For the client, the in_key is used to encrypt data to send and the out_key is for decrypting incoming data
                    let encryptor = Self::create_aes_cipher(&in_key, cipher.in_iv())?;
                    let decryptor = Self::create_aes_cipher(&out_key, cipher.out_iv())?;
                    Ok(self.split(
                        Some(DatanodeDecryptor::Cipher(decryptor)),
                        Some(DatanodeEncryptor::Cipher(encryptor)),
                    ))
                }
                _ => Err(sasl_error(format!("Unsupported cipher {}", cipher.suite))),
            },
            None => Ok(self.split(
                Some(DatanodeDecryptor::Sasl(SaslDecryptor {
                    decoder: layer.decoder,
                    data_buffer: Bytes::new(),
                })),
                Some(DatanodeEncryptor::Sasl(layer.encoder)),
            )),
        }
    }

    async fn read_sasl_response(&mut self) -> Result<DataTransferEncryptorMessageProto> {
        // A length delimiter has at most 10 bytes and ends with a byte less than 0x80
        let mut length = Vec::with_capacity(10);
        while length.len() < 10 {
            let byte = self.stream.read_u8().await?;
            length.push(byte);
            if byte < 0x80 {
                break;
            }
        }
        let length = prost::decode_length_delimiter(&length[..])?;
        if length > MAX_DATANODE_LENGTH {
            return Err(too_long(length));
        }

        let mut response_buf = BytesMut::zeroed(length);
        self.stream.read_exact(&mut response_buf).await?;

        let response = DataTransferEncryptorMessageProto::decode(response_buf.freeze())?;
        let why = response.message();
        match DataTransferEncryptorStatus::try_from(response.status) {
            Ok(DataTransferEncryptorStatus::Success) => Ok(response),
            Ok(DataTransferEncryptorStatus::ErrorUnknownKey) => {
                Err(HdfsError::InvalidEncryptionKey(why.to_string()))
            }
            _ => Err(sasl_error(format!(
                "the DataNode refused the handshake: {why}"
            ))),
        }
    }

    fn split(
        self,
        decryptor: Option<DatanodeDecryptor>,
        encryptor: Option<DatanodeEncryptor>,
    ) -> (SaslDatanodeReader, SaslDatanodeWriter) {
        let (stream, timeout) = self.stream.into_inner().into_parts();
        let (stream_reader, stream_writer) = stream.into_split();
        let stream_reader = IdleTimeoutReader::new(stream_reader, timeout);
        (
            SaslDatanodeReader::new(stream_reader, decryptor),
            SaslDatanodeWriter {
                stream: stream_writer,
                encryptor,
            },
        )
    }

    fn create_aes_cipher(key: &[u8], iv: &[u8]) -> Result<Box<dyn StreamCipher + Send>> {
        match key.len() * 8 {
            128 => Aes128Ctr::new_from_slices(key, iv)
                .map(|cipher| Box::new(cipher) as Box<dyn StreamCipher + Send>)
                .map_err(|_| HdfsError::SASLError("Invalid AES-128 key or IV length".to_string())),
            192 => Aes192Ctr::new_from_slices(key, iv)
                .map(|cipher| Box::new(cipher) as Box<dyn StreamCipher + Send>)
                .map_err(|_| HdfsError::SASLError("Invalid AES-192 key or IV length".to_string())),
            256 => Aes256Ctr::new_from_slices(key, iv)
                .map(|cipher| Box::new(cipher) as Box<dyn StreamCipher + Send>)
                .map_err(|_| HdfsError::SASLError("Invalid AES-256 key or IV length".to_string())),
            x => Err(HdfsError::SASLError(format!(
                "Unsupported AES bit length {x}"
            ))),
        }
    }
}
