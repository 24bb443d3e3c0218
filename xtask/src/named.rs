//! Tests that a document names as proof: each has to be there.

use std::{collections::BTreeSet, path::Path};

/// The document whose every claim is a test.
const DOCUMENT: &str = "docs/security.md";
/// A name with so many words is a test's, not a field's.
const WORDS: usize = 4;

/// Collects the functions of all sources, then looks for those that the document names.
#[derive(Debug, Default)]
pub(crate) struct Named {
    functions: BTreeSet<String>,
    named: Vec<String>,
}

impl Named {
    /// Takes a file in.
    pub(crate) fn read(&mut self, path: &Path, text: &str) {
        if path == Path::new(DOCUMENT) {
            let quoted = text.split('`').skip(1).step_by(2);
            self.named.extend(quoted.filter(|name| is_test(name)).map(ToOwned::to_owned));
        } else if path.extension().is_some_and(|end| end == "rs") {
            let names = text.split("fn ").skip(1).filter_map(|rest| rest.split_once('('));
            self.functions.extend(names.map(|(name, _)| name.to_owned()));
        }
    }

    /// Says which tests are named and not there.
    pub(crate) fn judge(&self, wrong: &mut Vec<String>) {
        for name in self.named.iter().filter(|name| !self.functions.contains(*name)) {
            wrong.push(format!("{DOCUMENT}: names the test {name}, which is not there"));
        }
    }
}

fn is_test(name: &str) -> bool {
    let plain = |letter: char| letter.is_ascii_lowercase() || letter.is_ascii_digit();
    name.chars().all(|letter| plain(letter) || letter == '_') && name.split('_').count() >= WORDS
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::{DOCUMENT, Named};

    #[test]
    fn a_test_that_is_named_and_not_there_is_found() {
        let mut named = Named::default();
        named.read(Path::new("a.rs"), "async fn one_test_is_there() {}");
        named.read(Path::new(DOCUMENT), "`one_test_is_there`, `another_test_is_not`, `key_file`");

        let mut wrong = Vec::new();
        named.judge(&mut wrong);

        assert_eq!(wrong.len(), 1, "{wrong:?}");
        assert!(wrong[0].contains("another_test_is_not"), "{wrong:?}");
    }
}
