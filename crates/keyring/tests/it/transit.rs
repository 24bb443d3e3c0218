//! The platform's key in a key service: a small one that keeps the rules of Vault's transit engine.

use std::{
    collections::HashMap,
    os::unix::fs::PermissionsExt,
    sync::{Arc, Mutex},
};

use axum::{
    Json, Router,
    extract::{Path, State},
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
    routing::post,
};
use meydan_event_log::prepare_database;
use meydan_keyring::{KeyError, Keyring, MIGRATOR, Place, PlatformKey, Sealed, Transit, WrapError};
use meydan_testkit::{
    detour::Detour,
    servers::{folder, postgres, prefix},
};
use serde_json::{Value, json};
use sqlx::postgres::PgPoolOptions;
use url::Url;
use uuid::Uuid;

const TENANT: Uuid = Uuid::from_u128(1);
const SARA: Uuid = Uuid::from_u128(2);
const PLACE: Place = Place::new(TENANT, "test", Uuid::from_u128(3), "text");
const TOKEN: &str = "hvs.token-of-a-test";

/// What the service knows. Ciphertexts are names of what it keeps: a client cannot tell the difference.
#[derive(Debug, Default)]
struct Inside {
    sealed: bool,
    /// Newest version of the key `meydan`.
    version: u32,
    /// Plaintext and associated data by ciphertext.
    wrapped: HashMap<String, (String, String)>,
}

type Service = Arc<Mutex<Inside>>;

fn errors(status: StatusCode, errors: &[&str]) -> Response {
    (status, Json(json!({ "errors": errors }))).into_response()
}

async fn answer(
    State(service): State<Service>,
    Path((operation, key)): Path<(String, String)>,
    headers: HeaderMap,
    Json(body): Json<Value>,
) -> Response {
    let mut inside = service.lock().expect("no test panics here");
    let token = headers.get("x-vault-token").and_then(|token| token.to_str().ok());
    if inside.sealed {
        return errors(StatusCode::SERVICE_UNAVAILABLE, &["Vault is sealed"]);
    }
    if token != Some(TOKEN) {
        return errors(StatusCode::FORBIDDEN, &["permission denied"]);
    }
    if key != "meydan" {
        return errors(StatusCode::BAD_REQUEST, &["encryption key not found"]);
    }
    let text = |name: &str| body[name].as_str().unwrap_or_default().to_owned();
    match operation.as_str() {
        "encrypt" => {
            let ciphertext = format!("vault:v{}:{}", inside.version, Uuid::new_v4().simple());
            let plain = (text("plaintext"), text("associated_data"));
            inside.wrapped.insert(ciphertext.clone(), plain);
            Json(json!({ "data": { "ciphertext": ciphertext, "key_version": inside.version } }))
                .into_response()
        }
        "decrypt" => match inside.wrapped.get(&text("ciphertext")) {
            Some((plain, place)) if *place == text("associated_data") => {
                Json(json!({ "data": { "plaintext": plain } })).into_response()
            }
            Some(_) => errors(StatusCode::BAD_REQUEST, &["cipher: message authentication failed"]),
            None => errors(StatusCode::BAD_REQUEST, &["invalid ciphertext: no prefix"]),
        },
        _ => errors(StatusCode::NOT_FOUND, &[]),
    }
}

struct Vault {
    address: Url,
    service: Service,
    secrets: tempfile::TempDir,
}

impl Vault {
    async fn start() -> Self {
        let service = Service::default();
        service.lock().expect("nobody else").version = 1;
        let routes = Router::new()
            .route("/v1/transit/{operation}/{key}", post(answer))
            .with_state(service.clone());
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
        let address = listener.local_addr().expect("it has an address");
        tokio::spawn(async move { axum::serve(listener, routes).await });
        let address = Url::parse(&format!("http://{address}")).expect("it is a URL");
        let vault = Self { address, service, secrets: folder() };
        vault.give_token(TOKEN, 0o600);
        vault
    }

    fn token(&self) -> std::path::PathBuf {
        self.secrets.path().join("vault.token")
    }

    fn give_token(&self, token: &str, mode: u32) {
        std::fs::write(self.token(), format!("{token}\n")).expect("there is room");
        let mode = std::fs::Permissions::from_mode(mode);
        std::fs::set_permissions(self.token(), mode).expect("it is ours");
    }

    fn key(&self, name: &str) -> Transit {
        Transit::open(&self.address, name, &self.token()).expect("it can be used")
    }

    fn inside<T>(&self, change: impl FnOnce(&mut Inside) -> T) -> T {
        change(&mut self.service.lock().expect("no test panics here"))
    }
}

#[tokio::test]
async fn a_key_service_wraps_and_unwraps_and_older_versions_stay_readable() {
    let vault = Vault::start().await;
    let key = [7; 32].into();

    let old = vault.key("meydan").wrap(&key, b"here").await.expect("it wraps");
    vault.inside(|inside| inside.version = 2);
    let new = vault.key("meydan").wrap(&key, b"here").await.expect("it wraps");

    assert!(old.starts_with(b"vault:v1:") && new.starts_with(b"vault:v2:"));
    for wrapped in [&old, &new] {
        assert_eq!(vault.key("meydan").unwrap(wrapped, b"here").await, Ok(key.clone()));
    }
    let moved = vault.key("meydan").unwrap(&new, b"elsewhere").await;
    assert_eq!(moved, Err(WrapError::Tampered));
    let foreign = vault.key("meydan").unwrap(b"not a ciphertext", b"here").await;
    assert_eq!(foreign, Err(WrapError::Tampered));
}

#[tokio::test]
async fn a_sealed_service_a_wrong_token_and_a_missing_key_are_unavailable_each_in_its_words() {
    let vault = Vault::start().await;
    let key = [7; 32].into();
    let said = |answer: Result<Vec<u8>, WrapError>| match answer {
        Err(WrapError::Unavailable(said)) => said,
        other => panic!("{other:?}"),
    };

    vault.inside(|inside| inside.sealed = true);
    assert_eq!(said(vault.key("meydan").wrap(&key, b"").await), "the key service is sealed");
    vault.inside(|inside| inside.sealed = false);
    vault.give_token("hvs.another", 0o600);
    let refused = said(vault.key("meydan").wrap(&key, b"").await);
    assert_eq!(refused, "the key service refuses the token");
    vault.give_token(TOKEN, 0o600);
    let missing = said(vault.key("another").wrap(&key, b"").await);
    assert_eq!(missing, "the key service does not wrap with the key another");
    vault.give_token(TOKEN, 0o644);
    let open = Transit::open(&vault.address, "meydan", &vault.token()).expect_err("others read it");
    assert!(open.to_string().contains("chmod it to 600"), "{open}");

    let nowhere = Url::parse("http://127.0.0.1:1").expect("it is a URL");
    vault.give_token(TOKEN, 0o600);
    let nowhere = Transit::open(&nowhere, "meydan", &vault.token()).expect("it can be tried");
    let away = said(nowhere.wrap(&key, b"").await);
    assert!(!away.contains("127.0.0.1"), "logs do not tell where it is: {away}");
    assert_eq!(format!("{nowhere:?}"), "Transit(meydan)");
}

#[tokio::test]
async fn a_service_that_points_elsewhere_is_not_followed_with_the_token() {
    let (vault, detour) = (Vault::start().await, Detour::start().await.expect("ports are free"));
    let address = Url::parse(detour.url()).expect("it is a URL");
    let key = Transit::open(&address, "meydan", &vault.token()).expect("it can be tried");

    let wrapped = key.wrap(&[7; 32].into(), b"here").await;
    let unwrapped = key.unwrap(b"vault:v1:x", b"here").await;

    assert!(matches!(wrapped, Err(WrapError::Unavailable(_))), "{wrapped:?}");
    assert!(matches!(unwrapped, Err(WrapError::Unavailable(_))));
    assert_eq!((detour.asked(), detour.strayed()), (2, 0));
}

#[tokio::test]
async fn people_are_sealed_under_a_key_that_the_service_keeps() {
    let vault = Vault::start().await;
    let url = prepare_database(postgres(), &format!("{}keys", prefix()), &[&MIGRATOR]).await;
    let url = url.expect("the database can be made");
    let pool = PgPoolOptions::new().max_connections(4).connect(&url).await.expect("it answers");
    let keyring = || Keyring::new(pool.clone(), Arc::new(vault.key("meydan")));
    let sealer = keyring().sealer(TENANT, SARA).await.expect("a key is made");
    let sealed: Sealed<String> = sealer.seal(&PLACE, "راز");

    vault.inside(|inside| inside.version = 2);
    assert_eq!(keyring().rewrap_campaigns().await.expect("they are wrapped anew"), 1);
    let wrapped: Vec<u8> = sqlx::query_scalar("SELECT wrapped FROM campaign_keys")
        .fetch_one(&pool)
        .await
        .expect("it is there");
    assert!(wrapped.starts_with(b"vault:v2:"));
    let opened = keyring().reveal(&sealed, TENANT, &PLACE).await.expect("keys answer");
    assert_eq!(opened, Some("راز".to_owned()));

    vault.inside(|inside| inside.sealed = true);
    let away = keyring().reveal(&sealed, TENANT, &PLACE).await;
    assert!(matches!(away, Err(KeyError::Unavailable(_))));
}
