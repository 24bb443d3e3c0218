//! Settings, as an operator meets them.

use std::path::Path;

use meydan_settings::{Settings, example};

fn load(variables: &[(&str, &str)]) -> Result<Settings, String> {
    let variables = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    Settings::load(None, variables).map_err(|invalid| invalid.to_string())
}

#[test]
fn without_anything_set_the_panel_is_on_this_machine_alone() {
    let settings = load(&[]).expect("the defaults are sound");

    assert_eq!(settings.listen.to_string(), "127.0.0.1:8080");
    let here = std::env::current_dir().expect("tests run in a folder").join(".meydan");
    assert_eq!(settings.data_dir, here);
    assert_eq!(settings.platform_key_file, here.join("secrets/platform.key"));
    assert!(settings.database_url.is_none());
}

#[test]
fn paths_are_from_the_root_on_whatever_was_written() {
    let settings = load(&[
        ("MEYDAN_DATA_DIR", "data"),
        ("MEYDAN_AUDIT_FOLDER", "./record"),
        ("MEYDAN_PLATFORM_KEY_FILE", "/etc/meydan/platform.key"),
        ("MEYDAN_CITIES_FILE", "cities.mmdb"),
    ]);
    let settings = settings.expect("they are sound");

    let here = std::env::current_dir().expect("tests run in a folder");
    assert_eq!(settings.data_dir, here.join("data"));
    assert_eq!(settings.certificate_key_file, here.join("data/secrets/certificate.pem"));
    assert_eq!(settings.checkpoints.folder, here.join("record"));
    assert_eq!(settings.platform_key_file, Path::new("/etc/meydan/platform.key"));
    assert_eq!(settings.cities_file, Some(here.join("cities.mmdb")));
}

#[test]
fn the_environment_wins_over_the_file() {
    let folder = std::env::temp_dir().join(format!("meydan-settings-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("the folder can be made");
    let file = folder.join("meydan.toml");
    std::fs::write(&file, "listen = \"127.0.0.1:1\"\nrate-limit = 7\n").expect("it can be written");
    let variables = [("MEYDAN_LISTEN".to_owned(), "127.0.0.1:2".to_owned())];

    let settings = Settings::load(Some(&file), variables).expect("both are sound");

    assert_eq!((settings.listen.port(), settings.rate_limit), (2, 7));
    std::fs::remove_dir_all(folder).expect("it can be removed");
}

#[test]
fn everything_that_is_wrong_is_said_at_once() {
    let said = load(&[
        ("MEYDAN_LISTEN", "here"),
        ("MEYDAN_PUBLIC_URL", "http://meydan.example"),
        ("MEYDAN_DATABASE_CONNECTIONS", "1"),
        ("MEYDAN_VAULT_ADDRESS", "http://vault.example:8200"),
        ("MEYDAN_VAULT_KEY", "../sys"),
        ("MEYDAN_LISTN", "127.0.0.1:1"),
    ])
    .expect_err("six things are wrong");

    assert_eq!(said.lines().count(), 6, "{said}");
    for words in [
        "`listen`",
        "`public-url` must begin with https",
        "2 to 100",
        "`vault-address` must begin with https",
        "`vault-key` must be the name of a key",
        "`MEYDAN_LISTN`",
    ] {
        assert!(said.contains(words), "{words} is missing in {said}");
    }
}

#[test]
fn proxies_are_networks_or_single_addresses() {
    let settings = load(&[("MEYDAN_TRUSTED_PROXIES", "10.0.0.0/8, 127.0.0.1,fd00::/8")]);
    let settings = settings.expect("all three are networks");
    let said = settings.trusted_proxies.iter().map(ToString::to_string).collect::<Vec<_>>();
    assert_eq!(said, ["10.0.0.0/8", "127.0.0.1/32", "fd00::/8"]);
    let defaults = load(&[]).expect("the defaults are sound");
    assert!(defaults.trusted_proxies.is_empty() && defaults.admin_networks.is_empty());
    let office = load(&[("MEYDAN_ADMIN_NETWORKS", "192.0.2.0/24")]).expect("it is a network");
    assert_eq!(office.admin_networks, ["192.0.2.0/24".parse().expect("a network")]);
    assert!(
        load(&[("MEYDAN_ADMIN_NETWORKS", "the office")]).is_err(),
        "nobody is let in by mistake"
    );

    let said =
        load(&[("MEYDAN_TRUSTED_PROXIES", "10.0.0.0/8, everybody")]).expect_err("no network");
    assert!(said.contains("`trusted-proxies` must be networks"), "{said}");
}

#[test]
fn secrets_are_not_printed() {
    let settings = load(&[("MEYDAN_DATABASE_URL", "postgres://u:canary@h")]).expect("it is sound");

    assert!(!format!("{settings:?}").contains("canary"));
}

#[test]
fn the_example_file_is_current() {
    let committed = include_str!("../../../meydan.example.toml");

    assert_eq!(committed, example(), "write it anew with `meydan settings > meydan.example.toml`");
}
