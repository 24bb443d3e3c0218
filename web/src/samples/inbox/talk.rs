//! What was said in the sample conversations.

use time::Duration;

use crate::{
    pages::inbox::{Content, Delivery, Failure, File, Message},
    samples::NOW,
};

/// An outline of a picture, so that samples need no server.
const PICTURE: &str = "data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' width='640' height='420'%3E%3Crect width='640' height='420' fill='%239fb6b8'/%3E%3Cpath d='M0 420 210 150 330 300 420 210 640 420Z' fill='%235c7a7d'/%3E%3Ccircle cx='500' cy='100' r='46' fill='%23e8d9a8'/%3E%3C/svg%3E";

fn incoming(id: &str, minutes: i64, text: &str) -> Message {
    Message {
        id: id.to_owned(),
        incoming: true,
        at: NOW - Duration::minutes(minutes),
        content: Content::Text,
        text: text.to_owned(),
        album: None,
        edited_at: None,
        earlier: Vec::new(),
        delivery: None,
        author: String::new(),
    }
}

fn answer(id: &str, minutes: i64, text: &str, delivery: Delivery) -> Message {
    Message {
        incoming: false,
        delivery: Some(delivery),
        author: "سعید نوری".to_owned(),
        ..incoming(id, minutes, text)
    }
}

fn file(name: &str, size: u64, seconds: u32) -> File {
    File {
        url: Some(PICTURE.to_owned()),
        name: name.to_owned(),
        size,
        seconds,
        width: 640,
        height: 420,
    }
}

/// A recording that is only fetched when somebody plays it.
fn recording(name: &str, size: u64, seconds: u32) -> File {
    File { url: Some("/c/isfahan-ahmadi/files/sample".to_owned()), ..file(name, size, seconds) }
}

fn photo(id: &str, minutes: i64, text: &str, album: Option<&str>) -> Message {
    Message {
        content: Content::Photo(file("", 182_000, 0)),
        album: album.map(str::to_owned),
        ..incoming(id, minutes, text)
    }
}

/// A conversation as it goes on most days.
pub(super) fn everyday() -> Vec<Message> {
    let mut edited = incoming("a5", 14, "نشانی دقیق: خیابان نظر میانی، کوچهٔ ۱۲، روبه‌روی پلاک ۴۵");
    edited.edited_at = Some(NOW - Duration::minutes(12));
    edited.earlier = vec!["نشانی دقیق: خیابان نظر، کوچهٔ ۱۲".to_owned()];
    vec![
        incoming(
            "a1",
            1_640,
            "سلام، آسفالت جلوی مدرسهٔ شهید رجایی سه ماه است خراب شده و هیچ‌کس پاسخگو نیست. بچه‌ها هر روز از این‌جا رد می‌شوند.",
        ),
        photo("a2", 1_638, "این هم عکس امروز صبح", None),
        answer(
            "a3",
            1_600,
            "سلام خانم محمدی، ممنون که خبر دادید. موضوع را از شهرداری منطقهٔ ۵ پیگیری می‌کنیم. لطفاً نشانی دقیق را هم بفرستید.",
            Delivery::Sent,
        ),
        incoming("a4", 15, "حتماً"),
        edited,
        answer("a6", 9, "رسید، سپاس. نتیجه را تا پایان هفته خبر می‌دهیم.", Delivery::Queued),
        incoming("a7", 5, "خیلی ممنون 🌷 Thank you! اگر لازم شد با شمارهٔ من تماس بگیرید."),
    ]
}

/// Answers that did not arrive.
pub(super) fn with_failures() -> Vec<Message> {
    vec![
        incoming("b1", 300, "برای دیدار حضوری چه روزهایی هستید؟"),
        answer(
            "b2",
            290,
            "شنبه‌ها و سه‌شنبه‌ها، ساعت ۱۶ تا ۱۹ در ستاد خیابان چهارباغ.",
            Delivery::InDoubt,
        ),
        answer("b3", 120, "آیا پیام پیشین ما به شما رسید؟", Delivery::Failed(Failure::Blocked)),
    ]
}

/// A conversation whose citizen was erased.
pub(super) fn erased() -> Vec<Message> {
    let gone = |message: Message| Message { content: Content::Erased, ..message };
    vec![
        gone(incoming("c1", 5_200, "")),
        gone(answer("c2", 5_100, "", Delivery::Sent)),
        gone(incoming("c3", 5_000, "")),
    ]
}

/// Text that tries to be more than text.
pub(super) fn hostile() -> Vec<Message> {
    let name = "\"><img src=x onerror=alert(1)>.pdf";
    vec![
        incoming("h1", 30, "<script>alert('سلام')</script> \u{202e}وارونه"),
        Message {
            content: Content::Document(recording(name, 12, 0)),
            ..incoming("h2", 20, "<a href=\"javascript\" hx-get=\"/logout\">x</a>")
        },
        incoming("h3", 10, &"بی‌فاصله".repeat(60)),
    ]
}

/// One message of every kind.
pub(super) fn every_kind() -> Vec<Message> {
    let of = |id: &str, minutes, content| Message { content, ..incoming(id, minutes, "") };
    let label = "ستاد مرکزی، چهارباغ بالا".to_owned();
    let too_large = File { size: 24_000_000, ..File::default() };
    vec![
        photo("k1", 60, "سه عکس از پارک محله", Some("album-1")),
        photo("k2", 60, "", Some("album-1")),
        photo("k3", 60, "", Some("album-1")),
        of("k4", 55, Content::Voice(recording("", 48_000, 67))),
        of("k5", 50, Content::Audio(recording("سرود.mp3", 3_100_000, 212))),
        of("k6", 45, Content::Video(recording("", 7_400_000, 31))),
        of("k7", 42, Content::Video(too_large)),
        of("k7b", 41, Content::Photo(File::default())),
        of("k8", 40, Content::Document(recording("طومار اهالی محلهٔ جلفا.pdf", 1_482_000, 0))),
        of("k9", 35, Content::Location { latitude: 32.6546, longitude: 51.668, label }),
        of(
            "k10",
            30,
            Content::Contact { name: "آقای شریفی".into(), phone: "+983136201234".into() },
        ),
        of("k11", 25, Content::Sticker { emoji: "👏".to_owned() }),
        answer("k12", 20, "همه رسید، سپاس.\nhttps://example.ir/parks", Delivery::Sent),
    ]
}
