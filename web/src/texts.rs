//! The words of the panel, in Fluent files under `texts/`.
//!
//! Variables are wrapped in isolation marks, so that a Latin name does not turn a Persian
//! sentence around. Numbers in a text get the digits of its language.

use std::{borrow::Cow, sync::LazyLock};

use fluent_bundle::{FluentArgs, FluentResource, FluentValue, concurrent::FluentBundle};
use unic_langid::LanguageIdentifier;

use crate::{format, locale::Locale};

type Bundle = FluentBundle<FluentResource>;

/// The files of a locale, each with its name.
macro_rules! files {
    ($locale:literal) => {
        [
            include_str!(concat!("../texts/", $locale, "/shell.ftl")),
            include_str!(concat!("../texts/", $locale, "/entry.ftl")),
            include_str!(concat!("../texts/", $locale, "/admin.ftl")),
            include_str!(concat!("../texts/", $locale, "/home.ftl")),
            include_str!(concat!("../texts/", $locale, "/inbox.ftl")),
            include_str!(concat!("../texts/", $locale, "/people.ftl")),
            include_str!(concat!("../texts/", $locale, "/team.ftl")),
            include_str!(concat!("../texts/", $locale, "/contact.ftl")),
            include_str!(concat!("../texts/", $locale, "/security.ftl")),
            include_str!(concat!("../texts/", $locale, "/audit.ftl")),
        ]
    };
}

static FA: LazyLock<Bundle> = LazyLock::new(|| bundle(Locale::Fa, files!("fa")));
static EN: LazyLock<Bundle> = LazyLock::new(|| bundle(Locale::En, files!("en")));

fn bundle<const N: usize>(locale: Locale, files: [&'static str; N]) -> Bundle {
    let language = match locale {
        Locale::Fa => "fa-IR",
        Locale::En => "en-GB",
    };
    let language: LanguageIdentifier = language.parse().expect("the tags are well formed");
    let mut bundle = Bundle::new_concurrent(vec![language]);
    match locale {
        Locale::Fa => bundle.set_formatter(Some(persian_number)),
        Locale::En => bundle.set_formatter(Some(english_number)),
    }
    for file in files {
        let resource = FluentResource::try_new(file.to_owned())
            .expect("the texts are built in and parsed by a test");
        bundle.add_resource(resource).expect("a test checks that no text is given twice");
    }
    bundle
}

fn persian_number<M>(value: &FluentValue<'_>, _: &M) -> Option<String> {
    number(Locale::Fa, value)
}

fn english_number<M>(value: &FluentValue<'_>, _: &M) -> Option<String> {
    number(Locale::En, value)
}

fn number(locale: Locale, value: &FluentValue<'_>) -> Option<String> {
    match value {
        FluentValue::Number(number) => Some(format::decimal(locale, number.value)),
        _ => None,
    }
}

/// The text of a key, or the key itself when there is none (tests refuse that).
pub(crate) fn text(locale: Locale, key: &str, args: Option<&FluentArgs<'_>>) -> String {
    let bundle = match locale {
        Locale::Fa => &FA,
        Locale::En => &EN,
    };
    let pattern = bundle.get_message(key).and_then(|message| message.value());
    debug_assert!(pattern.is_some(), "no text for `{key}` in {}", locale.code());
    let Some(pattern) = pattern else { return key.to_owned() };
    let mut errors = Vec::new();
    let text = bundle.format_pattern(pattern, args, &mut errors);
    debug_assert!(errors.is_empty(), "text `{key}` in {}: {errors:?}", locale.code());
    Cow::into_owned(text)
}
