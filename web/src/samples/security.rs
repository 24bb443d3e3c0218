//! Samples of second factors, devices and history.

use time::Duration;

use super::{NOW, Sample, Samples};
use crate::{
    form::{Problem, Problems},
    pages::security::{
        Browser, EnrolPage, Factor, FactorNeed, FactorRefusal, FactorsPage, Happened, HistoryPage,
        LoginFactorPage, Passkeys, ProvePage, RecoveryCodesPage, Session, SessionsPage,
    },
    shell::Nav,
};

const BROWSER: Browser = Browser { program: Some("Firefox"), system: Some("Android") };

pub(super) fn samples(make: &Samples) -> Vec<Sample> {
    let mut samples = proofs(make);
    samples.extend(factors(make));
    samples.extend(devices(make));
    samples
}

fn proofs(make: &Samples) -> Vec<Sample> {
    let step = LoginFactorPage {
        shell: make.outside("/login/factor"),
        next: String::new(),
        trusted: false,
        by_code: true,
        passkeys: Passkeys::Nowhere,
        refusal: None,
    };
    let passkey = LoginFactorPage {
        by_code: false,
        passkeys: Passkeys::Here,
        refusal: Some(FactorRefusal::WrongPasskey),
        ..step.clone()
    };
    let refused = LoginFactorPage { refusal: Some(FactorRefusal::WrongCode), ..step.clone() };
    let prove = ProvePage {
        shell: make.owner(Nav::Account, "/account/prove"),
        by_code: true,
        passkeys: Passkeys::Here,
        next: "/account/factors".to_owned(),
        refusal: None,
    };
    let password = ProvePage {
        by_code: false,
        refusal: Some(FactorRefusal::WrongCode),
        passkeys: Passkeys::Nowhere,
        ..prove.clone()
    };
    vec![
        Sample { name: "login-factor", html: step.render() },
        Sample { name: "login-factor-refused", html: refused.render() },
        Sample { name: "login-factor-passkey", html: passkey.render() },
        Sample { name: "prove", html: prove.render() },
        Sample { name: "prove-refused", html: password.render() },
    ]
}

fn factors(make: &Samples) -> Vec<Sample> {
    let shell = make.owner(Nav::Account, "/account/factors");
    let none = FactorsPage {
        shell: shell.clone(),
        factors: Vec::new(),
        codes_left: 0,
        needed: Some(FactorNeed::Platform),
        passkeys: Passkeys::At("http://localhost:8080".to_owned()),
        problems: Problems::none(),
    };
    let factor = |name: &str, used| Factor {
        id: "0198c0de-0000-7000-8000-000000000004".to_owned(),
        name: name.to_owned(),
        created_at: NOW - Duration::days(40),
        last_used_at: used,
        passkey: name == "MacBook",
    };
    let some = FactorsPage {
        factors: vec![
            factor("تلفن همراه", Some(NOW - Duration::hours(2))),
            factor("MacBook", None),
        ],
        codes_left: 8,
        needed: None,
        passkeys: Passkeys::Here,
        ..none.clone()
    };
    let refused_key = FactorsPage {
        problems: Problems::none().and("credential", Problem::WrongPasskey),
        ..some.clone()
    };
    let used_up = FactorsPage { codes_left: 0, ..some.clone() };
    let nowhere = FactorsPage {
        factors: some.factors[..1].to_vec(),
        passkeys: Passkeys::Nowhere,
        ..some.clone()
    };
    let enrol = EnrolPage {
        shell: shell.clone(),
        id: "0198c0de-0000-7000-8000-000000000004".to_owned(),
        secret: "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ".to_owned(),
        url: "otpauth://totp/Meydan:maryam%40example.ir?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ&issuer=Meydan".to_owned(),
        problems: Problems::none(),
    };
    let refused =
        EnrolPage { problems: Problems::none().and("code", Problem::WrongCode), ..enrol.clone() };
    let code = |number: usize| format!("{number:04}-7fkq-2m9x-vbnt-0c5h-8wzr");
    let codes = RecoveryCodesPage { shell, codes: (1..=10).map(code).collect() };
    vec![
        Sample { name: "factors-none", html: none.render() },
        Sample { name: "factors", html: some.render() },
        Sample { name: "factors-passkey-refused", html: refused_key.render() },
        Sample { name: "factors-codes-used-up", html: used_up.render() },
        Sample { name: "factors-no-passkeys", html: nowhere.render() },
        Sample { name: "enrol", html: enrol.render() },
        Sample { name: "enrol-refused", html: refused.render() },
        Sample { name: "recovery-codes", html: codes.render() },
    ]
}

fn devices(make: &Samples) -> Vec<Sample> {
    let session = |id: &str, browser: Browser, present: bool| Session {
        id: id.to_owned(),
        created_at: NOW - Duration::days(3),
        last_seen_at: NOW - Duration::hours(5),
        address: "192.0.2.17".to_owned(),
        place: present.then(|| "تهران، ایران".to_owned()),
        browser,
        trusted: present,
        present,
    };
    let here = Browser { program: Some("Chrome"), system: Some("Windows") };
    let sessions = SessionsPage {
        shell: make.owner(Nav::Account, "/account/sessions"),
        sessions: vec![
            session("a", here, true),
            session("b", BROWSER, false),
            session("c", Browser::default(), false),
        ],
    };
    let entry = |hours, kind: &str, proof: &str| Happened {
        at: NOW - Duration::hours(hours),
        kind: format!("account.{kind}"),
        proof: proof.to_owned(),
        page: if kind == "looked_at" { "inbox".to_owned() } else { String::new() },
        address: "192.0.2.17".to_owned(),
        place: (hours < 30).then(|| "تهران، ایران".to_owned()),
        browser: BROWSER,
    };
    let history = HistoryPage {
        shell: make.owner(Nav::Account, "/account/history"),
        entries: vec![
            entry(1, "logged_in", "totp"),
            entry(2, "locked", ""),
            entry(2, "log_in_failed", "password"),
            entry(20, "logged_out", ""),
            entry(30, "proved_again", "recovery_code"),
            entry(40, "passkey_doubted", "passkey"),
            entry(50, "factor_added", ""),
            entry(70, "password_set", ""),
        ],
        before: Some(7),
    };
    vec![
        Sample { name: "sessions", html: sessions.render() },
        Sample { name: "history", html: history.render() },
    ]
}
