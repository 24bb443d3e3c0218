//! The script keeps the promises that the demonstration and the services' rules need.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use time::{Duration, OffsetDateTime, macros::datetime};

use super::{
    Demo, DemoCampaign, DemoContent, DemoDelivery, DemoStep, DemoTicket,
    library::{Library, Turn},
    script,
};

const NOW: OffsetDateTime = datetime!(2026-11-20 18:40 UTC);
const NIGHT: OffsetDateTime = datetime!(2026-11-21 00:10 UTC);

fn demos() -> Vec<(OffsetDateTime, Demo)> {
    let moments = [NOW, NIGHT, datetime!(2027-03-19 06:00 UTC)];
    moments.iter().flat_map(|now| (1..=4).map(|seed| (*now, script(seed, *now)))).collect()
}

fn tickets(demo: &Demo) -> impl Iterator<Item = (&DemoCampaign, &DemoTicket)> {
    demo.campaigns.iter().flat_map(|campaign| campaign.tickets.iter().map(move |t| (campaign, t)))
}

/// The text of each step that has one, and whether the team wrote it.
fn texts(ticket: &DemoTicket) -> impl Iterator<Item = (&str, bool)> {
    ticket.steps.iter().filter_map(|step| match step {
        DemoStep::Citizen { text, .. } => text.as_deref().map(|text| (text, false)),
        DemoStep::Answer { text, .. } => Some((text, true)),
        DemoStep::Edit { text, .. } => Some((text, false)),
        DemoStep::Status { .. } => None,
    })
}

/// Plays a ticket by the rules of the CRM; gives its status, since when, and how often it reopened.
fn play(ticket: &DemoTicket) -> (&'static str, OffsetDateTime, u32) {
    let (mut status, mut since, mut reopened) = ("new", ticket.steps[0].at(), 0);
    for step in &ticket.steps {
        let before = status;
        status = match (step, before) {
            (DemoStep::Citizen { at, .. }, "resolved") => {
                assert!(*at - since <= Duration::hours(72), "a message that would open a new one");
                reopened += 1;
                "in_progress"
            }
            (DemoStep::Citizen { .. }, "closed") => panic!("a message in a closed ticket"),
            (DemoStep::Citizen { .. }, "waiting") | (DemoStep::Answer { .. }, "new") => {
                "in_progress"
            }
            (DemoStep::Status { to, .. }, _) => {
                assert_ne!(before, *to, "a move that changes nothing");
                assert!(before != "closed" && (before != "resolved" || *to == "closed"));
                to
            }
            _ => before,
        };
        if status != before {
            since = step.at();
        }
    }
    (status, since, reopened)
}

#[test]
fn the_same_seed_and_moment_give_the_same_script() {
    assert_eq!(script(7, NOW), script(7, NOW));
    assert_ne!(script(7, NOW), script(8, NOW));
}

#[test]
fn there_are_two_campaigns_with_200_citizens_and_500_tickets() {
    for (_, demo) in demos() {
        assert_eq!(demo.campaigns.len(), 2);
        assert_eq!(demo.campaigns.iter().map(|c| c.citizens.len()).sum::<usize>(), 200);
        assert_eq!(tickets(&demo).count(), 500);
        for campaign in &demo.campaigns {
            assert_eq!(campaign.members[0].role, "owner");
            assert!(campaign.members.iter().skip(1).all(|member| member.role == "staff"));
            assert!(campaign.members.iter().all(|member| member.email.ends_with(".example")));
            let ids: BTreeSet<i64> = campaign.citizens.iter().map(|c| c.user_id).collect();
            assert_eq!(ids.len(), campaign.citizens.len());
            let writers: BTreeSet<usize> = campaign.tickets.iter().map(|t| t.citizen).collect();
            assert_eq!(writers.len(), campaign.citizens.len(), "every citizen has written");
        }
    }
}

#[test]
fn the_tickets_are_spread_over_all_statuses() {
    for (_, demo) in demos() {
        let mut counts = BTreeMap::new();
        let mut comebacks = 0;
        for (_, ticket) in tickets(&demo) {
            let (status, _, reopened) = play(ticket);
            *counts.entry(status).or_insert(0) += 1;
            comebacks += reopened;
        }
        let within = |status: &str, low: i32, high: i32| (low..=high).contains(&counts[status]);
        assert!(within("new", 50, 70), "{counts:?}");
        assert!(within("in_progress", 60, 80), "{counts:?}");
        assert!(within("waiting", 40, 60), "{counts:?}");
        assert!(within("resolved", 200, 260), "{counts:?}");
        assert!(within("closed", 65, 120), "{counts:?}");
        assert!((5..80).contains(&comebacks), "{comebacks}");
    }
}

#[test]
fn steps_are_in_order_within_the_month_and_never_in_the_future() {
    for (now, demo) in demos() {
        for (campaign, ticket) in tickets(&demo) {
            assert!(matches!(ticket.steps[0], DemoStep::Citizen { .. }));
            assert!(ticket.steps[0].at() >= now - Duration::days(30));
            assert!(ticket.steps.windows(2).all(|pair| pair[0].at() < pair[1].at()));
            assert!(ticket.steps[ticket.steps.len() - 1].at() <= now);
            for step in &ticket.steps {
                match step {
                    DemoStep::Answer { member, .. } | DemoStep::Status { member, .. } => {
                        assert!(*member < campaign.members.len());
                    }
                    DemoStep::Edit { of, .. } => {
                        assert!(matches!(ticket.steps[*of], DemoStep::Citizen { .. }));
                    }
                    DemoStep::Citizen { .. } => {}
                }
            }
        }
        for campaign in &demo.campaigns {
            let opened: Vec<_> = campaign.tickets.iter().map(|t| t.steps[0].at()).collect();
            assert!(opened.is_sorted());
            assert!(opened.iter().filter(|at| now - **at < Duration::hours(1)).count() >= 3);
            let recent = opened.iter().filter(|at| now - **at < Duration::days(12)).count();
            assert!(recent * 2 > opened.len(), "it grows: {recent} of {}", opened.len());
        }
    }
}

#[test]
fn a_citizen_has_at_most_one_ticket_at_a_time() {
    for (_, demo) in demos() {
        for campaign in &demo.campaigns {
            let mut last: BTreeMap<usize, (&str, OffsetDateTime)> = BTreeMap::new();
            for ticket in &campaign.tickets {
                let opened = ticket.steps[0].at();
                match last.get(&ticket.citizen) {
                    None => {}
                    Some(("resolved", since)) => assert!(opened - *since > Duration::hours(72)),
                    Some(("closed", since)) => assert!(opened > *since),
                    Some((status, _)) => panic!("a second ticket beside one that is {status}"),
                }
                let (status, since, _) = play(ticket);
                last.insert(ticket.citizen, (status, since));
            }
        }
    }
}

#[test]
fn first_responses_take_minutes_mostly_and_nine_hours_at_most() {
    for (_, demo) in demos() {
        let mut waits: Vec<Duration> = tickets(&demo)
            .filter_map(|(_, ticket)| {
                let answer =
                    ticket.steps.iter().position(|step| matches!(step, DemoStep::Answer { .. }))?;
                let asked = ticket.steps[..answer]
                    .iter()
                    .rfind(|step| !matches!(step, DemoStep::Status { .. }))?;
                Some(ticket.steps[answer].at() - asked.at())
            })
            .collect();
        waits.sort();
        assert!(waits[0] >= Duration::minutes(3));
        assert!(waits[waits.len() - 1] <= Duration::hours(9));
        let median = waits[waits.len() / 2];
        assert!((25..=60).contains(&median.whole_minutes()), "{median}");
    }
}

#[test]
fn every_placeholder_is_filled_and_every_text_fits_a_message() {
    for (_, demo) in demos() {
        for (_, ticket) in tickets(&demo) {
            for (text, _) in texts(ticket) {
                assert!(!text.contains(['{', '}', '|']), "{text}");
                assert!(!text.trim().is_empty() && text.trim() == text, "{text:?}");
                assert!(text.encode_utf16().count() <= 4_096);
            }
        }
    }
    let places = Library::load().campaigns;
    for conversation in Library::load().conversations {
        for key in conversation.turns.iter().flat_map(placeholders) {
            let special = ["hon", "first", "candidate", "member", "me", "day", "n"];
            let known = special.contains(&key)
                || places.iter().all(|campaign| campaign.places.contains_key(key));
            assert!(known || key.contains('|'), "{key} in {}", conversation.id);
        }
    }
}

fn placeholders(turn: &Turn) -> Vec<&str> {
    let text = match turn {
        Turn::Citizen { text, .. } => text.as_deref().unwrap_or(""),
        Turn::Answer { text, .. } | Turn::Edit { text } => text,
        Turn::Resolve => "",
    };
    text.split('{').skip(1).filter_map(|part| part.split('}').next()).collect()
}

#[test]
fn the_team_writes_orderly_persian() {
    for (_, demo) in demos() {
        let mut arabic = 0;
        for (_, ticket) in tickets(&demo) {
            for (text, by_team) in texts(ticket) {
                let foreign = text.contains(['ي', 'ك']);
                arabic += usize::from(foreign);
                if by_team {
                    assert!(!foreign, "Arabic letters: {text}");
                    let loose = [" می ", " نمی ", " ها ", " های ", "  ", " ،", " ."];
                    assert!(!loose.iter().any(|part| text.contains(part)), "{text}");
                }
            }
        }
        assert!(arabic <= 60, "{arabic}");
    }
}

#[test]
fn the_conversations_are_many_and_seldom_read_the_same() {
    let conversations = Library::load().conversations;
    let ids: BTreeSet<&str> = conversations.iter().map(|c| c.id.as_str()).collect();
    assert_eq!(ids.len(), conversations.len());
    assert!(ids.len() >= 150);
    for (_, demo) in demos() {
        for campaign in &demo.campaigns {
            let mut first = BTreeMap::new();
            for text in campaign.tickets.iter().filter_map(|ticket| texts(ticket).next()) {
                *first.entry(text.0).or_insert(0_usize) += 1;
            }
            assert!(first.values().all(|count| *count <= 5), "{first:?}");
            assert!(first.len() * 100 / campaign.tickets.len() >= 85, "{}", first.len());
        }
    }
}

#[test]
fn every_kind_of_message_occurs() {
    for (_, demo) in demos() {
        let mut kinds = HashSet::new();
        let (mut edits, mut phones) = (0, 0);
        for (_, ticket) in tickets(&demo) {
            for step in &ticket.steps {
                match step {
                    DemoStep::Citizen { content, text, .. } => {
                        assert!(text.is_some() || *content != DemoContent::Text);
                        kinds.insert(std::mem::discriminant(content));
                    }
                    DemoStep::Edit { .. } => edits += 1,
                    DemoStep::Answer { .. } | DemoStep::Status { .. } => {}
                }
            }
        }
        phones +=
            demo.campaigns.iter().flat_map(|c| &c.citizens).filter(|c| c.phone.is_some()).count();
        assert_eq!(kinds.len(), 9);
        assert!(edits >= 4);
        assert!((8..60).contains(&phones), "{phones}");
    }
}

#[test]
fn whoever_blocked_the_bot_is_not_answered_again() {
    for (_, demo) in demos() {
        for campaign in &demo.campaigns {
            let mut gone = BTreeSet::new();
            for ticket in &campaign.tickets {
                assert!(!gone.contains(&ticket.citizen), "a later ticket");
                let mut failed = false;
                for step in &ticket.steps {
                    match step {
                        DemoStep::Status { .. } => {}
                        _ if failed => panic!("a word after the failed answer"),
                        DemoStep::Answer { delivery: DemoDelivery::Failed(_), .. } => failed = true,
                        _ => {}
                    }
                }
                if failed {
                    gone.insert(ticket.citizen);
                }
            }
            assert_eq!(gone.len(), 5);
        }
    }
}
