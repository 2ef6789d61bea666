//! TLS on the TCP listener: what the daemon shows, whose certificates it believes, and who holds them.
//!
//! ```text
//! files ─ material ─> Material (certificate, key, authorities, revocations) ─ published ─> accept ─> stream, Holder
//!                        ^ SIGHUP: a bad set changes nothing                      watch ─> cut who is no longer trusted
//! ```
//!
//! INVARIANTS
//! - A set of files is in force as a whole or not at all; a new set that cannot be used keeps the old one.
//! - No session is resumed: every connection shows its certificate, and every certificate is checked against the present lists.
//! - A connection whose certificate expires or is revoked is cut off: at once after a reload, else within [`VERIFIED_EVERY`].
//! - Handshakes have a limit in time and in number, and hold no place of the connections that are served.

mod accept;
mod crowd;
mod error;
mod material;
mod names;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use crate::config::settings;

pub(super) use crowd::Crowd;
pub use error::Error;
use material::Material;

/// How often the certificate of a connection that stays open is checked again.
const VERIFIED_EVERY: Duration = Duration::from_secs(60);

/// What the listener shows and believes; cheap to clone, and clones see a reload.
#[derive(Clone)]
pub struct Tls(Arc<watch::Sender<Arc<Material>>>);

impl Tls {
    /// Reads the files. Blocks for as long as the host takes.
    ///
    /// # Errors
    /// A file cannot be read, others may read the key or write the rest, or what is in them does not fit together.
    pub fn load(settings: &settings::Tls) -> Result<Self, Error> {
        let material = Material::read(settings, rustix::process::geteuid().as_raw())?;
        material.tell();
        Ok(Self(Arc::new(watch::Sender::new(Arc::new(material)))))
    }

    /// Reads the files again, which may be others than before. Connections whose certificates are no longer believed are cut off.
    ///
    /// # Errors
    /// As [`Tls::load`]; what was in force before stays so.
    pub fn reload(&self, settings: &settings::Tls) -> Result<(), Error> {
        let material = Material::read(settings, rustix::process::geteuid().as_raw())?;
        material.tell();
        self.0.send_replace(Arc::new(material));
        Ok(())
    }

    fn in_force(&self) -> Arc<Material> {
        self.0.borrow().clone()
    }
}
