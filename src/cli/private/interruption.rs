//! Somebody wants the program to end.

use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::cli::exit::Error;

/// Ctrl-C, or SIGTERM. From [`Self::listen`] on they clean up instead of ending the program.
#[derive(Debug)]
pub(in crate::cli) struct Interruption {
    interrupt: Signal,
    terminate: Signal,
}

impl Interruption {
    pub(in crate::cli) fn listen() -> Result<Self, Error> {
        let listen =
            |kind| signal(kind).map_err(|source| Error::failed("no_signals", format!("listen for signals: {source}")));
        Ok(Self { interrupt: listen(SignalKind::interrupt())?, terminate: listen(SignalKind::terminate())? })
    }

    pub(in crate::cli) async fn comes(&mut self) -> Error {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
        Error::failed("interrupted", "interrupted; the daemon is stopped and its directory removed")
    }
}
