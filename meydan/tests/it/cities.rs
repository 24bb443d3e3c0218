//! Cities: from where an account was used, as far as a file of the operator's tells.

use std::path::Path;

use meydan_cities::Cities;
use meydan_testkit::process::{Ground, Person};

use crate::{
    office::{PROGRAM, telegram},
    revocation::{House, PASSWORD},
};

const SARA: &str = "sara@meydan.example";

/// A small file, of addresses that are for documentation.
const FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../crates/cities/tests/cities.mmdb");

/// What Sara reads of her devices and of her history, in a language, after a login from 203.0.113.7.
async fn read(house: &House, locale: &str) -> [String; 2] {
    house.enter(SARA, "", "203.0.113.7").await.expect("it is right");
    let sara = Person::visiting(&format!("http://{}", house.gateways[0]));
    let form = sara.open("/login").await;
    let home = sara.send(&form, "/login", &[("email", SARA), ("password", PASSWORD)]).await;
    let choice = [("locale", locale), ("return_to", "/account")];
    sara.send(&home, "/preferences", &choice).await;
    [
        sara.open("/account/sessions").await.html,
        sara.until("/account/history", "203.0.113.7").await.html,
    ]
}

#[tokio::test]
async fn devices_and_history_show_city_and_country_in_both_languages() {
    let cities = Cities::open(Path::new(FILE)).expect("it is a database of cities");
    let house = House::open_with(|setup| setup.cities = cities.clone()).await;
    house.team().await;

    for (locale, place) in [("fa", "تهران، ایران"), ("en", "Tehran, Iran")] {
        for page in read(&house, locale).await {
            assert!(page.contains("203.0.113.7") && page.contains(place), "{locale}: {page}");
        }
    }
}

#[tokio::test]
async fn without_a_file_no_city_is_shown() {
    let house = House::open().await;
    house.team().await;

    for page in read(&house, "en").await {
        assert!(page.contains("203.0.113.7") && !page.contains("Tehran"), "{page}");
    }
}

#[tokio::test]
async fn a_file_that_is_none_is_named_and_nothing_starts() {
    let mut ground = Ground::prepare(&telegram().await.url()).await;
    ground.settings.insert("MEYDAN_CITIES_FILE", "/nowhere/cities.mmdb".to_owned());
    let runtime = meydan_testkit::servers::workspace().join(".meydan/runtime");
    let runtime = runtime.to_str().expect("it is text");

    let said = ground.run(PROGRAM, &["up", "--runtime", runtime]).await;

    let said = said.expect_err("it does not start");
    assert!(said.contains("cities-file /nowhere/cities.mmdb cannot be used"), "{said}");
}
