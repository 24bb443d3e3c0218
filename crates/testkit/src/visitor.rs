//! Somebody who sends forms from any address, as a trusted proxy tells of it.

use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use reqwest::{StatusCode, header, redirect};

/// Somebody with the form of the login.
#[derive(Debug, Clone)]
pub struct Visitor {
    client: reqwest::Client,
    url: String,
    cookie: String,
    csrf: String,
}

/// How a form was answered.
#[derive(Debug, PartialEq, Eq)]
pub struct Answer {
    /// Its status.
    pub status: StatusCode,
    /// Where the visitor is led, if anywhere.
    pub location: String,
    /// How many seconds to wait, if that is said.
    pub retry_after: Option<String>,
    /// The page.
    pub page: String,
    /// How long it took.
    pub took: Duration,
}

impl Visitor {
    /// Opens the login of the panel at `url`.
    ///
    /// # Errors
    ///
    /// When nobody answers, or there is no form.
    pub async fn at(url: &str) -> Result<Self> {
        let client = reqwest::Client::builder()
            .redirect(redirect::Policy::none())
            .no_proxy()
            .pool_max_idle_per_host(256)
            .build()?;
        let response = client.get(format!("{url}/login")).send().await?;
        let cookie = response.headers().get(header::SET_COOKIE).context("a cookie is set")?;
        let cookie = cookie.to_str()?.split(';').next().context("it has a value")?.to_owned();
        let page = response.text().await?;
        let csrf =
            page.split("name=\"csrf\" value=\"").nth(1).and_then(|rest| rest.split('"').next());
        let csrf = csrf.context("the form has a token")?.to_owned();
        Ok(Self { client, url: url.to_owned(), cookie, csrf })
    }

    /// Sends a form from `address`.
    ///
    /// # Errors
    ///
    /// When nobody answers.
    pub async fn send(&self, path: &str, fields: &[(&str, &str)], address: &str) -> Result<Answer> {
        let form = [fields, &[("csrf", self.csrf.as_str())]].concat();
        let request = self.client.post(format!("{}{path}", self.url)).form(&form);
        let request = request.header(header::COOKIE, &self.cookie);
        let request = request.header("X-Forwarded-For", address);
        let asked = Instant::now();
        let response = request.send().await?;
        let (status, headers) = (response.status(), response.headers().clone());
        let text = |name| {
            let value = headers.get(name).and_then(|value| value.to_str().ok());
            value.map(ToOwned::to_owned)
        };
        let (location, retry_after) = (text(header::LOCATION), text(header::RETRY_AFTER));
        let page = response.text().await?;
        let took = asked.elapsed();
        let location = location.unwrap_or_default();
        Ok(Answer { status, location, retry_after, page, took })
    }

    /// Tries a password.
    ///
    /// # Errors
    ///
    /// When nobody answers.
    pub async fn log_in(&self, email: &str, password: &str, address: &str) -> Result<Answer> {
        let fields = [("email", email), ("password", password), ("next", "")];
        self.send("/login", &fields, address).await
    }
}

/// An address of its own for each number.
#[must_use]
pub fn address(number: usize) -> String {
    format!("10.{}.{}.{}", number / 65_025 % 255, number / 255 % 255, number % 255 + 1)
}

/// An address in a network of its own for each number.
#[must_use]
pub fn network(number: usize) -> String {
    format!("10.{}.{}.7", number / 256 % 256, number % 256)
}
