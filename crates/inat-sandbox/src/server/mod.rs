//! A small HTTP/1.1 server of its own: no library lets a server cut its replies short, lie about their length or drop the connection in
//! the middle, and that is what this one is for.

mod connection;
mod read;
mod write;

pub(crate) use read::Received;

use std::{io, sync::Arc, time::Duration};

use tokio::{
    net::TcpListener,
    sync::{Semaphore, watch},
};

use crate::shared::Shared;

/// Connections open at once; more wait in the listener's queue.
const CONNECTIONS: usize = 2_048;

/// Accepts until told to stop. Errors of single connections concern nobody else.
pub(crate) async fn accept(
    listener: std::net::TcpListener,
    shared: Arc<Shared>,
    mut stopped: watch::Receiver<bool>,
) -> io::Result<()> {
    let listener = TcpListener::from_std(listener)?;
    let room = Arc::new(Semaphore::new(CONNECTIONS));
    let mut number = 0;
    loop {
        let Ok(permit) = Arc::clone(&room).acquire_owned().await else { return Ok(()) };
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            _ = stopped.changed() => return Ok(()),
        };
        match accepted {
            Ok((stream, peer)) => {
                number += 1;
                let shared = Arc::clone(&shared);
                tokio::spawn(async move {
                    if let Err(error) = connection::serve(stream, peer, number, shared).await {
                        tracing::debug!(%peer, %error, "connection ended");
                    }
                    drop(permit);
                });
            }
            Err(error) => {
                // Out of file descriptors, mostly: others will be closed soon.
                tracing::debug!(%error, "accept failed");
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        }
    }
}
