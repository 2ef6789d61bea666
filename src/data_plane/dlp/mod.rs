//! Data loss prevention: detectors -> findings -> action -> redaction.
//!
//! ```text
//!  texts of one request ──▶ handle ──(next worker, bounded room)──▶ worker: detect ▶ redact ──▶ texts + vault + counts
//!                              │ a worker died with the texts in hand: once more, on another; then dlp_failed
//!  answer of the model ──▶ vault.restore ──▶ the owner
//!  answer that is being written ──▶ stream: what is decided ──▶ restorer ──▶ the owner
//! ```
//!
//! What is found, with the score that findings carry:
//!
//! | type | what must agree | score |
//! |---|---|---|
//! | `EMAIL_ADDRESS` | form of local part and domain, letters of the top-level domain | .95 |
//! | `CREDIT_CARD` | issuer's range, its lengths, Luhn digit | .95; .60 below 15 digits without separators |
//! | `IBAN_CODE` | country's structure, check digits mod 97 | 1 |
//! | `PHONE_NUMBER` | a region's numbering plan, and: a calling code; a word beside it; a plan's grouping | .95; .75; .60 |
//! | national numbers, documents, networks, wallets, births, names, addresses | the table in docs/dlp.md | .60 to 1 |
//! | `URL_CREDENTIALS` | scheme, user, password and host | .95 |
//! | `AWS_ACCESS_KEY`, `AWS_SECRET_KEY`, `GITHUB_TOKEN`, `GITLAB_TOKEN`, `SLACK_TOKEN`, `STRIPE_KEY`, `OPENAI_KEY`, `ANTHROPIC_KEY`, `GOOGLE_API_KEY`, `HUGGING_FACE_TOKEN`, `NPM_TOKEN`, `PYPI_TOKEN`, `SENDGRID_KEY`, `TWILIO_KEY`, `JSON_WEB_TOKEN`, `PRIVATE_KEY` | the issuer's prefix and alphabet, its length | .95 |
//!
//! Invariants:
//! 1. A text passes only as the answer of a worker that examined all of it: whatever breaks, fails closed.
//! 2. Findings are in order, do not overlap, and end on character boundaries; where detectors disagree the union is hidden.
//! 3. The time to examine a text is linear in its size, whatever is in it.
//! 4. What was pseudonymised is restored exactly as it was written: `restore(protect(x)) == x`.
//! 5. No pseudonym is something that the texts hold already, and the same texts have the same pseudonyms after a restart.
//! 6. Values are in memory only: errors, logs and metrics name types, and the vault's `Debug` prints a count.
//! 7. What is hidden by escapes, encodings and look-alikes is found one level deep, at its place in the text (`view`); of a text
//!    that is being written nothing is told that is part of a finding (`stream`).
//!
//! Deliberately absent: merged patterns (a slow one would slow all), Unicode classes in the scan, and any loading of numbering
//! plans before a text has digits that may be a phone number.

mod actor;
mod detect;
mod detectors;
mod document;
mod error;
mod finding;
mod handle;
mod key_file;
mod message;
mod metrics;
mod position;
mod pseudonym;
mod quarantine;
mod redaction;
mod restorer;
pub mod rules;
#[cfg(test)]
mod ruling;
mod stream;
#[cfg(test)]
mod tests;
mod vault;
mod view;

pub use detect::pattern::{Checks, Context, Exceptions, Origin as RuleOrigin, Pattern, Reach, Rule};
pub use detect::{Validator, detect, validator, validators};
pub use detectors::{Detectors, Published, Taken};
pub use error::{Error, KeyError};
pub use finding::{Counts, Finding, Kind, Score};
pub use handle::{Dlp, Protected, REQUEST_BYTES_MAX, Scan};
pub use metrics::describe_metrics;
pub use position::{Located, locate};
pub use pseudonym::{PseudonymKey, Pseudonyms};
pub use redaction::{Consent, Examined, Question, Redaction, Withheld, redact};
pub use restorer::Restorer;
pub use stream::{HELD_BYTES_MAX, Released, Stream, StreamFilter};
pub use vault::Vault;
