//! One key and what it does (pure but for the nonce, which comes as an argument): AES-256-GCM-SIV, RFC 8452.
//!
//! The cipher is chosen for what happens when a nonce comes twice, as a random one may after very many records: with GCM that
//! gives the key away, with GCM-SIV it shows no more than that two equal texts were sealed under one key.

use aes_gcm_siv::aead::{Aead as _, AeadInPlace as _, KeyInit as _, Payload};
use aes_gcm_siv::{Aes256GcmSiv, Nonce as WireNonce};
use hmac::{Hmac, Mac as _};
use rand::RngCore as _;
use rand::rngs::OsRng;
use sha2::Sha256;
use zeroize::Zeroizing;

/// Bytes of a key.
pub(in crate::store) const KEY_BYTES: usize = 32;
/// Bytes of a nonce.
pub(in crate::store) const NONCE_BYTES: usize = 12;
/// Bytes that a sealed text is longer than the text.
pub(in crate::store) const TAG_BYTES: usize = 16;

/// A nonce.
pub(in crate::store) type Nonce = [u8; NONCE_BYTES];

/// Bytes of a key, wiped when they are dropped.
pub(in crate::store) type KeyBytes = Zeroizing<[u8; KEY_BYTES]>;

/// A key, ready for use; wiped when it is dropped.
pub(in crate::store) struct Cipher(Aes256GcmSiv);

/// What was sealed does not open: it was changed, moved, or sealed with another key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::store) struct Forged;

impl std::fmt::Debug for Cipher {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("<a key>")
    }
}

impl Cipher {
    pub(in crate::store) fn new(key: &[u8; KEY_BYTES]) -> Self {
        Self(Aes256GcmSiv::new(key.into()))
    }

    /// Seals a text in its place and puts the tag behind it. `with` is what must be the same when it is opened.
    #[expect(clippy::expect_used, reason = "refused only beyond 64 GiB (RFC 8452, section 6); a batch has 64 MiB")]
    pub(in crate::store) fn seal(&self, nonce: &Nonce, with: &[u8], text: &mut Vec<u8>) {
        let sealed = self.0.encrypt_in_place(WireNonce::from_slice(nonce), with, text);
        sealed.expect("the text is short enough");
    }

    /// Opens in its place what was sealed with the same key, nonce and `with`.
    pub(in crate::store) fn open(&self, nonce: &Nonce, with: &[u8], sealed: &mut Vec<u8>) -> Result<(), Forged> {
        self.0.decrypt_in_place(WireNonce::from_slice(nonce), with, sealed).map_err(|_| Forged)
    }

    /// As [`Self::open`], into wiped memory: for keys.
    pub(in crate::store) fn unwrap(
        &self,
        nonce: &Nonce,
        with: &[u8],
        sealed: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, Forged> {
        let payload = Payload { msg: sealed, aad: with };
        self.0.decrypt(WireNonce::from_slice(nonce), payload).map(Zeroizing::new).map_err(|_| Forged)
    }
}

/// A key for one purpose, made of another: HMAC-SHA256 as the one step of a key derivation (NIST SP 800-108, counter mode with
/// one block).
pub(in crate::store) fn derived(from: &[u8; KEY_BYTES], purpose: &[u8], context: &[u8]) -> KeyBytes {
    let mut mac = keyed(from);
    mac.update(&[0, 0, 0, 1]);
    mac.update(purpose);
    mac.update(&[0]);
    mac.update(context);
    Zeroizing::new(mac.finalize().into_bytes().into())
}

/// HMAC-SHA256 under a key.
#[expect(clippy::expect_used, reason = "HMAC takes a key of any length (RFC 2104)")]
pub(in crate::store) fn keyed(key: &[u8; KEY_BYTES]) -> Hmac<Sha256> {
    <Hmac<Sha256> as hmac::Mac>::new_from_slice(key).expect("a key of any length is a key")
}

/// A new key, from the system's generator.
pub(in crate::store) fn new_key() -> std::io::Result<KeyBytes> {
    let mut key = Zeroizing::new([0; KEY_BYTES]);
    OsRng.try_fill_bytes(&mut *key).map_err(std::io::Error::other)?;
    Ok(key)
}

/// A nonce that never comes twice as far as anybody will see: random, so that nothing has to be remembered over a crash.
pub(in crate::store) fn new_nonce() -> Nonce {
    let mut nonce = [0; NONCE_BYTES];
    rand::thread_rng().fill_bytes(&mut nonce);
    nonce
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn what_is_sealed_opens_and_nothing_else_does(
            key in any::<[u8; 32]>(), nonce in any::<[u8; 12]>(), with in proptest::collection::vec(any::<u8>(), 0..40),
            text in proptest::collection::vec(any::<u8>(), 0..200), at in any::<prop::sample::Index>(), bit in 0..8_u32,
        ) {
            let cipher = Cipher::new(&key);
            let mut sealed = text.clone();
            cipher.seal(&nonce, &with, &mut sealed);
            prop_assert_eq!(sealed.len(), text.len() + TAG_BYTES);
            let mut opened = sealed.clone();
            prop_assert_eq!(cipher.open(&nonce, &with, &mut opened), Ok(()));
            prop_assert_eq!(&opened, &text);

            let mut flipped = sealed.clone();
            let at_byte = at.index(flipped.len());
            flipped[at_byte] ^= 1 << bit;
            prop_assert_eq!(cipher.open(&nonce, &with, &mut flipped), Err(Forged));
            let mut elsewhere = sealed.clone();
            prop_assert_eq!(cipher.open(&nonce, &[with.as_slice(), b"x"].concat(), &mut elsewhere), Err(Forged));
            let mut other_key = key;
            other_key[at.index(32)] ^= 1 << bit;
            prop_assert_eq!(Cipher::new(&other_key).open(&nonce, &with, &mut sealed), Err(Forged));
        }
    }

    #[test]
    fn it_is_the_cipher_of_the_rfc() {
        // RFC 8452, appendix C.2, the test vector with eight bytes of text.
        let mut key = [0; 32];
        key[0] = 1;
        let mut nonce = [0; 12];
        nonce[0] = 3;
        let mut text = vec![1, 0, 0, 0, 0, 0, 0, 0];
        Cipher::new(&key).seal(&nonce, b"", &mut text);
        assert_eq!(hex::encode(text), "c2ef328e5c71c83b843122130f7364b761e0b97427e3df28");
    }

    #[test]
    fn keys_for_two_purposes_differ() {
        let from = [7; 32];
        assert_ne!(*derived(&from, b"wrap", b"x"), *derived(&from, b"file", b"x"));
        assert_ne!(*derived(&from, b"wrap", b"x"), *derived(&from, b"wrap", b"y"));
        assert_eq!(format!("{:?}", Cipher::new(&from)), "<a key>");
    }
}
