//! How often clients may ask, with two gateways: what one has counted counts at the other.

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use gateway::limits::Rates;

use uuid::Uuid;

use crate::revocation::{House, get};

const RATES: Rates = Rates { panel: 40, login: 5, live: 100 };
/// How soon a gateway has to know of what another one counted.
const SOON: Duration = Duration::from_secs(2);

fn client() -> reqwest::Client {
    let client = reqwest::Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none());
    client.build().expect("a client can be made")
}

/// Tries to log in without a form's token: 403, as long as the try is taken.
async fn try_login(client: reqwest::Client, gateway: SocketAddr) -> reqwest::Response {
    let sent = client.post(format!("http://{gateway}/login")).body("").send().await;
    sent.expect("it is answered")
}

async fn page(client: &reqwest::Client, gateway: SocketAddr) -> u16 {
    let sent = client.get(format!("http://{gateway}/login")).send().await;
    sent.expect("it is answered").status().as_u16()
}

/// How many of twenty logins are taken that are tried at once, half of them at each gateway.
async fn taken_at_once(client: &reqwest::Client, house: &House) -> usize {
    let tries = (0..20).map(|n| tokio::spawn(try_login(client.clone(), house.gateways[n % 2])));
    let mut taken = 0;
    for answer in tries.collect::<Vec<_>>() {
        let status = answer.await.expect("no task breaks").status().as_u16();
        assert!(matches!(status, 403 | 429), "{status}");
        taken += usize::from(status == 403);
    }
    taken
}

#[tokio::test]
async fn five_logins_a_minute_are_five_however_many_gateways_there_are() {
    let (house, client) = (House::with(RATES).await, client());

    assert_eq!(taken_at_once(&client, &house).await, 5);

    for gateway in house.gateways {
        let refused = try_login(client.clone(), gateway).await;
        assert_eq!(refused.status().as_u16(), 429);
        assert_eq!(refused.headers()["retry-after"], "60", "the clock stands at a full minute");
    }
    *house.now.lock().expect("no test panics here") += Duration::from_secs(60);
    assert_eq!(taken_at_once(&client, &house).await, 5, "the next minute begins anew");
}

#[tokio::test]
async fn pages_that_one_gateway_served_count_at_the_other_a_moment_later() {
    let (house, client) = (House::with(RATES).await, client());
    let [one, other, _] = house.gateways;
    for _ in 0..RATES.panel {
        assert_eq!(page(&client, one).await, 200);
    }

    let began = Instant::now();
    let mut served = 0;
    while page(&client, other).await == 200 {
        served += 1;
        assert!(served < RATES.panel, "it counts for itself alone");
    }
    assert!(began.elapsed() < SOON);
    assert_eq!(page(&client, one).await, 429);
}

/// How many of a kind of request the other gateways take, once the first has taken as many as all may together.
async fn taken_elsewhere(
    house: &House,
    most: u32,
    ask: impl AsyncFn(SocketAddr) -> reqwest::Response,
) -> u32 {
    let [one, other, third] = house.gateways;
    for _ in 0..most {
        assert_ne!(ask(one).await.status().as_u16(), 429);
    }
    let (began, mut taken) = (Instant::now(), 0);
    for gateway in [other, third] {
        loop {
            let answer = ask(gateway).await;
            if answer.status().as_u16() == 429 {
                assert!(answer.headers().contains_key("retry-after"));
                break;
            }
            taken += 1;
            assert!(taken < most, "each counts for itself alone");
        }
    }
    assert!(began.elapsed() < SOON);
    taken
}

#[tokio::test]
async fn parts_of_pages_and_calls_of_unknown_webhooks_count_at_all_gateways() {
    let (house, client) = (House::with(RATES).await, client());
    house.team().await;
    let session = house.log_in().await;

    let part = async |gateway| get(gateway, "/c/tehran/figures", &session).await;
    // Until identity has vouched for the session, the first at each gateway is its address's.
    taken_elsewhere(&house, RATES.live, part).await;
    let call = async |gateway: SocketAddr| {
        let url = format!("http://{gateway}/telegram/{}", Uuid::new_v4().simple());
        client.post(url).body("{}").send().await.expect("it is answered")
    };
    taken_elsewhere(&house, RATES.panel, call).await;
}

#[tokio::test]
async fn without_the_broker_parts_and_webhooks_are_counted_by_each_gateway_and_never_open() {
    let (mut house, client) = (House::with(RATES).await, client());
    house.nats.kill().await;

    for gateway in house.gateways {
        let mut taken = [0; 2];
        for _ in 0..RATES.live + 5 {
            let url = format!("http://{gateway}/telegram/{}", Uuid::new_v4().simple());
            let call = client.post(url).body("{}").send().await.expect("it is answered");
            let part = get(gateway, "/c/tehran/figures", "nobody").await;
            for (taken, answer) in taken.iter_mut().zip([call, part]) {
                *taken += u32::from(answer.status().as_u16() != 429);
            }
        }
        assert_eq!(taken, [RATES.panel, RATES.live]);
    }
}

#[tokio::test]
async fn without_the_broker_each_gateway_still_counts_and_nobody_waits() {
    let (mut house, client) = (House::with(RATES).await, client());
    for gateway in house.gateways {
        assert_eq!(page(&client, gateway).await, 200, "it serves");
    }
    house.nats.kill().await;

    let began = Instant::now();
    assert_eq!(taken_at_once(&client, &house).await, 10, "five at each");
    let took = began.elapsed();
    assert!(took < Duration::from_secs(5), "it took {took:?}, and no call waits so long");
}

#[tokio::test]
async fn an_account_takes_five_logins_a_minute_of_strangers_and_its_own_browser_is_not_among_them()
{
    let house = House::with(Rates { login: 5, ..RATES }).await;
    house.team().await;
    let sara = "sara@meydan.example";
    let device = house.enter(sara, "", "203.0.113.1").await.expect("it is right");

    for number in 0..4 {
        let address = format!("198.51.{number}.7");
        let wrong = house.enter_with((sara, "wrong"), "", &address).await;
        assert_eq!(wrong, Err("identity.login.failed".to_owned()));
        let unknown = house.enter_with(("nobody@meydan.example", "wrong"), "", &address).await;
        assert_eq!(unknown, wrong, "nobody learns who is here");
    }
    let unknown = ("nobody@meydan.example", "wrong");
    house.enter_with(unknown, "", "198.51.9.7").await.expect_err("it is the fifth");
    for who in [(sara, "wrong"), unknown] {
        let refused = house.enter_with(who, "", "192.0.2.200").await;
        assert_eq!(refused, Err("identity.login.too_many".to_owned()));
    }

    assert!(house.enter(sara, &device, "203.0.113.1").await.is_ok(), "her browser is known");
}

#[tokio::test]
async fn whoever_is_closed_out_takes_nothing_of_the_minute_of_others() {
    let house = House::with(Rates { login: 8, ..RATES }).await;
    house.team().await;
    let sara = "sara@meydan.example";

    // Five wrong ones close the account to a network, which goes on all the same.
    let mut answers = vec![];
    for _ in 0..20 {
        answers.push(house.enter_with((sara, "wrong"), "", "198.51.100.7").await);
    }
    let told = |code: &str| answers.iter().filter(|told| **told == Err(code.to_owned())).count();
    assert_eq!((told("identity.login.failed"), told("identity.login.too_many")), (13, 7));

    assert!(house.enter(sara, "", "203.0.113.1").await.is_ok(), "from elsewhere it is open");
}
