//! Passwords that are common: a list of hashes, searched where it lies in the program.

use sha2::{Digest, Sha256};

/// Bytes of each hash: see `data/README.md`.
const WIDTH: usize = 5;

static LIST: &[u8] = include_bytes!("../../data/common-passwords.bin");

/// Whether a password is on the list, whatever of it is written in capitals.
pub(super) fn is_common(password: &str) -> bool {
    let hash = Sha256::digest(password.to_lowercase().as_bytes());
    let (list, _) = LIST.as_chunks::<WIDTH>();
    hash.first_chunk().is_some_and(|short| list.binary_search(short).is_ok())
}

#[cfg(test)]
mod tests {
    use super::{LIST, WIDTH, is_common};

    #[test]
    fn the_list_is_in_order_and_whole() {
        let (list, rest) = LIST.as_chunks::<WIDTH>();

        assert!(list.is_sorted() && rest.is_empty());
        assert_eq!(list.len(), 43_940);
    }

    #[test]
    fn common_passwords_are_known_in_capitals_too_and_others_are_not() {
        assert!(
            is_common("123qweasdzxc") && is_common("1Qaz2wsx3edC") && is_common("motherfucker")
        );
        assert!(!is_common("123qweasdzxd") && !is_common("a rather long pass phrase 7"));
    }
}
