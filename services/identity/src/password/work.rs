//! One hash of Argon2 (RFC 9106) and its PHC form, in memory that whoever hashes keeps.

use argon2::{
    Algorithm, Argon2, Block, Params, Version,
    password_hash::{
        generate_salt,
        phc::{Output, ParamsString, PasswordHash, Salt},
    },
};

use super::Pepper;

/// Bytes of a hash.
const LENGTH: usize = 32;

/// What a hash fills. It is filled again by the next one: were it taken anew each time, the allocator would put what is
/// small in between, and keep most of it.
#[derive(Debug, Default)]
pub(super) struct Memory(Vec<Block>);

impl Memory {
    fn fill(
        &mut self,
        argon2: &Argon2<'_>,
        (password, salt): (&[u8], &[u8]),
        out: &mut [u8],
    ) -> argon2::Result<()> {
        let blocks = argon2.params().block_count();
        if self.0.len() < blocks {
            self.0.resize(blocks, Block::new());
        }
        argon2.hash_password_into_with_memory(password, salt, out, &mut self.0[..blocks])
    }
}

/// Hashes a password, in the PHC form.
pub(super) fn hash(argon2: &Argon2<'_>, password: &[u8], memory: &mut Memory) -> Option<String> {
    let (salt, mut out) = (generate_salt(), [0; LENGTH]);
    memory.fill(argon2, (password, &salt), &mut out).ok()?;
    let hash = PasswordHash {
        algorithm: Algorithm::Argon2id.ident(),
        version: Some(Version::V0x13.into()),
        params: ParamsString::try_from(argon2.params()).ok()?,
        salt: Some(Salt::new(&salt).ok()?),
        hash: Some(Output::new(&out).ok()?),
    };
    Some(hash.to_string())
}

/// Whether a hash is that of a password, with the pepper or without. Hashes are compared in constant time.
pub(super) fn is_of(
    hash: &PasswordHash,
    password: &[u8],
    pepper: Option<&Pepper>,
    memory: &mut Memory,
) -> bool {
    let mut judged = || {
        let algorithm = Algorithm::try_from(hash.algorithm.as_str()).ok()?;
        let version = hash.version.map(Version::try_from).transpose().ok()?.unwrap_or_default();
        let params = Params::try_from(hash).ok()?;
        let argon2 = match pepper {
            Some(pepper) => {
                Argon2::new_with_secret(pepper.as_bytes(), algorithm, version, params).ok()?
            }
            None => Argon2::new(algorithm, version, params),
        };
        let (salt, expected) = (hash.salt.as_ref()?, hash.hash.as_ref()?);
        let mut out = vec![0; expected.len()];
        memory.fill(&argon2, (password, salt), &mut out).ok()?;
        Some(Output::new(&out).ok()? == *expected)
    };
    judged().unwrap_or(false)
}
