//! The words of letters: Fluent files under `texts/`, and one frame for all of them in HTML.
//!
//! Variables are wrapped in isolation marks, so that a Latin name does not turn a Persian sentence around.

use std::sync::LazyLock;

use askama::Template;
use fluent_bundle::{FluentArgs, FluentResource, FluentValue, concurrent::FluentBundle};
use serde::{Deserialize, Serialize};
use unic_langid::LanguageIdentifier;

use super::{Channel, Kept, Letter, Notice};

/// The language of a letter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Locale {
    /// Persian, from right to left.
    #[default]
    Fa,
    /// English.
    En,
}

impl Locale {
    /// The locale of a code; Persian for one that is none.
    #[must_use]
    pub fn from_code(code: &str) -> Self {
        if code == "en" { Self::En } else { Self::Fa }
    }

    /// Its code: `fa` or `en`.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Fa => "fa",
            Self::En => "en",
        }
    }

    const fn direction(self) -> &'static str {
        match self {
            Self::Fa => "rtl",
            Self::En => "ltr",
        }
    }
}

/// A letter in words.
#[derive(Debug)]
pub(crate) struct Words {
    pub(super) subject: String,
    pub(super) text: String,
    pub(super) html: String,
}

/// What the frame shows.
#[derive(Template)]
#[template(path = "letter.html")]
struct Frame<'a> {
    locale: Locale,
    brand: &'a str,
    subject: &'a str,
    says: &'a str,
    code: Option<&'a str>,
    /// Words on the button, and where it leads.
    link: Option<(&'a str, &'a str)>,
    link_hint: &'a str,
    after: &'a str,
    footer: &'a str,
}

type Bundle = FluentBundle<FluentResource>;

static FA: LazyLock<Bundle> = LazyLock::new(|| bundle("fa-IR", include_str!("../../texts/fa.ftl")));
static EN: LazyLock<Bundle> = LazyLock::new(|| bundle("en-GB", include_str!("../../texts/en.ftl")));

fn bundle(language: &str, file: &str) -> Bundle {
    let language: LanguageIdentifier = language.parse().expect("the tags are well formed");
    let mut bundle = Bundle::new_concurrent(vec![language.clone()]);
    if language.language.as_str() == "fa" {
        bundle.set_formatter(Some(persian));
    }
    let resource = FluentResource::try_new(file.to_owned());
    let resource = resource.expect("the texts are built in and parsed by a test");
    bundle.add_resource(resource).expect("a test checks that no text is given twice");
    bundle
}

fn message(locale: Locale, key: &str, args: &FluentArgs<'_>) -> String {
    let bundle = match locale {
        Locale::Fa => &FA,
        Locale::En => &EN,
    };
    let pattern = bundle.get_message(key).and_then(|message| message.value());
    let pattern = pattern.expect("a test writes every letter in every language");
    let mut problems = Vec::new();
    let text = bundle.format_pattern(pattern, Some(args), &mut problems);
    debug_assert!(problems.is_empty(), "{key}: {problems:?}");
    text.into_owned()
}

/// A name on one line, without marks that command a terminal, a header or the direction of what follows.
fn plain(name: &str) -> String {
    let commands = |letter: char| {
        letter.is_control() || matches!(letter, '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    name.replace(commands, " ").split_whitespace().collect::<Vec<_>>().join(" ")
}

/// What opens an account besides its password, in words.
fn kept(kept: Kept, locale: Locale) -> String {
    let Kept { passkeys, authenticators, codes } = kept;
    let mut args = FluentArgs::new();
    args.set("kept", if kept == Kept::default() { "none" } else { "some" });
    args.set("passkeys", passkeys);
    args.set("authenticators", authenticators);
    args.set("codes", codes);
    message(locale, "kept", &args)
}

/// Numbers as they are written in Persian.
fn persian<M>(value: &FluentValue<'_>, _: &M) -> Option<String> {
    let FluentValue::Number(number) = value else { return None };
    let digit = |letter: char| letter.to_digit(10).and_then(|digit| char::from_u32(0x6f0 + digit));
    Some(number.as_string().chars().map(|letter| digit(letter).unwrap_or(letter)).collect())
}

/// A letter in words, with links that begin with `panel`.
pub(super) fn of(letter: &Letter, locale: Locale, panel: &str) -> Words {
    let mut args = FluentArgs::new();
    if let Some(candidate) = letter.candidate() {
        args.set("candidate", plain(candidate));
    }
    if let Letter::Impersonation { reason, .. } = letter {
        args.set("reason", plain(reason));
    }
    if let Letter::NewDeviceAt { place } = letter {
        args.set("place", plain(place));
    }
    if let Letter::Recovery { removes_factors, .. } = letter {
        args.set("factors", if *removes_factors { "removed" } else { "kept" });
    }
    if let Letter::DeletionRequested { days, .. } = letter {
        args.set("days", *days);
    }
    if let Some(code) = letter.code() {
        args.set("code", code.to_owned());
    }
    if let Letter::Notice(Notice::RecoveryCodeUsed { left }) = letter {
        args.set("left", *left);
    }
    let say = |key: &str| message(locale, key, &args);
    let kind = letter.kind();
    let mut says = say(&format!("{kind}-text"));
    if let Some(kept) = letter.kept() {
        says = format!("{says} {}", self::kept(kept, locale));
    }
    if letter.channel() == Channel::Sms {
        return Words { subject: String::new(), text: says, html: String::new() };
    }
    let subject = say(&format!("{kind}-subject"));
    let after = say(&format!("{kind}-after"));
    let link = letter.path().map(|path| (say(&format!("{kind}-action")), format!("{panel}{path}")));
    let mut text = vec![says.clone()];
    text.extend(letter.code().map(ToOwned::to_owned));
    text.extend(link.as_ref().map(|(action, address)| format!("{action}:\n{address}")));
    text.extend([after.clone(), format!("--\n{}", say("footer"))]);
    let frame = Frame {
        locale,
        brand: &say("brand"),
        subject: &subject,
        says: &says,
        code: letter.code(),
        link: link.as_ref().map(|(action, address)| (action.as_str(), address.as_str())),
        link_hint: &say("link-hint"),
        after: &after,
        footer: &say("footer"),
    };
    let html = frame.render().expect("the frame writes into memory");
    // Isolation marks help where text is shown, and are noise in a header.
    let subject = subject.replace(['\u{2068}', '\u{2069}'], "");
    Words { subject, text: text.join("\n\n"), html }
}

#[cfg(test)]
mod tests {
    use super::{Letter, Locale, of};
    use crate::letters::{Channel, Kept, Notice};

    fn all() -> Vec<Letter> {
        let (code, token) = ("123456".to_owned(), "t0ken".to_owned());
        let candidate = "Narges <b>\r\nBcc: x".to_owned();
        let notices = [
            Notice::PasswordChanged(Kept { passkeys: 2, authenticators: 1, codes: 8 }),
            Notice::Recovered(Kept::default()),
            Notice::RecoveredWithoutFactors,
            Notice::EmailChanged,
            Notice::PhoneChanged,
            Notice::PhoneRemoved,
            Notice::NewDevice,
            Notice::Locked,
            Notice::CodesGuessed,
            Notice::FactorLocked,
            Notice::RecoveryCodeUsed { left: 9 },
            Notice::LastRecoveryCodeUsed,
            Notice::FactorAdded,
            Notice::FactorRemoved,
            Notice::PasskeyDoubted,
            Notice::Suspended,
            Notice::Reactivated,
        ];
        let mut all = vec![
            Letter::Invitation { candidate: candidate.clone(), token: token.clone() },
            Letter::AdminInvitation { token: token.clone() },
            Letter::EmailProof { code: code.clone(), token: token.clone() },
            Letter::PhoneProof { code },
            Letter::Recovery { token, removes_factors: true },
        ];
        all.extend(notices.map(Letter::Notice));
        let reason = "They asked <b>why</b>\r\nBcc: x".to_owned();
        all.push(Letter::Impersonation { candidate: candidate.clone(), reason });
        all.push(Letter::NewDeviceAt { place: "Tehran <b>, Iran\r\nBcc: x".to_owned() });
        let slug = "tehran".to_owned();
        let (days, whose) = (30, candidate.clone());
        all.push(Letter::DeletionRequested { candidate, slug: slug.clone(), days });
        all.push(Letter::DeletionWithdrawn { candidate: whose, slug });
        all
    }

    #[test]
    fn every_letter_is_written_in_every_language_with_its_link_and_its_code() {
        for letter in all() {
            for locale in [Locale::Fa, Locale::En] {
                let words = of(&letter, locale, "https://meydan.example");
                let kind = letter.kind();

                assert!(!words.text.contains(['{', '}']), "{kind}: {}", words.text);
                if let Some(code) = letter.code() {
                    assert!(words.text.contains(code), "{kind} has its code");
                }
                if letter.channel() == Channel::Sms {
                    assert!(words.text.chars().count() <= 134, "{kind} fits into two messages");
                    continue;
                }
                assert!(!words.subject.is_empty() && !words.subject.contains(['\r', '\n']));
                let turned = words.html.contains("dir=\"rtl\"");
                assert_eq!(turned, locale == Locale::Fa, "{kind} has its direction");
                assert!(!words.html.contains("<b>"), "{kind} escapes what people wrote");
                if let Some(path) = letter.path() {
                    let link = format!("https://meydan.example{path}");
                    assert!(words.text.contains(&link), "{kind} has its link");
                    assert!(
                        words.html.contains(&format!("href=\"{link}\"")),
                        "{kind} has its link"
                    );
                }
            }
        }
    }

    #[test]
    fn a_new_password_says_what_else_opens_the_account() {
        let says = |kept, locale| {
            let words = of(&Letter::Notice(Notice::PasswordChanged(kept)), locale, "").text;
            words.replace(['\u{2068}', '\u{2069}'], "")
        };
        let some = Kept { passkeys: 2, authenticators: 0, codes: 8 };

        let told = says(some, Locale::En);
        assert!(told.contains("2 passkeys, no authenticator app and 8 recovery codes"), "{told}");
        let told = says(some, Locale::Fa);
        assert!(told.contains("۲ گذرکلید، هیچ برنامهٔ رمزسازی و ۸ کد بازیابی"), "{told}");
        assert!(says(Kept::default(), Locale::En).contains("Nothing but the password"));
    }

    #[test]
    fn both_languages_have_the_same_texts_and_none_that_no_letter_uses() {
        let keys = |file: &str| {
            let keys = file.lines().filter_map(|line| line.split_once(" = ")).map(|(key, _)| key);
            keys.map(ToOwned::to_owned).collect::<Vec<_>>()
        };
        let (fa, en) =
            (keys(include_str!("../../texts/fa.ftl")), keys(include_str!("../../texts/en.ftl")));
        assert_eq!(fa, en);

        let frame = ["brand", "link-hint", "footer", "kept"].map(ToOwned::to_owned);
        let parts = |letter: &Letter| {
            let kind = letter.kind();
            let parts: &[_] = match (letter.channel(), letter.path()) {
                (Channel::Sms, _) => &["text"],
                (Channel::Mail, Some(_)) => &["subject", "text", "action", "after"],
                (Channel::Mail, None) => &["subject", "text", "after"],
            };
            parts.iter().map(move |part| format!("{kind}-{part}")).collect::<Vec<_>>()
        };
        let letters = all();
        let used = frame.into_iter().chain(letters.iter().flat_map(parts));
        assert_eq!(fa, used.collect::<Vec<_>>());
    }
}
