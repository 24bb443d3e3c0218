//! Forms that are sent to all gateways at once, with the cookies of one browser, and answers that are followed nowhere.

use futures::future::join_all;
use reqwest::{
    Client, RequestBuilder,
    header::{self, HeaderValue},
    redirect,
};
use serde_json::Value;

use crate::revocation::House;

/// What a browser keeps, and with what its forms are signed.
pub(super) struct Browser {
    cookies: String,
    csrf: String,
}

impl Browser {
    /// One that has a session.
    pub(super) fn of(session: &str) -> Self {
        Self { cookies: format!("meydan={session}"), csrf: gateway::csrf::token(session) }
    }

    /// One with a login that waits for its second factor.
    pub(super) fn waiting(challenge: &str) -> Self {
        let cookies = format!("meydan-form=form; meydan-challenge={challenge}");
        Self { cookies, csrf: gateway::csrf::token("form") }
    }
}

/// Where a form goes, and what it says.
pub(super) type Form = (String, Vec<(&'static str, String)>);

/// How a gateway has answered.
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) location: String,
    body: String,
    /// The token that the session has from now on, if the browser is given one.
    session: Option<String>,
}

/// The gateways of a house.
pub(super) struct Gateways<'a> {
    pub(super) house: &'a House,
    client: Client,
}

impl<'a> Gateways<'a> {
    pub(super) fn of(house: &'a House) -> Self {
        let client = Client::builder().no_proxy().redirect(redirect::Policy::none()).build();
        Self { house, client: client.expect("a client can be made") }
    }

    /// Opens a page at all of them at once.
    pub(super) async fn open(&self, browser: &Browser, path: &str) -> Vec<Answer> {
        let opened = self.house.gateways.iter().map(|gateway| {
            let request = self.client.get(format!("http://{gateway}{path}"));
            answer(request.header(header::COOKIE, &browser.cookies))
        });
        join_all(opened).await
    }

    /// Sends a form to each of them at once.
    pub(super) async fn send(
        &self,
        browser: &Browser,
        form: impl Fn(usize) -> Form,
    ) -> Vec<Answer> {
        let sent = (0..self.house.gateways.len()).map(|number| {
            let (path, fields) = form(number);
            answer(self.post(number, browser, (path.as_str(), fields)))
        });
        join_all(sent).await
    }

    /// What a script gets that asks the first of them for a passkey: a token, and what is to be signed.
    pub(super) async fn ask(&self, browser: &Browser, path: &str) -> (String, String) {
        challenge_in(&answer(self.post(0, browser, (path, vec![]))).await.body)
    }

    fn post(
        &self,
        number: usize,
        browser: &Browser,
        (path, mut fields): (&str, Vec<(&'static str, String)>),
    ) -> RequestBuilder {
        fields.push(("csrf", browser.csrf.clone()));
        let request = self.client.post(format!("http://{}{path}", self.house.gateways[number]));
        request.form(&fields).header(header::COOKIE, &browser.cookies)
    }
}

async fn answer(request: RequestBuilder) -> Answer {
    let response = request.send().await.expect("it is answered");
    let (status, headers) = (response.status().as_u16(), response.headers().clone());
    let text = |value: &HeaderValue| value.to_str().unwrap_or_default().to_owned();
    let location = headers.get(header::LOCATION).map(text).unwrap_or_default();
    let mut cookies = headers.get_all(header::SET_COOKIE).iter().map(text);
    let session = cookies.find_map(|cookie| {
        let token = cookie.strip_prefix("meydan=")?.split(';').next()?;
        Some(token.to_owned())
    });
    Answer { status, location, body: response.text().await.expect("it arrives"), session }
}

/// The tokens that sessions were given.
pub(super) fn given(answers: Vec<Answer>) -> Vec<String> {
    answers.into_iter().filter_map(|answer| answer.session).collect()
}

pub(super) fn statuses(answers: &[Answer]) -> Vec<u16> {
    answers.iter().map(|answer| answer.status).collect()
}

/// What a script reads that has asked for a passkey: the token, and what is to be signed.
pub(super) fn challenge_in(json: &str) -> (String, String) {
    let asked: Value = serde_json::from_str(json).expect("it is JSON");
    (asked["token"].as_str().expect("a text").to_owned(), asked["options"].to_string())
}
