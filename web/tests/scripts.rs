//! What our scripts do not do: keep what a person sees, or make objects of names that come from elsewhere.

use std::path::Path;

/// Our scripts, with their names.
fn scripts() -> Vec<(String, String)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let files = std::fs::read_dir(folder).expect("it is there");
    let files = files.map(|file| file.expect("it can be read").path());
    let ours = files.filter(|path| path.extension().is_some_and(|end| end == "js"));
    let read = ours.map(|path| {
        let name = path.file_name().expect("a file").to_string_lossy().into_owned();
        (name, std::fs::read_to_string(path).expect("it can be read"))
    });
    read.collect()
}

#[test]
fn the_browser_keeps_whether_keys_of_the_keyboard_are_wanted_and_nothing_else() {
    let stores = [
        "localStorage",
        "sessionStorage",
        "indexedDB",
        "document.cookie",
        "caches",
        "serviceWorker",
    ];
    assert!(scripts().len() > 5);
    for (name, text) in scripts() {
        let kept = stores.iter().filter(|store| text.contains(**store)).collect::<Vec<_>>();
        if name == "keyboard.js" {
            assert_eq!(kept, [&"localStorage"]);
            let writes = text.matches("localStorage.setItem(").collect::<Vec<_>>();
            assert_eq!(writes.len(), 1, "one value");
            assert!(text.contains("localStorage.setItem(store, box.checked ? 'on' : 'off')"));
        } else {
            assert!(kept.is_empty(), "{name} keeps something: {kept:?}");
        }
    }
}

#[test]
fn no_script_names_a_field_after_what_came_from_elsewhere() {
    for (name, text) in scripts() {
        for word in ["__proto__", "prototype", "Object.assign", "fromEntries", "eval(", "Function("]
        {
            assert!(!text.contains(word), "{name} has {word}");
        }
        // `some[name] = …`, where the name is a variable.
        for (at, _) in text.match_indices("] = ") {
            let before = &text[..at];
            let of = before.rfind('[').map_or("", |bracket| before[..bracket].trim_end());
            let declares = of.ends_with("const") || of.ends_with("let") || of.ends_with(['{', ';']);
            assert!(declares, "{name} sets a field by a variable: {}", &text[at - 20..at + 4]);
        }
    }
}
