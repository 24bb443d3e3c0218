//! What holds for every text and every update, not only for the corpus.

use bot_hub_domain::telegram::{MESSAGE_LIMIT, read, split_message, utf16_len};
use proptest::prelude::*;
use serde_json::{Map, Value, json};

/// Texts out of the characters that are easily torn apart.
fn awkward_text() -> impl Strategy<Value = String> {
    let part = prop_oneof![
        Just("می\u{200c}خواهم"),
        Just(" "),
        Just("\n"),
        Just("\n\n"),
        Just("\r\n"),
        Just("👨\u{200d}👩\u{200d}👧\u{200d}👦"),
        Just("👍🏽"),
        Just("🇮🇷"),
        Just("e\u{301}\u{302}"),
        Just("كِتَابٌ"),
        Just("word"),
        Just("خ"),
    ];
    (prop::collection::vec(part, 1..40), 1_usize..400)
        .prop_map(|(parts, times)| parts.concat().repeat(times))
}

/// Any JSON, with names that updates use so that it reaches deep.
fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        "private|group|kicked|/start.*|.{0,12}".prop_map(Value::from),
    ];
    leaf.prop_recursive(5, 48, 8, |inner| {
        let name = prop_oneof![
            Just("message"),
            Just("edited_message"),
            Just("callback_query"),
            Just("chat"),
            Just("my_chat_member"),
            Just("from"),
            Just("id"),
            Just("type"),
            Just("text"),
            Just("photo"),
            Just("file_id"),
            Just("date"),
            Just("message_id"),
            Just("location"),
            Just("contact"),
            Just("new_chat_member"),
            Just("status"),
            Just("reply_to_message"),
        ];
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::vec((name, inner), 0..8).prop_map(|pairs| {
                let named = pairs.into_iter().map(|(name, value)| (name.to_owned(), value));
                Value::Object(named.collect::<Map<_, _>>())
            }),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn pieces_are_the_text_and_each_fits_into_a_message(text in awkward_text()) {
        let pieces = split_message(&text);
        prop_assert_eq!(pieces.concat(), text);
        for piece in &pieces {
            prop_assert!(!piece.is_empty() && utf16_len(piece) <= MESSAGE_LIMIT);
        }
    }

    #[test]
    fn any_text_is_cut_without_loss(text in "\\PC{0,6000}") {
        let pieces = split_message(&text);
        prop_assert_eq!(pieces.concat(), text);
        prop_assert!(pieces.iter().all(|piece| utf16_len(piece) <= MESSAGE_LIMIT));
    }

    #[test]
    fn no_piece_begins_with_half_of_a_character(text in awkward_text()) {
        for piece in split_message(&text).iter().skip(1) {
            let torn = |first: char| {
                matches!(first, '\u{200c}' | '\u{200d}' | '\u{1f3fd}' | '\u{301}' | '\u{302}')
                    || matches!(first, '\u{64b}'..='\u{652}')
            };
            prop_assert!(!piece.starts_with(torn));
        }
    }

    #[test]
    fn a_flag_is_never_torn_in_two(flags in 1_usize..3000, before in 0_usize..5) {
        let text = format!("{}{}", "x".repeat(before), "🇮🇷".repeat(flags));
        for piece in split_message(&text) {
            let halves = piece.chars().filter(|half| ('\u{1f1e6}'..='\u{1f1ff}').contains(half));
            prop_assert_eq!(halves.count() % 2, 0);
        }
    }

    #[test]
    fn reading_never_panics_on_bytes(raw in prop::collection::vec(any::<u8>(), 0..400)) {
        let _ = read(&raw);
    }

    #[test]
    fn reading_never_panics_on_json(id in any::<i64>(), mut update in any_json()) {
        if let Value::Object(map) = &mut update {
            map.insert("update_id".to_owned(), json!(id));
        }
        let _ = read(update.to_string().as_bytes());
    }
}

#[test]
fn a_paragraph_is_the_first_choice_for_a_cut() {
    let text = format!("{}\n\n{}\nو {}", "الف".repeat(1000), "ب".repeat(500), "پ".repeat(900));
    let pieces = split_message(&text);
    assert_eq!(pieces[0], format!("{}\n\n", "الف".repeat(1000)));
    assert_eq!(pieces.len(), 2);
}

#[test]
fn a_line_then_a_word_are_the_next_choices() {
    let lines = format!("{}\n{} {}", "a".repeat(3000), "b".repeat(500), "c".repeat(900));
    assert!(split_message(&lines)[0].ends_with("a\n"));
    let words = format!("{} {}", "a".repeat(4000), "b".repeat(500));
    assert!(split_message(&words)[0].ends_with("a "));
}

#[test]
fn exactly_4096_units_are_one_message_and_one_more_are_two() {
    assert_eq!(split_message(&"😀".repeat(2048)).len(), 1);
    assert_eq!(split_message(&format!("{}a", "😀".repeat(2048))).len(), 2);
}

#[test]
fn a_character_longer_than_a_message_is_cut_all_the_same() {
    let text = format!("e{}", "\u{301}".repeat(9000));
    let pieces = split_message(&text);
    assert_eq!(pieces.concat(), text);
    assert_eq!(pieces.len(), 3);
}
