//! Every address has a policy, and the list of those that ask for nobody in particular only shrinks.

use gateway::{access::Need, limits::RateClass, routes::table};

/// Addresses that anybody may ask for: those of machines, whose requests are not counted, and the panel's.
const MACHINES: &[&str] =
    &["POST /telegram/{hook_id}", "GET /static/{*path}", "GET /healthz", "GET /livez"];
const OPEN: &[&str] = &[
    "GET /login",
    "POST /login",
    "GET /login/factor",
    "POST /login/factor",
    "POST /logout",
    "GET /welcome/{token}",
    "POST /welcome/{token}",
    "GET /recover",
    "POST /recover",
    "GET /recover/{token}",
    "POST /recover/{token}",
    "POST /preferences",
    "GET /login/passkey",
    "POST /login/passkey",
    "POST /login/passkey/ask",
    "GET /login/factor/passkey",
    "POST /login/factor/passkey",
    "POST /login/factor/passkey/ask",
];

#[test]
fn only_what_leads_in_and_out_is_open_to_everybody() {
    let open = |free| {
        let routes = table().into_iter().filter(move |route| {
            let access = route.access;
            access.need == Need::Nobody && (access.rate == RateClass::Free) == free
        });
        routes.map(|route| format!("{} {}", route.method, route.path)).collect::<Vec<_>>()
    };

    assert_eq!(open(true), MACHINES);
    assert_eq!(open(false), OPEN);
}

/// Addresses that take what could be guessed, or send a letter.
const TRIES: &[&str] = &[
    "/login",
    "/login/factor",
    "/recover",
    "/account/email",
    "/account/email/send",
    "/account/email/code",
    "/account/email/{token}",
    "/account/phone",
    "/account/phone/code",
    "/account/password",
    "/account/prove",
    "/login/passkey",
    "/login/factor/passkey",
    "/account/prove/passkey",
];

#[test]
fn what_could_be_guessed_is_tried_five_times_a_minute_and_forms_of_links_are_sent_as_often_as_any()
{
    let tries = table().into_iter().filter(|route| route.access.rate == RateClass::Login);
    let tries = tries.map(|route| (route.method.to_string(), route.path)).collect::<Vec<_>>();

    assert!(tries.iter().all(|(method, _)| method == "POST"));
    assert_eq!(tries.iter().map(|(_, path)| *path).collect::<Vec<_>>(), TRIES);
}

#[test]
fn every_request_of_a_person_is_counted() {
    for route in table() {
        if route.access.need != Need::Nobody {
            assert_ne!(route.access.rate, RateClass::Free, "{}", route.path);
        }
    }
}

#[test]
fn admin_pages_are_for_admins_and_campaign_pages_ask_a_permission() {
    for route in table() {
        if route.path.starts_with("/admin") {
            assert_eq!(route.access.need, Need::Admin, "{}", route.path);
        }
        if route.path.starts_with("/c/{slug}") {
            let permission = matches!(route.access.need, Need::Permission(_));
            assert!(permission, "{}", route.path);
        }
    }
}

#[test]
fn what_programs_ask_is_asked_with_a_key_reads_only_and_is_counted_by_key() {
    for route in table() {
        let keyed = matches!(route.access.need, Need::ApiKey(_));
        assert_eq!(keyed, route.path.starts_with("/api/"), "{}", route.path);
        assert_eq!(keyed, route.access.rate == RateClass::Api, "{}", route.path);
        assert!(!keyed || route.method == "GET", "{}", route.path);
    }
}

#[test]
fn fields_of_names_and_addresses_take_as_much_as_identity_does() {
    let fields = (meydan_web::form::LONGEST_NAME, meydan_web::form::LONGEST_EMAIL);
    assert_eq!(fields, (identity_domain::LONGEST_NAME, identity_domain::LONGEST_EMAIL));
}

#[test]
fn every_permission_that_an_address_asks_is_in_the_catalogue() {
    let catalogue = identity_domain::Role::Owner.permissions();
    for route in table() {
        if let Need::Permission(permission) | Need::ApiKey(permission) = route.access.need {
            assert!(catalogue.contains(&permission), "{permission} of {}", route.path);
        }
    }
}
