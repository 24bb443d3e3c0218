//! Addresses in a small file, and addresses that no file has.

use std::path::Path;

use meydan_cities::Cities;

fn cities() -> Cities {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cities.mmdb");
    Cities::open(&file).expect("it is a database of cities")
}

#[test]
fn city_and_country_are_told_in_the_language_or_else_in_english() {
    let cities = cities();
    let of = |address, language| cities.of(address, language).unwrap_or_default();

    assert_eq!(of("203.0.113.7", "en"), "Tehran, Iran");
    assert_eq!(of("203.0.113.7", "fa"), "تهران، ایران");
    assert_eq!(of("::ffff:203.0.113.7", "fa"), "تهران، ایران");
    assert_eq!(of("198.51.100.7", "fa"), "Munich، آلمان");
    assert_eq!(of("192.0.2.7", "fa"), "ایران");
    assert_eq!(of("2001:db8::7", "en"), "Shiraz, Iran");
}

#[test]
fn of_what_the_file_does_not_tell_nothing_is_said() {
    for address in ["192.0.2.200", "127.0.0.1", "10.0.0.1", "::1", "", "no address"] {
        assert_eq!(cities().of(address, "en"), None, "{address}");
    }
    assert_eq!(Cities::default().of("203.0.113.7", "en"), None, "there is no file");
    let other = Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml");
    assert!(Cities::open(&other).is_err() && Cities::open(Path::new("/nowhere")).is_err());
}
