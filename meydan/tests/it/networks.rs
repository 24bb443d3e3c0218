//! Where staff does not work nobody comes in as staff, nor learns by trying whether a password was right.

use std::net::SocketAddr;

use reqwest::{Client, StatusCode, redirect::Policy};

use crate::{office::PASSWORD, revocation::House};

const OFFICE: &str = "203.0.113.7";

/// A browser without cookies, whose proxy says from where it comes.
struct Browser {
    client: Client,
    gateway: SocketAddr,
    forwarded: String,
}

impl Browser {
    fn at(gateway: SocketAddr, forwarded: &str) -> Self {
        let client = Client::builder().no_proxy().redirect(Policy::none()).build();
        Self { client: client.expect("a client"), gateway, forwarded: forwarded.to_owned() }
    }

    /// Sends the form of the login page; the status, where it leads, and the page without what differs by itself.
    async fn log_in(&self, email: &str, password: &str) -> (StatusCode, String, String) {
        let url = format!("http://{}/login", self.gateway);
        let page = self.client.get(&url).header("X-Forwarded-For", &self.forwarded);
        let page = page.send().await.expect("it is answered");
        let cookie = page.headers()["set-cookie"].to_str().expect("a cookie").to_owned();
        let cookie = cookie.split(';').next().expect("a cookie").to_owned();
        let html = page.text().await.expect("it is read");
        let csrf = html.split("name=\"csrf\" value=\"").nth(1).expect("the page has a form");
        let csrf = csrf.split('"').next().expect("it ends").to_owned();
        let form = [("csrf", csrf.as_str()), ("email", email), ("password", password)];
        let sent = self.client.post(&url).header("X-Forwarded-For", &self.forwarded);
        let sent = sent.header("Cookie", cookie).form(&form).send().await;
        let sent = sent.expect("it is answered");
        let to = sent.headers().get("location").map(|to| to.to_str().expect("text").to_owned());
        let cookies = sent.headers().get_all("set-cookie").iter().count();
        let (status, body) = (sent.status(), sent.text().await.expect("it is read"));
        let body = format!("{cookies} {}", without_tokens(&body).replace(email, ""));
        (status, to.unwrap_or_default(), body)
    }
}

/// A page without the tokens of its forms, each of which is another one.
fn without_tokens(html: &str) -> String {
    let mut pieces = html.split("name=\"csrf\" value=\"");
    let first = pieces.next().unwrap_or_default().to_owned();
    pieces.fold(first, |page, piece| page + piece.split_once('"').map_or("", |(_, rest)| rest))
}

#[tokio::test]
async fn from_outside_the_networks_of_staff_a_right_password_of_an_admin_is_a_wrong_one() {
    let house = House::open_with(|setup| {
        setup.trusted_proxies = vec!["127.0.0.0/8".parse().expect("a network")];
        setup.admin_networks = vec!["203.0.113.0/24".parse().expect("a network")];
    })
    .await;
    house.team().await;
    house.staff().await;
    let (admin, sara) = ("admin@meydan.example", "sara@meydan.example");
    // The last proxy's word counts; whatever stands left of it was invented by who asks.
    for outside in ["198.51.100.1", "203.0.113.7, 198.51.101.1", "203.0.113.7 198.51.102.1"] {
        let browser = Browser::at(house.gateways[0], outside);
        let right = browser.log_in(admin, PASSWORD).await;
        let wrong = browser.log_in(admin, "something quite else").await;
        let nobody = browser.log_in("nobody@meydan.example", PASSWORD).await;
        assert_eq!(right.0, StatusCode::UNPROCESSABLE_ENTITY, "{outside}");
        assert!(
            right == nobody && wrong == nobody,
            "{outside}: {} {}",
            right.2.len(),
            wrong.2.len()
        );
        let member = browser.log_in(sara, PASSWORD).await;
        assert_eq!(member.0, StatusCode::SEE_OTHER, "members work everywhere");
    }
    let inside = Browser::at(house.gateways[1], &format!("198.51.100.1, {OFFICE}"));
    let (status, to, _) = inside.log_in(admin, PASSWORD).await;
    assert_eq!((status, to.as_str()), (StatusCode::SEE_OTHER, "/login/factor?next=%2F"));
}
