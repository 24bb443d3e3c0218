//! Samples of the pages before anybody is known, and of failures.

use super::{Sample, Samples};
use crate::{
    form::{Problem, Problems},
    notice::Notice,
    pages::{
        entry::{Invitation, LinkExpiredPage, LoginPage, LoginRefusal, WelcomePage},
        error::{ErrorPage, Failure, Wait},
        recover::{Asking, NewPasswordPage, RecoverPage},
        security::Passkeys,
    },
    shell::Impersonation,
};

pub(super) fn samples(make: &Samples) -> Vec<Sample> {
    let mut samples = logins(make);
    samples.extend(welcomes(make));
    samples.extend(recoveries(make));
    samples.extend(failures(make));
    samples
}

fn recoveries(make: &Samples) -> Vec<Sample> {
    let ask = |asking, email: &str, problems| {
        let shell = make.outside("/recover");
        RecoverPage { shell, asking, email: email.to_owned(), problems }.render()
    };
    let choose = |removes_factors, problems| {
        let (token, email) = ("a1b2c3".to_owned(), "maryam@example.ir".to_owned());
        let shell = make.outside("/recover/a1b2c3");
        NewPasswordPage { shell, token, email, admin: false, removes_factors, problems }.render()
    };
    let none = Problems::none;
    let weak = none().and("new_password", Problem::CommonPassword);
    let wrong = none().and("email", Problem::InvalidEmail);
    vec![
        Sample { name: "recover", html: ask(Asking::Open, "", none()) },
        Sample { name: "recover-refused", html: ask(Asking::Open, "maryam@", wrong) },
        Sample { name: "recover-sent", html: ask(Asking::Sent, "", none()) },
        Sample { name: "recover-expired", html: ask(Asking::Expired, "", none()) },
        Sample { name: "new-password", html: choose(true, none()) },
        Sample { name: "new-password-refused", html: choose(false, weak) },
    ]
}

fn logins(make: &Samples) -> Vec<Sample> {
    let blank = LoginPage {
        shell: make.outside("/login"),
        email: String::new(),
        next: String::new(),
        trusted: false,
        passkeys: Passkeys::Here,
        refusal: None,
    };
    let refused = LoginPage {
        email: "maryam@example.ir".to_owned(),
        next: "/c/isfahan-ahmadi/inbox".to_owned(),
        trusted: true,
        refusal: Some(LoginRefusal::WrongCredentials),
        ..blank.clone()
    };
    let elsewhere = LoginPage {
        passkeys: Passkeys::At("http://localhost:8080".to_owned()),
        refusal: Some(LoginRefusal::WrongPasskey),
        ..blank.clone()
    };
    let mut ended = blank.clone();
    ended.shell.notice = Some(Notice::SessionEnded);
    vec![
        Sample { name: "login", html: blank.render() },
        Sample { name: "login-refused", html: refused.render() },
        Sample { name: "login-passkey-elsewhere", html: elsewhere.render() },
        Sample { name: "login-session-ended", html: ended.render() },
    ]
}

fn welcomes(make: &Samples) -> Vec<Sample> {
    let first = WelcomePage {
        shell: make.outside("/welcome/a1b2c3"),
        token: "a1b2c3".to_owned(),
        invitation: Invitation::FirstAdmin,
        display_name: String::new(),
        email: String::new(),
        problems: Problems::none(),
    };
    let refused = WelcomePage {
        display_name: "نرگس کاویانی".to_owned(),
        email: "narges@".to_owned(),
        problems: Problems::none()
            .and("email", Problem::InvalidEmail)
            .and("password", Problem::TooShort { min: 15 })
            .and("password_again", Problem::PasswordsDiffer),
        ..first.clone()
    };
    let member = WelcomePage {
        invitation: Invitation::Begin {
            name: "سعید نوری".to_owned(),
            email: "saeed.nouri@example.ir".to_owned(),
            candidate: Some("مریم احمدی".to_owned()),
        },
        ..first.clone()
    };
    let begun = WelcomePage {
        invitation: Invitation::LogIn {
            email: "saeed.nouri@example.ir".to_owned(),
            candidate: Some("مریم احمدی".to_owned()),
        },
        ..first.clone()
    };
    let held = WelcomePage {
        invitation: Invitation::Accept {
            email: "saeed.nouri@example.ir".to_owned(),
            candidate: Some("مریم احمدی".to_owned()),
        },
        ..first.clone()
    };
    let expired = LinkExpiredPage { shell: make.outside("/welcome/a1b2c3") };
    vec![
        Sample { name: "welcome-first-admin", html: first.render() },
        Sample { name: "welcome-refused", html: refused.render() },
        Sample { name: "welcome-member", html: member.render() },
        Sample { name: "welcome-log-in", html: begun.render() },
        Sample { name: "welcome-accept", html: held.render() },
        Sample { name: "link-expired", html: expired.render() },
    ]
    .into_iter()
    .chain(welcomes_of_admins(&first))
    .collect()
}

fn welcomes_of_admins(first: &WelcomePage) -> [Sample; 3] {
    let to_administer = |invitation| WelcomePage { invitation, ..first.clone() };
    let (name, email) = ("سعید نوری".to_owned(), "saeed.nouri@example.ir".to_owned());
    let candidate = None;
    let begin = to_administer(Invitation::Begin { name, email: email.clone(), candidate });
    let candidate = None;
    let accept = to_administer(Invitation::Accept { email, candidate });
    let short = WelcomePage {
        problems: Problems::none().and("current_password", Problem::NotForAdmins),
        ..accept.clone()
    };
    [
        Sample { name: "welcome-admin", html: begin.render() },
        Sample { name: "welcome-admin-accept", html: accept.render() },
        Sample { name: "welcome-admin-short", html: short.render() },
    ]
}

fn failures(make: &Samples) -> Vec<Sample> {
    let names = [
        "error-400",
        "error-403",
        "error-stale",
        "error-404",
        "error-405",
        "error-413",
        "error-414",
        "error-422",
        "error-429",
        "error-431",
        "error-500",
        "error-503",
    ];
    let page = |failure: Failure| ErrorPage {
        shell: make.outside("/c/isfahan-ahmadi"),
        failure,
        missing: None,
        trace_id: (failure == Failure::Internal)
            .then(|| "4bf92f3577b34da6a3ce929d0e0e4736".to_owned()),
        wait: (failure == Failure::TooManyRequests)
            .then(|| Wait { seconds: 42, back: "/login?next=%2Fc%2Fisfahan-ahmadi".to_owned() }),
    };
    let mut stranger = page(Failure::NotFound);
    stranger.shell.csrf.clear();
    let mut lacking = page(Failure::Forbidden);
    lacking.missing = Some("identity:api_key.manage");
    let mut looking = page(Failure::Forbidden);
    looking.shell.impersonation =
        Some(Impersonation { name: "نرگس زاینده".to_owned(), minutes: 9 });
    let failures = names.into_iter().zip(Failure::ALL);
    failures
        .map(|(name, failure)| Sample { name, html: page(failure).render() })
        .chain([
            Sample { name: "error-stranger", html: stranger.render() },
            Sample { name: "error-lacking", html: lacking.render() },
            Sample { name: "error-looking", html: looking.render() },
        ])
        .collect()
}
