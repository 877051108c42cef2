//! One connection: requests in turn, until either side has had enough.

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use bytes::BytesMut;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

use super::{
    read::{self, Trouble},
    write::{self, After, Form},
};
use crate::{Answer, faults::Manner, faults::Wire, shared::Shared};

/// A connection may rest this long between requests, and a request may take this long to arrive.
const PATIENCE: Duration = Duration::from_secs(120);
/// What is read of a refused request, so that its reply is not lost in a reset.
const LINGER_BYTES: usize = 64 * 1024 * 1024;
const LINGER: Duration = Duration::from_secs(2);

pub(crate) async fn serve(mut stream: TcpStream, peer: SocketAddr, number: u64, shared: Arc<Shared>) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut buffer = BytesMut::with_capacity(8 * 1024);
    loop {
        let received = match timeout(PATIENCE, read::request(&mut stream, &mut buffer)).await {
            Ok(Ok(received)) => received,
            Ok(Err(Trouble::Refuse(status))) => return refuse(&mut stream, status).await,
            Ok(Err(Trouble::Io(error))) => return Err(error),
            Ok(Err(Trouble::End)) | Err(_) => return Ok(()),
        };
        let form =
            Form { head_only: received.method == "HEAD", http10: received.http10, keep_alive: received.keep_alive };
        let wire = shared.answer(received, peer, number).await;
        match write::reply(&mut stream, wire, form).await? {
            After::Keep => {}
            After::Close => return linger(&mut stream, &mut buffer).await,
            After::Reset => return stream.set_zero_linger(),
        }
    }
}

async fn refuse(stream: &mut TcpStream, status: u16) -> io::Result<()> {
    let answer = Answer::text(status, format!("{}\n", write::reason(status)));
    let form = Form { head_only: false, http10: false, keep_alive: false };
    write::reply(stream, Wire::Reply(answer, Manner::default()), form).await?;
    linger(stream, &mut BytesMut::with_capacity(64 * 1024)).await
}

/// Closing while bytes are unread makes the kernel send a reset, which can destroy the reply on its way. So: say that we are done, then
/// read on for a moment.
async fn linger(stream: &mut TcpStream, buffer: &mut BytesMut) -> io::Result<()> {
    stream.shutdown().await?;
    let drain = async {
        let mut read = 0;
        while read < LINGER_BYTES {
            buffer.clear();
            match stream.read_buf(buffer).await {
                Ok(0) | Err(_) => break,
                Ok(count) => read += count,
            }
        }
    };
    timeout(LINGER, drain).await.unwrap_or_default();
    Ok(())
}
