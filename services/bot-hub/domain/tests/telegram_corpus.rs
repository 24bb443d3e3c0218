//! Every update of the corpus is read as its file says, and teloxide, which was
//! written by others, sees the same in those that it can parse.
//!
//! A file of `corpus/` holds a note, an `update` (or `raw` text when it is not
//! a proper one) and what is expected: the reading, or why it is unreadable.

use std::{fs, path::Path};

use bot_hub_domain::telegram::{Content, Message, Unreadable, What, read};
use serde_json::{Value, json};
use teloxide_core::types::{MediaKind, MessageKind, Update, UpdateKind};

/// One file of the corpus.
struct Case {
    name: String,
    raw: String,
    expected: Value,
}

fn corpus() -> Vec<Case> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus");
    let mut cases: Vec<Case> = fs::read_dir(folder)
        .expect("the corpus is there")
        .map(|entry| case(&entry.expect("the folder is readable").path()))
        .collect();
    cases.sort_by(|one, other| one.name.cmp(&other.name));
    cases
}

fn case(path: &Path) -> Case {
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let text = fs::read_to_string(path).expect("the file is readable");
    let file: Value = serde_json::from_str(&text).unwrap_or_else(|e| panic!("{name}: {e}"));
    assert!(file["note"].is_string(), "{name} has no note");
    let raw = match &file["raw"] {
        Value::String(raw) => raw.clone(),
        _ => file["update"].to_string(),
    };
    Case { name, raw, expected: file["expected"].clone() }
}

fn outcome(raw: &[u8]) -> Value {
    match read(raw) {
        Ok(reading) => serde_json::to_value(&reading).expect("a reading is JSON"),
        Err(Unreadable::NotJson) => json!({"unreadable": "not_json"}),
        Err(Unreadable::NotAnObject) => json!({"unreadable": "not_an_object"}),
        Err(Unreadable::NoUpdateId) => json!({"unreadable": "no_update_id"}),
        Err(Unreadable::TooDeep) => json!({"unreadable": "too_deep"}),
        Err(Unreadable::BadField { field }) => json!({"unreadable": {"bad_field": field}}),
    }
}

#[test]
fn every_update_of_the_corpus_is_read_as_expected() {
    let cases = corpus();
    assert!(cases.len() >= 60, "the corpus has {} files only", cases.len());
    let wrong: Vec<String> = cases
        .iter()
        .filter(|case| outcome(case.raw.as_bytes()) != case.expected)
        .map(|case| {
            let found = outcome(case.raw.as_bytes());
            format!("{}\n  expected {}\n  found    {found}", case.name, case.expected)
        })
        .collect();
    assert!(wrong.is_empty(), "{} files differ:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn what_was_read_can_be_stored_and_read_back() {
    for case in corpus() {
        let Ok(reading) = read(case.raw.as_bytes()) else { continue };
        let stored = serde_json::to_string(&reading).expect("a reading is JSON");
        let back = serde_json::from_str(&stored).expect("a stored reading is readable");
        assert!(reading == back, "{} changed in the store", case.name);
    }
}

#[test]
fn the_longest_text_has_4096_units() {
    let case = corpus().into_iter().find(|case| case.name == "text-4096-units.json");
    let text = case.expect("the file is there").expected["what"]["text"].clone();
    let text = text.as_str().expect("it is a text");
    assert_eq!(bot_hub_domain::telegram::utf16_len(text), 4096);
}

#[test]
fn nothing_personal_is_printed_for_debugging() {
    for case in corpus() {
        let printed = format!("{:?}", read(case.raw.as_bytes()));
        for secret in ["مریم", "کاظمی", "maryam_k", "5550001111", "98912", "سلام", "AgACAg", "src_"]
        {
            assert!(!printed.contains(secret), "{} prints `{secret}`: {printed}", case.name);
        }
    }
}

#[test]
fn an_update_cut_off_anywhere_is_unreadable_and_never_panics() {
    for case in corpus() {
        let ends = (0..case.raw.len()).step_by(7);
        for end in ends.filter(|_| read(case.raw.as_bytes()).is_ok()) {
            let cut = &case.raw.as_bytes()[..end];
            assert!(read(cut).is_err(), "{} cut at {end} was read", case.name);
        }
    }
}

#[test]
fn teloxide_sees_the_same_message() {
    let mut agreed = 0;
    // What is malformed on purpose, teloxide takes for something smaller.
    for case in corpus().into_iter().filter(|case| !case.name.starts_with("bad-")) {
        let Ok(update) = serde_json::from_str::<Update>(&case.raw) else { continue };
        let (UpdateKind::Message(theirs) | UpdateKind::EditedMessage(theirs)) = update.kind else {
            continue;
        };
        // One odd field in it, and teloxide keeps nothing of a message.
        if matches!(theirs.kind, MessageKind::Empty {}) {
            continue;
        }
        let reading = read(case.raw.as_bytes())
            .unwrap_or_else(|e| panic!("{}: teloxide reads it, but: {e}", case.name));
        let name = &case.name;
        let (What::Message(ours) | What::Edited(ours)) = &reading.what else { continue };
        assert_eq!(ours.message_id, theirs.id.0, "{name}");
        assert_eq!(ours.sent_at.unix_timestamp(), theirs.date.timestamp(), "{name}");
        assert_eq!(ours.text.as_deref().unwrap_or(""), their_text(&theirs), "{name}");
        assert_eq!(ours.reply_to, theirs.reply_to_message().map(|reply| reply.id.0), "{name}");
        assert_eq!(our_content(ours), their_content(&theirs.kind), "{name}");
        let person = reading.person.as_ref().map(|person| person.user_id.cast_unsigned());
        assert_eq!(person, theirs.from.as_ref().map(|user| user.id.0), "{name}");
        agreed += 1;
    }
    assert!(agreed >= 40, "teloxide was asked about {agreed} messages only");
}

fn their_text(message: &teloxide_core::types::Message) -> &str {
    message.text().or_else(|| message.caption()).unwrap_or("")
}

/// The content and the file or the phone number in it.
fn our_content(message: &Message) -> (&'static str, String) {
    match &message.content {
        Content::Text => ("text", String::new()),
        Content::Photo(file) => ("photo", file.file_id.clone()),
        Content::Voice(file) => ("voice", file.file_id.clone()),
        Content::Video(file) => ("video", file.file_id.clone()),
        Content::VideoNote(file) => ("video note", file.file_id.clone()),
        Content::Audio(file) => ("audio", file.file_id.clone()),
        Content::Document(file) => ("document", file.file_id.clone()),
        Content::Sticker { file, .. } => ("sticker", file.file_id.clone()),
        Content::Animation(file) => ("animation", file.file_id.clone()),
        Content::Location { latitude, .. } => ("location", latitude.to_string()),
        Content::Venue { title, .. } => ("venue", title.clone()),
        Content::Contact { phone, .. } => ("contact", phone.clone()),
    }
}

fn their_content(kind: &MessageKind) -> (&'static str, String) {
    let MessageKind::Common(common) = kind else { return ("service", String::new()) };
    let largest = |photo: &teloxide_core::types::MediaPhoto| {
        photo.photo.iter().max_by_key(|size| size.width).map(|size| size.file.id.0.clone())
    };
    match &common.media_kind {
        MediaKind::Text(_) => ("text", String::new()),
        MediaKind::Photo(media) => ("photo", largest(media).unwrap_or_default()),
        MediaKind::Voice(media) => ("voice", media.voice.file.id.0.clone()),
        MediaKind::Video(media) => ("video", media.video.file.id.0.clone()),
        MediaKind::VideoNote(media) => ("video note", media.video_note.file.id.0.clone()),
        MediaKind::Audio(media) => ("audio", media.audio.file.id.0.clone()),
        MediaKind::Document(media) => ("document", media.document.file.id.0.clone()),
        MediaKind::Sticker(media) => ("sticker", media.sticker.file.id.0.clone()),
        MediaKind::Animation(media) => ("animation", media.animation.file.id.0.clone()),
        MediaKind::Location(media) => ("location", media.location.latitude.to_string()),
        MediaKind::Venue(media) => ("venue", media.venue.title.clone()),
        MediaKind::Contact(media) => ("contact", media.contact.phone_number.clone()),
        _ => ("other", String::new()),
    }
}
