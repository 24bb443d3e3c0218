//! Sealing and opening, given the key.

use aes_gcm_siv::{
    Aes256GcmSiv, KeyInit, Nonce,
    aead::{Aead, Payload},
};
use hmac::{Hmac, Mac};
use serde::{Serialize, de::DeserializeOwned};
use sha2::Sha256;
use uuid::Uuid;
use zeroize::Zeroizing;

use crate::{platform_key::Key, sealed::Sealed};

const NONCE: usize = 12;

/// What a ciphertext is bound to. Moved anywhere else, it does not open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    tenant: Uuid,
    kind: &'static str,
    id: Uuid,
    field: &'static str,
}

impl Place {
    /// Field `field` of the thing `id`, which is a `kind`, in a campaign.
    #[must_use]
    pub const fn new(tenant: Uuid, kind: &'static str, id: Uuid, field: &'static str) -> Self {
        Self { tenant, kind, id, field }
    }

    /// The campaign, or the platform.
    #[must_use]
    pub const fn tenant(&self) -> Uuid {
        self.tenant
    }

    /// Parts of fixed length first, names closed by a byte that no name holds: no two places read alike.
    fn associated_data(&self, key_id: Uuid) -> Vec<u8> {
        [
            b"meydan sealed 1\0".as_slice(),
            self.tenant.as_bytes(),
            self.id.as_bytes(),
            key_id.as_bytes(),
            self.kind.as_bytes(),
            b"\0",
            self.field.as_bytes(),
        ]
        .concat()
    }
}

/// Seals under one subject's key.
#[derive(Clone)]
pub struct Sealer {
    key_id: Uuid,
    cipher: Aes256GcmSiv,
    hashes: Zeroizing<[u8; 32]>,
}

impl std::fmt::Debug for Sealer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Sealer({})", self.key_id)
    }
}

impl Sealer {
    pub(crate) fn new(key_id: Uuid, key: &[u8; 32]) -> Self {
        let hashes = Zeroizing::new(mac(key, &[b"meydan subject hash 1\0"]));
        Self { key_id, cipher: Aes256GcmSiv::new(key.into()), hashes }
    }

    pub(crate) const fn key_id(&self) -> Uuid {
        self.key_id
    }

    /// A keyed hash of `value`, to tell whether it has changed. Only this subject's values compare, and once
    /// the key is destroyed nobody can try out what it was made of.
    #[must_use]
    pub fn fingerprint(&self, purpose: &str, value: &[u8]) -> [u8; 16] {
        let hash = mac(self.hashes.as_ref(), &[purpose.as_bytes(), b"\0", value]);
        *hash.first_chunk().expect("SHA-256 gives 32 bytes")
    }

    /// Seals `value` for `place`.
    ///
    /// # Panics
    ///
    /// When `T` cannot be written as JSON, or the operating system has no randomness.
    pub fn seal<V, T>(&self, place: &Place, value: &V) -> Sealed<T>
    where
        V: Serialize + ?Sized,
    {
        let plain =
            Zeroizing::new(serde_json::to_vec(value).expect("sealed values are plain data"));
        let bytes = encrypt(&self.cipher, &plain, &place.associated_data(self.key_id));
        Sealed::from_parts(self.key_id, bytes)
    }

    /// Opens a value; `None` when it was sealed for another place, under another key, or was changed.
    #[must_use]
    pub fn open<T: DeserializeOwned>(&self, place: &Place, sealed: &Sealed<T>) -> Option<T> {
        let plain = decrypt(&self.cipher, sealed.bytes(), &place.associated_data(self.key_id))?;
        serde_json::from_slice(&plain).ok()
    }
}

/// A new key.
pub(crate) fn fresh() -> Key {
    let mut key = Zeroizing::new([0; 32]);
    getrandom::fill(key.as_mut()).expect("the operating system has randomness");
    key
}

/// Opens a key that was wrapped.
pub(crate) fn decrypt_key(cipher: &Aes256GcmSiv, wrapped: &[u8], aad: &[u8]) -> Option<Key> {
    let plain = decrypt(cipher, wrapped, aad)?;
    <[u8; 32]>::try_from(plain.as_slice()).ok().map(Zeroizing::new)
}

/// A keyed hash: HMAC-SHA256 (RFC 2104).
pub(crate) fn mac(key: &[u8], parts: &[&[u8]]) -> [u8; 32] {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes a key of any length");
    for part in parts {
        mac.update(part);
    }
    mac.finalize().into_bytes().into()
}

pub(crate) fn encrypt(cipher: &Aes256GcmSiv, msg: &[u8], aad: &[u8]) -> Vec<u8> {
    let mut nonce = [0; NONCE];
    getrandom::fill(&mut nonce).expect("the operating system has randomness");
    let sealed = cipher.encrypt(&Nonce::from(nonce), Payload { msg, aad });
    let sealed = sealed.expect("values are far shorter than 64 gigabytes");
    [nonce.as_slice(), &sealed].concat()
}

pub(crate) fn decrypt(
    cipher: &Aes256GcmSiv,
    bytes: &[u8],
    aad: &[u8],
) -> Option<Zeroizing<Vec<u8>>> {
    let (nonce, msg) = bytes.split_first_chunk::<NONCE>()?;
    cipher.decrypt(&Nonce::from(*nonce), Payload { msg, aad }).ok().map(Zeroizing::new)
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::{Place, Sealed, Sealer};

    const TENANT: Uuid = Uuid::from_u128(1);
    const PLACE: Place = Place::new(TENANT, "ticket.message", Uuid::from_u128(2), "body");

    fn sealer() -> Sealer {
        Sealer::new(Uuid::from_u128(3), &[7; 32])
    }

    #[test]
    fn what_is_sealed_opens_at_its_place() {
        let sealed: Sealed<String> = sealer().seal(&PLACE, "سلام");

        let stored = sealed.to_string().parse().expect("the stored form is read back");

        assert_eq!(sealer().open(&PLACE, &stored), Some("سلام".to_owned()));
    }

    #[test]
    fn a_ciphertext_opens_at_no_other_place() {
        let sealed: Sealed<String> = sealer().seal(&PLACE, "سلام");

        for place in [
            Place::new(Uuid::from_u128(9), "ticket.message", Uuid::from_u128(2), "body"),
            Place::new(TENANT, "ticket.messag", Uuid::from_u128(2), "ebody"),
            Place::new(TENANT, "ticket.message", Uuid::from_u128(9), "body"),
            Place::new(TENANT, "ticket.message", Uuid::from_u128(2), "subject"),
        ] {
            assert_eq!(sealer().open(&place, &sealed), None);
        }
        assert_eq!(Sealer::new(Uuid::from_u128(4), &[7; 32]).open(&PLACE, &sealed), None);
        assert_eq!(Sealer::new(Uuid::from_u128(3), &[8; 32]).open(&PLACE, &sealed), None);
    }

    #[test]
    fn a_flipped_bit_anywhere_is_noticed() {
        let sealed: Sealed<String> = sealer().seal(&PLACE, "text");

        for at in 0..sealed.bytes().len() {
            let mut bytes = sealed.bytes().to_vec();
            bytes[at] ^= 1;
            let changed = Sealed::<String>::from_parts(sealed.key_id(), bytes);
            assert_eq!(sealer().open(&PLACE, &changed), None, "byte {at}");
        }
    }

    #[test]
    fn the_same_text_is_sealed_differently_each_time() {
        let one: Sealed<String> = sealer().seal(&PLACE, "text");
        let two: Sealed<String> = sealer().seal(&PLACE, "text");

        assert_ne!(one, two);
    }

    #[test]
    fn nothing_of_the_value_is_printed() {
        let sealed: Sealed<String> = sealer().seal(&PLACE, "text");

        assert_eq!(format!("{sealed:?}"), format!("Sealed({})", Uuid::from_u128(3)));
    }
}
