//! For how long what was taken back is still believed, by the real clock: by three gateways and by the page that lies
//! open, with the broker and without. A measurement, which `make attack` makes; docs/benchmarks.md has the figures.

use std::time::{Duration, Instant};

use meydan_rpc::{
    caller::Who,
    pb::identity::{ChangePasswordRequest, EndSessionsRequest, accounts_client::AccountsClient},
};
use tokio::task::JoinSet;

use crate::{
    revocation::{House, PASSWORD, Team},
    unheard::Open,
};

const SARA: &str = "sara@meydan.example";
const ANOTHER: &str = "another long pass phrase 8";
/// How often each is taken back while the broker is there, which takes a moment, and while it is away.
const HEARD: usize = 50;
const UNHEARD: usize = 5;

/// What is taken back, and with it a session.
#[derive(Debug, Clone, Copy)]
enum Taken {
    Device,
    Password,
    Seat,
}

impl Taken {
    const ALL: [Self; 3] = [Self::Device, Self::Password, Self::Seat];

    /// Takes it back from whoever has `open`; `hers` is another session of the same person.
    async fn back(self, (house, team): (&House, &Team), open: &Open, hers: &Open) {
        let mut accounts = AccountsClient::new(house.identity.channel());
        match self {
            Self::Device => {
                let Who::Account { session, .. } = open.holder.who else {
                    panic!("a person holds it")
                };
                let message = EndSessionsRequest { session_id: session.to_string() };
                let ended = accounts.end_sessions(house.identity.ask(&hers.holder, message)).await;
                ended.expect("it is a device of hers");
            }
            Self::Password => change_password(house, hers, (PASSWORD, ANOTHER)).await,
            Self::Seat => house.set_active(team, false).await,
        }
    }

    /// Makes it as it was.
    async fn again(self, (house, team): (&House, &Team), hers: &Open) {
        match self {
            Self::Device => {}
            Self::Password => change_password(house, hers, (ANOTHER, PASSWORD)).await,
            Self::Seat => house.set_active(team, true).await,
        }
    }
}

async fn change_password(house: &House, holder: &Open, (from, to): (&str, &str)) {
    let message =
        ChangePasswordRequest { current_password: from.to_owned(), new_password: to.to_owned() };
    let mut accounts = AccountsClient::new(house.identity.channel());
    let changed = accounts.change_password(house.identity.ask(&holder.holder, message)).await;
    changed.expect("it is her password");
}

/// Has the clock of a house go on as the real one does.
fn run_clock(house: &House) -> JoinSet<()> {
    let (now, began) = (house.now.clone(), Instant::now());
    let start = *now.lock().expect("no test panics here");
    let mut clock = JoinSet::new();
    clock.spawn(async move {
        let mut ticks = tokio::time::interval(Duration::from_millis(1));
        loop {
            ticks.tick().await;
            *now.lock().expect("no test panics here") = start + began.elapsed();
        }
    });
    clock
}

/// How long each of so many took, from the answer that it is taken back until the open page has ended and every gateway
/// leads to the login: the middle and the longest.
async fn believed(
    (house, team): (&House, &Team),
    taken: Taken,
    rounds: usize,
) -> (Duration, Duration) {
    let mut took = vec![];
    for _ in 0..rounds {
        let (mut open, hers) = (house.open_page(SARA).await, house.open_page(SARA).await);
        taken.back((house, team), &open, &hers).await;
        let began = Instant::now();
        while let Ok(Some(_)) = open.stream.chunk().await {}
        while house.answers(&open.session).await != [303; 3] {}
        took.push(began.elapsed());
        taken.again((house, team), &hers).await;
    }
    took.sort();
    (took[took.len() / 2], took[took.len() - 1])
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a measurement: `make attack` makes it"]
#[expect(clippy::print_stdout, reason = "the figures are what it is for")]
async fn what_is_taken_back_is_believed_for_a_second_and_without_the_broker_for_five() {
    let mut house = House::open().await;
    let team = house.team().await;
    let _clock = run_clock(&house);
    println!(
        "| taken back | broker | rounds | middle | longest |\n| --- | --- | ---: | ---: | ---: |"
    );
    for (broker, rounds, bar) in [("there", HEARD, 1), ("away", UNHEARD, 5)] {
        if broker == "away" {
            house.nats.kill().await;
        }
        for taken in Taken::ALL {
            let (middle, longest) = believed((&house, &team), taken, rounds).await;
            println!("| {taken:?} | {broker} | {rounds} | {middle:.0?} | {longest:.0?} |");
            assert!(longest <= Duration::from_secs(bar), "{taken:?}, the broker is {broker}");
        }
    }
}
