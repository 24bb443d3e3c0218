//! Samples of the inbox: lists, and conversations with every kind of message.

use time::Duration;

use super::{NOW, Sample, Samples};
use crate::{
    pages::inbox::{
        CitizenCard, Composer, ComposerProblem, Conversation, Filter, InboxPage, MessagesFragment,
        OtherTicket, Preview, TicketList, TicketListFragment, TicketRow, TicketStatus,
    },
    shell::Nav,
};

mod talk;

const SLUG: &str = "isfahan-ahmadi";

pub(super) fn samples(make: &Samples) -> Vec<Sample> {
    let mut samples = lists(make);
    samples.extend(conversations(make));
    samples
}

fn row(number: i64, words: [&str; 2], status: TicketStatus, minutes: i64) -> TicketRow {
    let [name, subject] = words;
    TicketRow {
        number,
        citizen_name: name.to_owned(),
        subject: subject.to_owned(),
        first_kind: Preview::Text,
        status,
        last_at: NOW - Duration::minutes(minutes),
        waiting_since: None,
        undelivered: 0,
        erased: false,
    }
}

fn waits(row: TicketRow) -> TicketRow {
    TicketRow { waiting_since: Some(row.last_at), ..row }
}

/// The conversations of the sample campaign, the newest first.
pub(super) fn rows() -> Vec<TicketRow> {
    use TicketStatus::{Closed, InProgress, New, Resolved, Waiting};
    let roads = "سلام، آسفالت جلوی مدرسهٔ شهید رجایی سه ماه است خراب شده";
    vec![
        waits(row(1912, ["زهرا محمدی", roads], InProgress, 5)),
        waits(row(1911, ["علی رضایی", "پیشنهاد ایجاد فضای سبز در زمین خالی محله"], New, 23)),
        waits(TicketRow {
            first_kind: Preview::Voice, ..row(1910, ["حسین کریمی", ""], New, 71)
        }),
        row(1909, ["مریم حسینی", "برنامهٔ شما برای اشتغال جوانان چیست؟"], Waiting, 130),
        TicketRow {
            undelivered: 1,
            ..row(1908, ["رضا قاسمی", "درخواست ملاقات حضوری با خانم احمدی"], InProgress, 260)
        },
        row(1907, ["Sara Ahmadi", "How can I register as a volunteer observer?"], Resolved, 1500),
        waits(TicketRow {
            first_kind: Preview::Photo,
            ..row(1906, ["فاطمه موسوی", ""], New, 2_000)
        }),
        TicketRow { erased: true, ..row(1905, ["", ""], Closed, 5_000) },
        row(1904, ["", "قطعی روشنایی کوچهٔ دوازدهم خیابان نظر"], Resolved, 9_000),
        row(
            1903,
            ["پویا اسدی", "وضعیت خط دو مترو چه شد؟ قرار بود پارسال افتتاح شود"],
            Closed,
            30_000,
        ),
        row(1902, ["نسرین صادقی", "کتابخانهٔ محلهٔ ما تعطیل شده است"], Closed, 420_000),
    ]
}

fn list() -> TicketList {
    use TicketStatus::{Closed, InProgress, New, Resolved, Waiting};
    TicketList {
        slug: SLUG.to_owned(),
        filter: Filter::All,
        counts: vec![
            (Filter::All, 1_912),
            (Filter::Unanswered, 12),
            (Filter::Status(New), 8),
            (Filter::Status(InProgress), 31),
            (Filter::Status(Waiting), 14),
            (Filter::Status(Resolved), 203),
            (Filter::Status(Closed), 1_656),
            (Filter::Undelivered, 2),
        ],
        rows: rows(),
        before: None,
        older: Some("1763700000.1901".to_owned()),
        open: None,
    }
}

fn lists(make: &Samples) -> Vec<Sample> {
    let shell = make.owner(Nav::Inbox, "/c/isfahan-ahmadi/inbox");
    let page = InboxPage { shell: shell.clone(), list: list(), conversation: None };
    let mut empty = page.clone();
    empty.shell.unread = 0;
    empty.list = TicketList { counts: Vec::new(), rows: Vec::new(), older: None, ..list() };
    let mut nothing = page.clone();
    nothing.list =
        TicketList { filter: Filter::Undelivered, rows: Vec::new(), older: None, ..list() };
    let mut older = page.clone();
    older.list.before = Some("1763700000.1901".to_owned());
    older.list.filter = Filter::Status(TicketStatus::Closed);
    older.list.older = None;
    let fragment = TicketListFragment { shell, list: list() };
    vec![
        Sample { name: "inbox", html: page.render() },
        Sample { name: "inbox-empty", html: empty.render() },
        Sample { name: "inbox-no-match", html: nothing.render() },
        Sample { name: "inbox-older", html: older.render() },
        Sample { name: "fragment-ticket-list", html: fragment.render() },
    ]
}

fn citizen() -> CitizenCard {
    let other = |number, subject: &str, status, days| OtherTicket {
        number,
        subject: subject.to_owned(),
        first_kind: Preview::Text,
        status,
        last_at: NOW - Duration::days(days),
    };
    CitizenCard {
        name: "زهرا محمدی".to_owned(),
        username: "zahra_mhmdi".to_owned(),
        language: "fa".to_owned(),
        phone: "+989121234567".to_owned(),
        source: "poster-naghsh-e-jahan".to_owned(),
        first_seen: NOW - Duration::days(41),
        last_seen: NOW - Duration::minutes(5),
        blocked: false,
        erased: false,
        others: vec![
            other(1620, "ساعت کار ستاد خیابان چهارباغ", TicketStatus::Closed, 12),
            other(1187, "تشکر بابت پیگیری چراغ راهنما", TicketStatus::Resolved, 41),
        ],
    }
}

fn conversation() -> Conversation {
    Conversation {
        slug: SLUG.to_owned(),
        number: 1912,
        subject: "سلام، آسفالت جلوی مدرسهٔ شهید رجایی سه ماه است خراب شده".to_owned(),
        first_kind: Preview::Text,
        status: TicketStatus::InProgress,
        moves: vec![TicketStatus::Waiting, TicketStatus::Resolved, TicketStatus::Closed],
        messages: talk::everyday(),
        citizen: citizen(),
        composer: Composer {
            command_id: "0198c0de-0000-7000-8000-000000000004".to_owned(),
            move_id: "0198c0de-0000-7000-8000-000000000005".to_owned(),
            ..Composer::default()
        },
    }
}

fn conversations(make: &Samples) -> Vec<Sample> {
    let page = |conversation: Conversation| InboxPage {
        shell: make.owner(Nav::Inbox, "/c/isfahan-ahmadi/inbox/1912"),
        list: TicketList { open: Some(conversation.number), ..list() },
        conversation: Some(conversation),
    };
    let mut refused = conversation();
    refused.composer.text.push_str("سلام خانم محمدی، همکاران ما");
    refused.composer.problem = Some(ComposerProblem::NotStored);
    let mut blocked = conversation();
    blocked.messages = talk::with_failures();
    blocked.citizen.blocked = true;
    blocked.status = TicketStatus::New;
    let mut erased = conversation();
    erased.number = 1905;
    erased.messages = talk::erased();
    erased.status = TicketStatus::Closed;
    erased.moves = vec![TicketStatus::InProgress];
    erased.citizen = CitizenCard {
        erased: true,
        name: String::new(),
        username: String::new(),
        language: String::new(),
        phone: String::new(),
        source: String::new(),
        others: Vec::new(),
        ..citizen()
    };
    let mut kinds = conversation();
    kinds.messages = talk::every_kind();
    let mut hostile = conversation();
    hostile.messages = talk::hostile();
    hostile.citizen.name = String::from("<b>\u{202e}Robert\"; DROP");
    let fragment = MessagesFragment {
        shell: make.owner(Nav::Inbox, "/c/isfahan-ahmadi/inbox/1912"),
        conversation: conversation(),
    };
    vec![
        Sample { name: "conversation", html: page(conversation()).render() },
        Sample { name: "conversation-refused", html: page(refused).render() },
        Sample { name: "conversation-blocked", html: page(blocked).render() },
        Sample { name: "conversation-erased", html: page(erased).render() },
        Sample { name: "conversation-kinds", html: page(kinds).render() },
        Sample { name: "conversation-hostile", html: page(hostile).render() },
        Sample { name: "fragment-messages", html: fragment.render() },
    ]
}
