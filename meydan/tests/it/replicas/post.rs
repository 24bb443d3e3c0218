//! What comes by mail or SMS and is good once, and what a passkey has signed.

use meydan_testkit::process::{Page, Person};
use time::Duration;

use super::{
    RATES, SARA, count, gateways::challenge_in, give_password, open_all, rounds, send_all,
};
use crate::revocation::{House, SITE};

/// Between rounds: ten letters a day are asked for.
const PAUSE: Duration = Duration::hours(3);

/// Sara's browser at each gateway, on her account's page: the same cookies in all.
async fn her_pages(house: &House, sara: &Person, path: &str) -> Vec<(Person, Page)> {
    let mut open = vec![];
    for gateway in house.gateways {
        let there = sara.at(&format!("http://{gateway}"));
        let page = there.open(path).await;
        open.push((there, page));
    }
    open
}

/// Sara, who has just come in, at the first gateway.
async fn sara(house: &House) -> Person {
    let browser = house.browsers().swap_remove(0);
    give_password(&browser).await;
    browser
}

fn six_digits(letter: &str) -> String {
    let mut words = letter.split(|letter: char| !letter.is_ascii_digit());
    words.find(|word| word.len() == 6).expect("the letter has a code").to_owned()
}

/// Whether a page is the account's, and says that something was proved.
fn proved(page: &Page) -> bool {
    page.url.contains("/account?notice=")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_mailed_code_and_a_mailed_link_count_once_however_many_gateways_see_them_at_once() {
    let house = House::with(RATES).await;
    house.team().await;
    for round in 0..rounds() {
        for by_link in [false, true] {
            house.later(PAUSE);
            let sara = sara(&house).await;
            let page = sara.open("/account").await;
            let read = house.letters();
            let asked = sara.send(&page, "/account/email/send", &[]).await;
            assert_eq!(asked.status, 200, "round {round}: {}", asked.html);
            let (action, code) = if by_link {
                let letter = house.letters_after(read, "/account/email/").await;
                let token = letter.split_whitespace().next().expect("the link has a token");
                (format!("/account/email/{token}"), String::new())
            } else {
                // The link stands below the code.
                house.letters_after(read, "/account/email/").await;
                let code = six_digits(&house.letters_after(read, SARA).await);
                ("/account/email/code".to_owned(), code)
            };
            let path = if by_link { &action } else { "/account" };
            let open = her_pages(&house, &sara, path).await;
            let typed = |_| vec![("email_code", code.clone())];

            let sent = send_all(&open, &action, typed).await;

            let told = || sent.iter().map(|page| page.html.as_str()).collect::<String>();
            let counted = count(&sent, proved);
            assert_eq!(counted, 1, "round {round}, by link: {by_link}: {code} {}", told());
            assert_eq!(count(&send_all(&open, &action, typed).await, proved), 0, "once");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_code_of_an_sms_counts_once_however_many_gateways_see_it_at_once() {
    let house = House::with(RATES).await;
    house.team().await;
    for round in 0..rounds() {
        house.later(PAUSE);
        let sara = sara(&house).await;
        let page = sara.open("/account").await;
        let read = house.letters();
        let phone = format!("+98912123{round:04}");
        let asked = sara.send(&page, "/account/phone", &[("phone", &phone)]).await;
        assert!(asked.says("phone_code"), "round {round}: {} {}", asked.url, asked.html);
        let code = six_digits(&house.letters_after(read, &phone).await);
        let open = her_pages(&house, &sara, "/account").await;
        let typed = |_| vec![("phone_code", code.clone())];

        let counted = count(&send_all(&open, "/account/phone/code", typed).await, proved);

        assert_eq!(counted, 1, "round {round}");
        let again = send_all(&open, "/account/phone/code", typed).await;
        assert_eq!(count(&again, proved), 0, "once");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_signed_challenge_lets_one_in_however_many_gateways_it_is_shown_to_at_once() {
    let house = House::with(RATES).await;
    house.team().await;
    let holder = house.holder(&house.log_in().await).await;
    let (mut key, _) = house.add_passkey(&holder).await;
    for round in 0..rounds() {
        // A network asks for sixty a minute.
        house.later(Duration::minutes(1));
        let open = open_all(&house, "/login").await;
        let asked = open[0].0.send(&open[0].1, "/login/passkey/ask", &[]).await;
        let (token, options) = challenge_in(&asked.html);
        let credential = key.sign(SITE, &options);
        let shown = |_| vec![("token", token.clone()), ("credential", credential.clone())];
        let came_in = |page: &Page| page.status == 200 && !page.url.contains("/login");

        let entered = count(&send_all(&open, "/login/passkey", shown).await, came_in);

        assert_eq!(entered, 1, "round {round}");
        let again = open_all(&house, "/login").await;
        let again = count(&send_all(&again, "/login/passkey", shown).await, came_in);
        assert_eq!(again, 0, "round {round}: it is used up");
    }
}
