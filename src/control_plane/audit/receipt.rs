//! Receipts of erasures (pure): signed with the key of the log, and verified with its public half alone.

use crate::protocol::erasure::{Receipt, SignedReceipt};

use super::key::{PublicKey, Purpose, Signature};

/// The name of the form.
pub const FORMAT: &str = "agent-factory/erasure/v1";

/// Why a receipt proves nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ReceiptFault {
    /// It has not the form of a receipt.
    #[error("it is no receipt of the form {FORMAT}")]
    Form,
    /// It was signed with another key than the one that is trusted.
    #[error("it was signed with another key")]
    OtherKey,
    /// The signature does not fit.
    #[error("the signature does not fit: the receipt was changed, or never given")]
    Signature,
}

impl ReceiptFault {
    /// The code of `docs/errors.md`.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Form => "receipt_malformed",
            Self::OtherKey => "receipt_other_key",
            Self::Signature => "receipt_signature",
        }
    }
}

/// What is signed: the receipt as compact JSON, its members in their order.
pub(super) fn signed_bytes(receipt: &Receipt) -> Vec<u8> {
    // Plain data without maps: serialising it has no way to fail.
    serde_json::to_vec(receipt).unwrap_or_default()
}

/// Verifies a receipt with the key that is trusted, or with the one that it names; returns that key. With the latter it is known
/// only that the receipt is of one piece.
///
/// # Errors
/// Why it proves nothing.
pub fn verify_receipt(signed: &SignedReceipt, trusted: Option<&PublicKey>) -> Result<PublicKey, ReceiptFault> {
    let SignedReceipt { receipt, signature } = signed;
    let named = PublicKey::from_base64(&receipt.key).ok_or(ReceiptFault::Form)?;
    let signature = Signature::from_base64(signature).ok_or(ReceiptFault::Form)?;
    if receipt.format != FORMAT || receipt.log != named.log_id() {
        return Err(ReceiptFault::Form);
    }
    if trusted.is_some_and(|trusted| *trusted != named) {
        return Err(ReceiptFault::OtherKey);
    }
    if named.fits(Purpose::Receipt, &signed_bytes(receipt), &signature) {
        Ok(named)
    } else {
        Err(ReceiptFault::Signature)
    }
}

#[cfg(test)]
mod tests {
    use super::super::key::AuditKey;
    use super::*;
    use crate::protocol::erasure::Deleted;

    fn signed(key: &AuditKey) -> SignedReceipt {
        let receipt = Receipt {
            format: FORMAT.to_owned(),
            log: key.public().log_id(),
            key: key.public().to_base64(),
            erasure_id: "erasure-0190".to_owned(),
            tenant: Some("acme".to_owned()),
            user: None,
            asked_by: "ann".to_owned(),
            asked_at: "2026-11-21T01:00:00.000000Z".to_owned(),
            finished_at: "2026-11-21T01:00:01.000000Z".to_owned(),
            method: "keys_destroyed".to_owned(),
            deleted: Deleted { tasks: 3, records: 12, ..Deleted::default() },
            undecided: 1,
            key_ids: vec![2, 7],
            audit_entry: 41,
        };
        let signature = key.sign(Purpose::Receipt, &signed_bytes(&receipt)).to_string();
        SignedReceipt { receipt, signature }
    }

    #[test]
    fn a_receipt_holds_for_its_key_and_for_no_other() {
        let (key, other) = (AuditKey::from_seed([1; 32]), AuditKey::from_seed([2; 32]));
        assert_eq!(verify_receipt(&signed(&key), None), Ok(key.public()));
        assert_eq!(verify_receipt(&signed(&key), Some(&key.public())), Ok(key.public()));
        assert_eq!(verify_receipt(&signed(&key), Some(&other.public())), Err(ReceiptFault::OtherKey));
    }

    #[test]
    fn no_changed_byte_of_a_receipt_goes_unnoticed() {
        let key = AuditKey::from_seed([1; 32]);
        let text = serde_json::to_string(&signed(&key)).expect("JSON");
        for at in 0..text.len() {
            for bit in [1, 2, 32, 128] {
                let mut changed = text.clone().into_bytes();
                changed[at] ^= bit;
                let read = serde_json::from_slice::<SignedReceipt>(&changed);
                let holds = read.is_ok_and(|read| verify_receipt(&read, Some(&key.public())).is_ok());
                assert!(!holds, "byte {at}, bit {bit}");
            }
        }
    }
}
