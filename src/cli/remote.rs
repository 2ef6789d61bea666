//! Where the daemon is, and what is shown there: the options of every verb that asks it something.

use std::path::{Path, PathBuf};

use clap::Args;

use super::exit::Error;
use super::{input, socket};
use crate::client::{Credentials, Place};
use crate::domain::private::Secret;

/// How a daemon is asked over TCP. Everything secret comes from files: a command line is seen by every user of the host.
#[derive(Debug, Args)]
#[command(next_help_heading = "Over a network")]
pub(super) struct Remote {
    /// The daemon's TCP listener, https://HOST[:PORT]; http:// on loopback only.
    #[arg(long, global = true, value_name = "URL")]
    url: Option<String>,

    /// The certificate of the authority that signed the daemon's, in PEM.
    #[arg(long, global = true, value_name = "FILE")]
    ca: Option<PathBuf>,

    /// The client's certificate, in PEM.
    #[arg(long, global = true, value_name = "FILE")]
    cert: Option<PathBuf>,

    /// The private key of the client's certificate, in PEM.
    #[arg(long, global = true, value_name = "FILE")]
    key: Option<PathBuf>,

    /// A file with a bearer token, which decides who asks also where there is a certificate.
    #[arg(long, global = true, value_name = "FILE")]
    token_file: Option<PathBuf>,
}

impl Remote {
    /// The place that is named, else the control socket that is named or found.
    pub(super) fn place(self, socket: Option<PathBuf>) -> Result<Place, Error> {
        let Self { url, ca, cert, key, token_file } = self;
        let Some(url) = url else {
            // A `--key` alone may be a verb's own, such as the one that an export of the audit log is verified with.
            let shown = [ca, cert, token_file];
            return match shown.iter().flatten().next() {
                Some(_) => Err(Error::Usage("--ca, --cert, --key and --token-file need --url".into())),
                None => Ok(Place::Socket(socket::find(socket))),
            };
        };
        let bytes = |path: &Path| input::read(path).map(String::into_bytes);
        let secret = |path: &Path| input::read(path).map(|text| Secret::new(text.trim()));
        let certificate = match (cert, key) {
            (None, None) => None,
            (Some(cert), Some(key)) => Some((bytes(&cert)?, secret(&key)?)),
            (Some(_), None) | (None, Some(_)) => return Err(Error::Usage("--cert and --key belong together".into())),
        };
        let credentials = Credentials {
            authorities: ca.as_deref().map(bytes).transpose()?,
            certificate,
            token: token_file.as_deref().map(secret).transpose()?,
        };
        Ok(Place::remote(&url, &credentials)?)
    }
}
