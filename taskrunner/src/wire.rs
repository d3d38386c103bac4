//! Reads and writes the frames on the link between a taskrunner and its ApplicationMaster.
//!
//! A frame is a length in bytes as a 32-bit big-endian number, and a protobuf message of that length; the
//! messages are those of `proto/control.proto`. The ApplicationMaster of a large cluster has thousands of
//! links on which nothing happens most of the time. So between two messages, a link holds only a few hundred
//! bytes of memory.

use std::io;
use std::time::Duration;

use bytes::{BufMut, BytesMut};
use futures::StreamExt;
use prost::{DecodeError, Message};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio::time::{Instant, timeout, timeout_at};
use tokio_util::codec::{FramedRead, LengthDelimitedCodec};

/// The largest message, in bytes. Class lists are the largest messages and have a few megabytes.
pub const LARGEST: usize = 16 << 20;
/// The largest first message, in bytes. It is small because the sender has not shown yet who it is.
pub const LARGEST_HELLO: usize = 4096;
/// The largest message of a gRPC call to the control server, in bytes.
pub const LARGEST_CALL: usize = 64 << 10;
/// The size of a reader's buffer, in bytes, while no large message arrives. A memory sample has less than 100
/// bytes.
const QUIET: usize = 256;
/// The largest buffer, in bytes, that a reader keeps after a message.
const KEPT: usize = 4096;

/// After which times a side of a link sends `Ping`, and considers the other side gone.
#[derive(Debug, Clone, Copy)]
pub struct Liveness {
    /// A side that has sent nothing for this time sends `Ping`.
    pub ping: Duration,
    /// If a side has received nothing, or could send nothing, for this time, the other side's host is down or
    /// its process hangs.
    pub silence: Duration,
}

impl Default for Liveness {
    fn default() -> Self {
        Self { ping: Duration::from_secs(10), silence: Duration::from_secs(20) }
    }
}

/// Why a link cannot be used any more. A new link may work.
#[derive(Debug, thiserror::Error)]
pub enum WireError {
    /// The connection has broken.
    #[error("the connection broke: {0}")]
    Io(#[from] io::Error),
    /// A message is larger than allowed; the number is the limit in bytes.
    #[error("a message is larger than {0} bytes")]
    TooLarge(usize),
    /// A frame does not hold a message of the expected type.
    #[error("a message is not understood: {0}")]
    Malformed(#[from] DecodeError),
    /// Nothing was received for this time: the other side is gone, or hangs.
    #[error("nothing was heard for {} s", .0.as_secs_f32())]
    Silence(Duration),
    /// Nothing could be sent for this time, because the other side does not read.
    #[error("nothing could be sent for {} s", .0.as_secs_f32())]
    Stuck(Duration),
}

/// Reads the messages of a link.
#[derive(Debug)]
pub struct Reader<R> {
    frames: FramedRead<R, LengthDelimitedCodec>,
    silence: Duration,
    heard: Instant,
    /// How many bytes of an incomplete frame had arrived at the time `heard`.
    unfinished: usize,
}

impl<R: AsyncRead + Unpin> Reader<R> {
    /// A reader that accepts messages of up to `largest` bytes.
    pub fn new(from: R, largest: usize, liveness: Liveness) -> Self {
        let frames = LengthDelimitedCodec::builder().max_frame_length(largest).new_codec();
        Self {
            frames: FramedRead::with_capacity(from, frames, QUIET),
            silence: liveness.silence,
            heard: Instant::now(),
            unfinished: 0,
        }
    }

    /// Accepts messages of up to `largest` bytes from now on.
    pub fn allow(&mut self, largest: usize) {
        self.frames.decoder_mut().set_max_frame_length(largest);
    }

    /// Waits for the next message; `None` if the other side has closed its half of the connection. If the
    /// future is dropped, no message is lost: the next call continues.
    pub async fn next<M: Message + Default>(&mut self) -> Result<Option<M>, WireError> {
        loop {
            match timeout_at(self.heard + self.silence, self.frames.next()).await {
                Ok(Some(Ok(frame))) => {
                    (self.heard, self.unfinished) = (Instant::now(), 0);
                    let message = M::decode(frame)?;
                    self.shrink();
                    return Ok(Some(message));
                }
                Ok(None) => return Ok(None),
                Ok(Some(Err(error))) if error.kind() == io::ErrorKind::InvalidData => {
                    return Err(WireError::TooLarge(self.frames.decoder().max_frame_length()));
                }
                Ok(Some(Err(error))) => return Err(error.into()),
                // A part of a message has arrived in this time: the message is large and the network slow.
                Err(_) if self.frames.read_buffer().len() > self.unfinished => {
                    (self.heard, self.unfinished) = (Instant::now(), self.frames.read_buffer().len());
                }
                Err(_) => return Err(WireError::Silence(self.silence)),
            }
        }
    }

    fn shrink(&mut self) {
        let buffer = self.frames.read_buffer_mut();
        if buffer.is_empty() && buffer.capacity() > KEPT {
            *buffer = BytesMut::with_capacity(QUIET);
        }
    }
}

/// Writes the messages of a link. It holds no buffer between two messages.
#[derive(Debug)]
pub struct Writer<W> {
    to: W,
    liveness: Liveness,
    said: Instant,
}

impl<W: AsyncWrite + Unpin> Writer<W> {
    /// A writer.
    pub fn new(to: W, liveness: Liveness) -> Self {
        Self { to, liveness, said: Instant::now() }
    }

    /// Sends a message.
    pub async fn send(&mut self, message: &impl Message) -> Result<(), WireError> {
        let bytes = frame(message)?;
        let (mut rest, silence) = (&bytes[..], self.liveness.silence);
        let stuck = |_| WireError::Stuck(silence);
        while !rest.is_empty() {
            let sent = timeout(silence, self.to.write(rest)).await.map_err(stuck)??;
            if sent == 0 {
                return Err(io::Error::from(io::ErrorKind::WriteZero).into());
            }
            rest = &rest[sent..];
        }
        // An encrypted stream may keep a part that it has taken.
        timeout(silence, self.to.flush()).await.map_err(stuck)??;
        self.said = Instant::now();
        Ok(())
    }

    /// When the next `Ping` must be sent unless another message is sent before.
    pub fn ping_at(&self) -> Instant {
        self.said + self.liveness.ping
    }

    /// Closes this side's half of the connection.
    pub async fn end(&mut self) -> Result<(), WireError> {
        let silence = self.liveness.silence;
        Ok(timeout(silence, self.to.shutdown()).await.map_err(|_| WireError::Stuck(silence))??)
    }
}

fn frame(message: &impl Message) -> Result<Vec<u8>, WireError> {
    let size = message.encoded_len();
    let length = u32::try_from(size).ok().filter(|_| size <= LARGEST).ok_or(WireError::TooLarge(LARGEST))?;
    let mut bytes = Vec::with_capacity(4 + size);
    bytes.put_u32(length);
    message.encode_raw(&mut bytes);
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::event::Event as Kind;
    use crate::control::{Event, Exited, Memory, Recorded};
    use proptest::prelude::*;
    use tokio::io::{DuplexStream, duplex};

    const QUICK: Liveness = Liveness { ping: Duration::from_millis(20), silence: Duration::from_millis(150) };

    fn pair(room: usize) -> (Writer<DuplexStream>, Reader<DuplexStream>) {
        let (near, far) = duplex(room);
        (Writer::new(near, QUICK), Reader::new(far, LARGEST, QUICK))
    }

    fn event(kind: Kind) -> Event {
        Event { event: Some(kind) }
    }

    #[tokio::test]
    async fn messages_arrive_and_large_ones_leave_no_large_buffer() {
        let (mut writer, mut reader) = pair(512);
        let large = event(Kind::Recorded(Recorded { java: String::new(), class_list: "x".repeat(1 << 20) }));
        let small = event(Kind::Memory(Memory { rss: 7, ..Memory::default() }));
        let sent = [small.clone(), large, small];
        let (told, heard) = (sent.clone(), async {
            for expected in &sent {
                assert_eq!(reader.next::<Event>().await.unwrap().as_ref(), Some(expected));
                assert!(reader.frames.read_buffer().capacity() <= KEPT);
            }
            assert!(reader.next::<Event>().await.unwrap().is_none(), "the end of the other half");
        });
        let told = async {
            for event in &told {
                writer.send(event).await.unwrap();
            }
            writer.end().await.unwrap();
        };
        tokio::join!(told, heard);
    }

    #[tokio::test]
    async fn who_is_silent_or_takes_nothing_is_gone() {
        let (mut writer, mut reader) = pair(64);
        assert!(matches!(reader.next::<Event>().await, Err(WireError::Silence(_))));
        let exited = event(Kind::Exited(Exited { summary: "x".repeat(1000), ..Exited::default() }));
        assert!(matches!(writer.send(&exited).await, Err(WireError::Stuck(_))));
        // The other side is not silent while the bytes of a message arrive slowly.
        let (mut writer, mut reader) = pair(64);
        let slowly = async {
            for byte in frame(&exited).unwrap().chunks(250) {
                tokio::time::sleep(QUICK.silence * 2 / 3).await;
                writer.to.write_all(byte).await.unwrap();
            }
        };
        let (heard, ()) = tokio::join!(reader.next::<Event>(), slowly);
        assert_eq!(heard.unwrap(), Some(exited));
    }

    #[tokio::test]
    async fn what_is_no_message_is_an_error() {
        let (mut near, far) = duplex(64);
        let mut reader = Reader::new(far, 100, QUICK);
        near.write_all(&[0, 0, 0, 101, 1, 1]).await.unwrap();
        assert!(matches!(reader.next::<Event>().await, Err(WireError::TooLarge(100))));
        let (mut near, far) = duplex(64);
        let mut reader = Reader::new(far, 100, QUICK);
        near.write_all(&[0, 0, 0, 2, 0xff, 0xff]).await.unwrap();
        assert!(matches!(reader.next::<Event>().await, Err(WireError::Malformed(_))));
        let (mut near, far) = duplex(64);
        let mut reader = Reader::new(far, 100, QUICK);
        near.write_all(&[0, 0, 0, 9, 1]).await.unwrap();
        drop(near);
        assert!(matches!(reader.next::<Event>().await, Err(WireError::Io(_))), "cut off in the middle");
        let large = event(Kind::Recorded(Recorded { java: String::new(), class_list: "x".repeat(LARGEST) }));
        assert!(matches!(frame(&large), Err(WireError::TooLarge(LARGEST))));
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_without_harm(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
            runtime.block_on(async {
                let mut reader = Reader::new(&bytes[..], 100, QUICK);
                while let Ok(Some(_)) = reader.next::<Event>().await {}
            });
        }
    }
}
