//! Checkpoints of a tree as signed notes, in the form of C2SP `tlog-checkpoint` and `signed-note`.
//!
//! ```text
//! meydan.audit/00000000-0000-0000-0000-000000000000
//! 1284
//! 3q2+7wAA…=
//! 2026-11-21T12:00:00Z
//!
//! — meydan.audit/00000000-0000-0000-0000-000000000000 4mzP9g…=
//! ```
//!
//! Origin, size, root, and as an extension the time. The signature is Ed25519 over the text up to the empty line; before
//! it stand four bytes that name the key: of SHA-256 over the key's name, a line break, 0x01 and the public key.

use std::path::Path;

use base64::{Engine, engine::general_purpose::STANDARD};
use ed25519_dalek::{Signature, Signer, SigningKey, VerifyingKey};
use meydan_rpc::key::{BadKey, signing_key};
use sha2::{Digest, Sha256};
use time::{OffsetDateTime, format_description::well_known::Rfc3339};
use uuid::Uuid;

use crate::merkle::Hash;

/// What the names of the trees begin with.
const ORIGIN: &str = "meydan.audit/";

/// What a tree was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkpoint {
    /// Which tree: the campaign, or the platform's own id.
    pub tree: Uuid,
    /// How many entries it had.
    pub size: u64,
    /// Its root.
    pub root: Hash,
    /// When this was signed.
    pub at: OffsetDateTime,
}

impl Checkpoint {
    fn origin(&self) -> String {
        format!("{ORIGIN}{}", self.tree)
    }

    /// What is signed.
    fn text(&self) -> String {
        let at = self.at.format(&Rfc3339).expect("the clock's years have four digits");
        format!("{}\n{}\n{}\n{at}\n", self.origin(), self.size, STANDARD.encode(self.root))
    }

    fn read(text: &str) -> Option<Self> {
        let mut lines = text.lines();
        let checkpoint = Self {
            tree: lines.next()?.strip_prefix(ORIGIN)?.parse().ok()?,
            size: lines.next()?.parse().ok()?,
            root: STANDARD.decode(lines.next()?).ok()?.try_into().ok()?,
            at: OffsetDateTime::parse(lines.next()?, &Rfc3339).ok()?,
        };
        // There is one way to write it.
        (checkpoint.text() == text).then_some(checkpoint)
    }
}

/// Why a note proves nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadNote {
    /// It is none.
    #[error("it is not a signed checkpoint")]
    Malformed,
    /// It was changed after it was signed, or another key signed it.
    #[error("its signature is wrong")]
    Forged,
}

/// The notes that somebody copied from elsewhere, whatever stands around them: only the lines of each are looked at,
/// and empty lines are put back where they belong. What begins like a note and is none comes as it stands.
pub(crate) fn copied(text: &str) -> Vec<String> {
    let lines: Vec<_> = text.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    let begins = (0..lines.len()).filter(|place| lines[*place].starts_with(ORIGIN));
    let note = |place: usize| {
        let (said, signed) = lines[place..].split_at(4.min(lines.len() - place));
        format!("{}\n\n{}\n", said.join("\n"), signed.first().unwrap_or(&""))
    };
    begins.map(note).collect()
}

/// Checks notes.
#[derive(Debug, Clone)]
pub struct Verifier(VerifyingKey);

impl Verifier {
    /// What a note says, if it is ours.
    ///
    /// # Errors
    ///
    /// See [`BadNote`].
    pub fn open(&self, note: &str) -> Result<Checkpoint, BadNote> {
        let (text, signed) = note.split_once("\n\n").ok_or(BadNote::Malformed)?;
        let text = format!("{text}\n");
        let checkpoint = Checkpoint::read(&text).ok_or(BadNote::Malformed)?;
        let mark = format!("\u{2014} {} ", checkpoint.origin());
        let signed = signed.strip_prefix(&mark).and_then(|rest| rest.strip_suffix('\n'));
        let signed = STANDARD.decode(signed.ok_or(BadNote::Malformed)?);
        let signed = signed.map_err(|_| BadNote::Malformed)?;
        let (key, signature) = signed.split_first_chunk::<4>().ok_or(BadNote::Malformed)?;
        let signature = Signature::from_slice(signature).map_err(|_| BadNote::Malformed)?;
        if *key != self.name(&checkpoint) {
            return Err(BadNote::Forged);
        }
        self.0.verify_strict(text.as_bytes(), &signature).map_err(|_| BadNote::Forged)?;
        Ok(checkpoint)
    }

    /// The public key, in base64: what others check notes with.
    #[must_use]
    pub fn public(&self) -> String {
        STANDARD.encode(self.0.as_bytes())
    }

    /// The four bytes that name the key under which a checkpoint is signed.
    fn name(&self, checkpoint: &Checkpoint) -> [u8; 4] {
        let hash = Sha256::new()
            .chain_update(checkpoint.origin())
            .chain_update(b"\n\x01")
            .chain_update(self.0.as_bytes())
            .finalize();
        [hash[0], hash[1], hash[2], hash[3]]
    }
}

/// Signs checkpoints.
#[derive(Clone)]
pub struct Notary {
    key: SigningKey,
    verifier: Verifier,
}

impl std::fmt::Debug for Notary {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Notary")
    }
}

impl Notary {
    /// Reads the key, making it the first time.
    ///
    /// # Errors
    ///
    /// [`BadKey`] when the file cannot be read, written or understood.
    pub fn open(path: &Path) -> Result<Self, BadKey> {
        let key = signing_key(path)?;
        let verifier = Verifier(key.verifying_key());
        Ok(Self { key, verifier })
    }

    /// Signs.
    #[must_use]
    pub fn sign(&self, checkpoint: &Checkpoint) -> String {
        let text = checkpoint.text();
        let signature = self.key.sign(text.as_bytes()).to_bytes();
        let signed = [self.verifier.name(checkpoint).as_slice(), &signature].concat();
        format!("{text}\n\u{2014} {} {}\n", checkpoint.origin(), STANDARD.encode(signed))
    }

    /// Checks what it signed.
    #[must_use]
    pub const fn verifier(&self) -> &Verifier {
        &self.verifier
    }
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;
    use uuid::Uuid;

    use super::{BadNote, Checkpoint, Notary, copied};

    fn notary() -> Notary {
        let folder = tempfile::tempdir().expect("there is room");
        Notary::open(&folder.path().join("audit.pem")).expect("it can be made")
    }

    fn checkpoint() -> Checkpoint {
        let at = datetime!(2026-11-21 12:00 UTC);
        Checkpoint { tree: Uuid::from_u128(7), size: 1284, root: [9; 32], at }
    }

    #[test]
    fn a_note_says_what_was_signed() {
        let notary = notary();

        let note = notary.sign(&checkpoint());

        assert!(note.starts_with("meydan.audit/00000000-0000-0000-0000-000000000007\n1284\n"));
        assert_eq!(notary.verifier().open(&note), Ok(checkpoint()));
    }

    #[test]
    fn a_note_is_read_as_people_copy_it() {
        let notary = notary();
        let note = notary.sign(&checkpoint());
        let windows = note.replace('\n', "\r\n");
        let squeezed = note.replace("\n\n", "\n");
        let text =
            format!("Witness, [21.11.2026 15:30]\n{windows}\n{squeezed}hello\n  {}", note.trim());

        assert_eq!(copied(&text), [note.as_str(); 3]);
        assert_eq!(copied("meydan.audit/x\n1"), ["meydan.audit/x\n1\n\n\n"]);
        assert!(copied("hello").is_empty());
    }

    #[test]
    fn a_changed_note_and_one_of_another_key_are_not_believed() {
        let notary = notary();
        let note = notary.sign(&checkpoint());
        let open = |note: &str| notary.verifier().open(note);

        assert_eq!(open(&note.replacen("1284", "1285", 1)), Err(BadNote::Forged));
        assert_eq!(open(&note.replacen("1284", "01284", 1)), Err(BadNote::Malformed));
        assert_eq!(open(&self::notary().sign(&checkpoint())), Err(BadNote::Forged));
        assert_eq!(open(&note.replace("\n\n", "\nmore\n\n")), Err(BadNote::Malformed));
        assert_eq!(open(""), Err(BadNote::Malformed));
    }
}
