//! Samples of a campaign's home, and of one's own account.

use time::Duration;

use super::{NOW, Sample, Samples, inbox};
use crate::{
    form::{Problem, Problems},
    pages::{
        account::{AccountPage, PreferencesCard},
        bot::BotState,
        campaigns::CampaignStatus,
        contact::{ConfirmEmailPage, ContactCard},
        home::{Day, Figures, FiguresFragment, HomePage, Setup},
        stopped::StoppedPage,
    },
    shell::Nav,
};

const SLUG: &str = "isfahan-ahmadi";

pub(super) fn samples(make: &Samples) -> Vec<Sample> {
    let mut samples = homes(make);
    samples.extend(stops(make));
    samples.extend(accounts(make));
    samples
}

fn figures() -> Figures {
    let tickets = [9, 14, 11, 18, 7, 12, 16, 21, 13, 19, 28, 17, 24, 31];
    let citizens = [5, 8, 7, 11, 4, 6, 9, 13, 8, 10, 17, 9, 15, 19];
    let minutes =
        [61.0, 54.0, 58.0, 49.0, 66.0, 52.0, 47.0, 44.0, 38.0, 41.0, 36.0, 33.0, 35.0, 29.0];
    let days = (0_u8..14)
        .map(|index| {
            let at = usize::from(index);
            Day {
                date: (NOW - Duration::days(13 - i64::from(index))).date(),
                tickets: tickets[at],
                new_citizens: citizens[at],
                answers: tickets[at] + 3,
                first_response_minutes: Some(minutes[at]),
            }
        })
        .collect();
    Figures {
        unanswered: 12,
        oldest_waiting: Some(NOW - Duration::hours(7)),
        undelivered: 2,
        citizens: 1_284,
        tickets: 1_912,
        answers: 2_406,
        days,
        first_response_minutes: Some(34.0),
        first_response_minutes_before: Some(52.0),
    }
}

fn homes(make: &Samples) -> Vec<Sample> {
    let tickets = inbox::rows().into_iter().take(7).collect();
    let busy = HomePage {
        shell: make.owner(Nav::Home, "/c/isfahan-ahmadi"),
        slug: SLUG.to_owned(),
        figures: figures(),
        tickets,
        bot: Some(BotState::Live),
        bot_username: "ahmadi_isfahan_bot".to_owned(),
        setup: Setup {
            bot_connected: true,
            first_message: true,
            team_invited: true,
            first_answer: true,
        },
    };
    let fragment = FiguresFragment {
        shell: busy.shell.clone(),
        slug: SLUG.to_owned(),
        figures: busy.figures.clone(),
        tickets: busy.tickets.clone(),
    };
    let mut empty = HomePage {
        figures: Figures::default(),
        tickets: Vec::new(),
        bot: None,
        bot_username: String::new(),
        setup: Setup {
            bot_connected: false,
            first_message: false,
            team_invited: false,
            first_answer: false,
        },
        ..busy.clone()
    };
    empty.shell.unread = 0;
    let mut started = busy.clone();
    started.setup.team_invited = false;
    started.setup.first_answer = false;
    vec![
        Sample { name: "home", html: busy.render() },
        Sample { name: "home-started", html: started.render() },
        Sample { name: "home-empty", html: empty.render() },
        Sample { name: "fragment-figures", html: fragment.render() },
    ]
}

fn stops(make: &Samples) -> Vec<Sample> {
    let mut shell = make.owner(Nav::None, "/c/isfahan-ahmadi");
    shell.campaign = None;
    shell.opens = Vec::new();
    let suspended = StoppedPage {
        shell,
        name: "مریم احمدی".to_owned(),
        status: CampaignStatus::Suspended,
        deletion_due_at: None,
    };
    let page = |status, deletion_due_at| {
        StoppedPage { status, deletion_due_at, ..suspended.clone() }.render()
    };
    let due = Some(NOW + Duration::days(30));
    vec![
        Sample { name: "stopped", html: suspended.render() },
        Sample { name: "stopped-draft", html: page(CampaignStatus::Draft, None) },
        Sample { name: "stopped-archived", html: page(CampaignStatus::Archived, None) },
        Sample { name: "stopped-leaving", html: page(CampaignStatus::Archived, due) },
    ]
}

fn accounts(make: &Samples) -> Vec<Sample> {
    let page = AccountPage {
        shell: make.owner(Nav::Account, "/account"),
        email: "maryam@example.ir".to_owned(),
        contact: ContactCard {
            email: "maryam@example.ir".to_owned(),
            email_proved: true,
            phone: "+989121234567".to_owned(),
            ..ContactCard::default()
        },
        preferences: PreferencesCard::default(),
        problems: Problems::none(),
    };
    let unproved = AccountPage {
        contact: ContactCard { email: page.email.clone(), ..ContactCard::default() },
        ..page.clone()
    };
    let stale = AccountPage {
        contact: ContactCard {
            prove_for_email: true,
            prove_for_phone: true,
            ..page.contact.clone()
        },
        ..page.clone()
    };
    let proving = AccountPage {
        contact: ContactCard {
            email: page.email.clone(),
            pending_email: "maryam.new@example.ir".to_owned(),
            pending_phone: "+989121234567".to_owned(),
            typed_phone: "0912".to_owned(),
            problems: Problems::none()
                .and("email_code", Problem::CodeOver)
                .and("email", Problem::TooSoon)
                .and("phone", Problem::InvalidPhone),
            ..ContactCard::default()
        },
        ..page.clone()
    };
    let link = |expired| ConfirmEmailPage {
        shell: make.owner(Nav::Account, "/account/email/a1b2c3"),
        token: "a1b2c3".to_owned(),
        expired,
    };
    let refused = AccountPage {
        problems: Problems::none()
            .and("current_password", Problem::WrongPassword)
            .and("new_password", Problem::NamedPassword),
        ..page.clone()
    };
    vec![
        Sample { name: "account", html: page.render() },
        Sample { name: "account-refused", html: refused.render() },
        Sample { name: "account-unproved", html: unproved.render() },
        Sample { name: "account-stale", html: stale.render() },
        Sample { name: "account-proving", html: proving.render() },
        Sample { name: "confirm-email", html: link(false).render() },
        Sample { name: "confirm-email-expired", html: link(true).render() },
    ]
}
