//! The texts are complete: the same keys in both languages, each used, each used one there.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn files(folder: &Path, ending: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).expect("the folder is in the repository") {
        let path = entry.expect("the folder is readable").path();
        if path.is_dir() {
            found.extend(files(&path, ending));
        } else if path.extension().is_some_and(|extension| extension == ending) {
            found.push(path);
        }
    }
    found.sort();
    found
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).expect("the file is text")
}

/// The keys of a language, in the order of the files.
fn keys(locale: &str) -> Vec<String> {
    files(&root().join("texts").join(locale), "ftl")
        .iter()
        .flat_map(|path| read(path).lines().filter_map(key).collect::<Vec<_>>())
        .collect()
}

fn key(line: &str) -> Option<String> {
    let (key, _) = line.split_once(" =")?;
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    (!key.is_empty() && key.chars().all(plain)).then(|| key.to_owned())
}

/// The catalogue of permissions, which names the text of each.
fn catalogue() -> PathBuf {
    root().join("../services/identity/domain/src/permissions.rs")
}

/// Every text in quotes in the templates, in our sources and in the catalogue.
fn quoted() -> BTreeSet<String> {
    files(&root().join("templates"), "html")
        .iter()
        .chain(&files(&root().join("src"), "rs"))
        .chain(&[catalogue()])
        .flat_map(|path| read(path).split('"').map(str::to_owned).collect::<Vec<_>>())
        .collect()
}

#[test]
fn both_languages_have_the_same_keys_in_the_same_files() {
    for file in ["shell", "entry", "admin", "home", "inbox", "people", "security", "audit", "team"]
    {
        let of = |locale: &str| {
            let path = root().join("texts").join(locale).join(format!("{file}.ftl"));
            read(&path).lines().filter_map(key).collect::<Vec<_>>()
        };
        assert_eq!(of("fa"), of("en"), "{file}.ftl");
    }
}

#[test]
fn no_key_is_given_twice() {
    let keys = keys("fa");
    let unique: BTreeSet<_> = keys.iter().collect();
    assert_eq!(keys.len(), unique.len());
}

#[test]
fn every_text_is_used() {
    let quoted = quoted();
    let unused: Vec<_> = keys("fa").into_iter().filter(|key| !quoted.contains(key)).collect();
    assert!(unused.is_empty(), "unused texts: {unused:?}");
}

#[test]
fn every_key_that_a_template_or_page_asks_for_is_there() {
    let known: BTreeSet<_> = keys("fa").into_iter().collect();
    let sources = files(&root().join("templates"), "html")
        .into_iter()
        .chain(files(&root().join("src"), "rs"));
    for path in sources {
        let text = read(&path);
        for call in ["shell.t(\"", "shell.n(\"", "shell.s(\"", "shell.with(\"", "self.t(\""] {
            for piece in text.split(call).skip(1) {
                let key = piece.split('"').next().unwrap_or_default();
                assert!(known.contains(key), "{} asks for `{key}`", path.display());
            }
        }
        for piece in text.split("=> \"").skip(1) {
            let key = piece.split('"').next().unwrap_or_default();
            let family = ["status-", "move-", "kind-", "bot-", "problem-", "notice-", "failure-"];
            if family.iter().any(|start| key.starts_with(start)) {
                assert!(known.contains(key), "{} names `{key}`", path.display());
            }
        }
    }
}

#[test]
fn every_permission_is_told_in_both_languages() {
    let known: BTreeSet<_> = keys("fa").into_iter().collect();
    let catalogue = read(&catalogue());
    let texts = catalogue.split('"').filter(|piece| piece.starts_with("permission-"));
    let missing: Vec<_> = texts.clone().filter(|key| !known.contains(*key)).collect();
    assert!(texts.count() > 0 && missing.is_empty(), "texts that are missing: {missing:?}");
}

#[test]
fn persian_texts_are_written_with_persian_letters() {
    for path in files(&root().join("texts/fa"), "ftl") {
        let text = read(&path);
        for letter in ['ي', 'ك', 'ة', '٤', '٥', '٦'] {
            assert!(!text.contains(letter), "{} has `{letter}`", path.display());
        }
    }
}
