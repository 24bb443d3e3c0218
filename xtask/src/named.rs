//! What documents name: each test that is a proof has to be there, and to be a test; and so has each file of the map.
//!
//! A name of Rust is written as in the source; one of the browser's, or of another script's, as the sentence it is. A file
//! or a folder is named by the end of its path, as long as one likes.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
};

/// The document whose every claim is a test.
const DOCUMENT: &str = "docs/security.md";
/// The document that says where everything is.
const MAP: &str = "ARCHITECTURE.md";
/// A name with so many words is a test's, not a field's nor a command's.
const WORDS: usize = 4;
/// What makes a function a test, whatever it says in brackets after that.
const MARKS: [&str; 3] = ["#[test", "#[tokio::test", "#[sqlx::test"];
/// What keeps a test from being run.
const IDLE: &str = "#[ignore";

/// Collects all files and the tests of all sources, then looks for those that the documents name.
#[derive(Debug, Default)]
pub(crate) struct Named {
    files: Vec<PathBuf>,
    tests: BTreeSet<String>,
    shown: Vec<String>,
    mapped: Vec<String>,
}

impl Named {
    /// Takes a file in.
    pub(crate) fn read(&mut self, path: &Path, text: &str) {
        self.files.push(path.to_owned());
        let quoted = text.split('`').skip(1).step_by(2);
        if path == Path::new(DOCUMENT) {
            self.shown.extend(quoted.filter(|name| is_test(name)).map(ToOwned::to_owned));
        } else if path == Path::new(MAP) {
            self.mapped.extend(quoted.filter(|name| is_path(name)).map(ToOwned::to_owned));
        } else if path.extension().is_some_and(|end| end == "rs") {
            self.tests.extend(of_rust(text));
        } else if path.to_string_lossy().ends_with(".test.mjs") {
            self.tests.extend(text.split("test('").skip(1).map(until_quote));
        }
    }

    /// Says which tests and files are named and not there.
    pub(crate) fn judge(&self, wrong: &mut Vec<String>) {
        for name in self.shown.iter().filter(|name| !self.tests.contains(*name)) {
            wrong.push(format!("{DOCUMENT}: names the test {name}, which is not there"));
        }
        let is_there = |name: &str| {
            let mut paths = self.files.iter().flat_map(|file| file.ancestors());
            paths.any(|path| path.ends_with(name))
        };
        for name in self.mapped.iter().filter(|name| !is_there(name)) {
            wrong.push(format!("{MAP}: names {name}, which is not there"));
        }
    }
}

/// The functions of a source that the test runner calls.
fn of_rust(text: &str) -> impl Iterator<Item = String> {
    let parts = text.split("fn ").collect::<Vec<_>>();
    let pairs = parts.windows(2).filter_map(|pair| {
        // Between the end of what stands before and the name there are words and attributes alone.
        let before = pair[0].rsplit(['{', '}', ';']).next().unwrap_or_default();
        let runs = MARKS.iter().any(|mark| before.contains(mark)) && !before.contains(IDLE);
        let (name, _) = pair[1].split_once('(')?;
        runs.then(|| name.to_owned())
    });
    pairs.collect::<Vec<_>>().into_iter()
}

/// What a script says before the quote that ends it.
fn until_quote(text: &str) -> String {
    let (mut said, mut letters) = (String::new(), text.chars());
    while let Some(letter) = letters.next().filter(|letter| *letter != '\'') {
        said.extend(if letter == '\\' { letters.next() } else { Some(letter) });
    }
    said
}

/// Whether what a document quotes can be a test alone: many words, of Rust or of a sentence.
fn is_test(name: &str) -> bool {
    let plain = |letter: char| letter.is_ascii_lowercase() || letter.is_ascii_digit();
    let rust = name.chars().all(|letter| plain(letter) || letter == '_');
    let sentence = name.chars().all(|letter| letter.is_alphanumeric() || " ,'".contains(letter));
    (rust && name.split('_').count() >= WORDS) || (sentence && name.split(' ').count() >= WORDS)
}

/// Whether what a document quotes is a file or a folder of ours, and not where a browser goes, nor a pattern of such.
fn is_path(name: &str) -> bool {
    let open =
        name.starts_with('/') || name.contains(['<', '{']) || name.contains(char::is_whitespace);
    let source = Path::new(name).extension().is_some_and(|end| end == "rs");
    !open && (source || name.contains('/'))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::{DOCUMENT, MAP, Named};

    /// What is wrong when a document names something and this is in the sources.
    fn missing(document: &str, source: &str, text: &str) -> Vec<String> {
        let (mut named, mut wrong) = (Named::default(), Vec::new());
        named.read(Path::new(source), text);
        named.read(Path::new(DOCUMENT), document);
        named.judge(&mut wrong);
        wrong
    }

    #[test]
    fn a_test_that_is_named_and_not_there_is_found() {
        let source = "#[tokio::test(flavor = \"multi_thread\")]\nasync fn one_test_is_there() {}";
        let wrong =
            missing("`one_test_is_there`, `another_test_is_not`, `key_file`", "a.rs", source);

        assert_eq!(wrong.len(), 1, "{wrong:?}");
        assert!(wrong[0].contains("another_test_is_not"), "{wrong:?}");
    }

    #[test]
    fn a_function_that_nothing_runs_is_no_test() {
        let source = "#[test]\nfn a() {}\nfn that_is_a_helper() {}\n\
                      #[test]\n#[ignore = \"slow\"]\nfn that_is_never_run() {}";
        let wrong = missing("`that_is_a_helper` `that_is_never_run`", "a.rs", source);

        assert_eq!(wrong.len(), 2, "{wrong:?}");
    }

    #[test]
    fn tests_of_the_browser_are_named_by_their_sentence() {
        let source = "test('nobody reads, or finds, another\\'s', async () => {";
        let named = "`nobody reads, or finds, another's`, `nobody writes to another's`";
        let wrong = missing(named, "e2e/a.test.mjs", source);

        assert_eq!(wrong.len(), 1, "{wrong:?}");
        assert!(wrong[0].contains("writes"), "{wrong:?}");
        assert_eq!(missing(named, "e2e/a.mjs", source).len(), 2, "that file is no test");
    }

    #[test]
    fn a_file_that_the_map_names_and_that_is_elsewhere_is_found() {
        let (mut named, mut wrong) = (Named::default(), Vec::new());
        let map =
            "`a/tests/one.rs`, `tests/it/`, `it/one.rs`, `/login`, `src/<path>.rs`; ```text a/b```";
        named.read(Path::new(MAP), map);
        named.read(Path::new("crates/a/tests/it/one.rs"), "");
        named.judge(&mut wrong);

        assert_eq!(wrong, [format!("{MAP}: names a/tests/one.rs, which is not there")]);
    }
}
