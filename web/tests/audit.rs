//! Every event that any context records has words in both languages.

use std::{collections::BTreeSet, fs, path::Path};

use meydan_web::pages::audit::{ACTIONS, AREAS};

/// The types of all events, from the golden files that pin their stored shapes.
fn recorded() -> BTreeSet<String> {
    let services = Path::new(env!("CARGO_MANIFEST_DIR")).join("../services");
    let mut types = BTreeSet::new();
    for service in fs::read_dir(services).expect("the folder is in the repository").flatten() {
        let golden = service.path().join("domain/tests/golden");
        for file in fs::read_dir(golden).into_iter().flatten().flatten() {
            let lines = fs::read_to_string(file.path()).expect("the file is text");
            let first = |line: &str| line.split('"').nth(3).map(str::to_owned);
            types.extend(lines.lines().filter_map(first));
        }
    }
    // Of the crate of erasures, which all contexts share.
    types.insert("subject.erased".to_owned());
    types
}

#[test]
fn every_event_that_is_recorded_has_words_and_no_words_are_left_over() {
    let told: BTreeSet<_> = ACTIONS.iter().map(|(action, _)| (*action).to_owned()).collect();

    assert!(told.len() > 30);
    assert_eq!(told, recorded());
}

#[test]
fn everything_that_things_are_done_to_has_words() {
    let areas: BTreeSet<_> = AREAS.iter().map(|(area, _)| *area).collect();

    let begun = ACTIONS.iter().filter_map(|(action, _)| action.split('.').next());
    assert_eq!(areas, begun.collect());
}
