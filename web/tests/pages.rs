//! What holds for every page, whatever it shows.

use std::{collections::BTreeSet, fs, path::Path};

use meydan_web::{
    Locale, Notice, Theme,
    assets::{asset, content_security_policy},
    pages::inbox::Filter,
    samples::{self, Sample},
};

fn every_sample() -> Vec<(Locale, Sample)> {
    Locale::ALL
        .into_iter()
        .flat_map(|locale| {
            samples::all(locale, Theme::Auto).into_iter().map(move |sample| (locale, sample))
        })
        .collect()
}

fn pages() -> Vec<(Locale, Sample)> {
    let is_page = |sample: &Sample| !sample.name.starts_with("fragment-");
    every_sample().into_iter().filter(|(_, sample)| is_page(sample)).collect()
}

#[test]
fn every_page_says_its_language_direction_and_theme() {
    for (locale, page) in pages() {
        let begin = format!(
            "<html lang=\"{}\" dir=\"{}\" data-bs-theme=\"auto\"",
            locale.code(),
            locale.direction()
        );
        assert!(page.html.contains(&begin), "{}", page.name);
        assert!(
            page.html.contains("<title>") && page.html.contains("id=\"main\""),
            "{}",
            page.name
        );
    }
}

/// What stands in all files below a folder.
fn texts(folder: &Path) -> String {
    let entries = fs::read_dir(folder).expect("the folder is there");
    let text = |path: &Path| fs::read_to_string(path).expect("it can be read");
    entries
        .map(|entry| entry.expect("it can be read").path())
        .map(|path| if path.is_dir() { texts(&path) } else { text(&path) })
        .collect()
}

#[test]
fn every_page_is_among_the_samples_and_none_is_called_a_fragment() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let [pages, samples] = ["src/pages", "src/samples"].map(|folder| texts(&root.join(folder)));
    for template in fs::read_dir(root.join("templates/pages")).expect("the folder is there") {
        let template = template.expect("it can be read").file_name();
        let template = template.to_str().expect("its name is a text");
        let declared = format!("#[template(path = \"pages/{template}\")]\npub struct ");
        let page = pages.split_once(&declared).and_then(|(_, rest)| rest.split_once(" {"));
        let Some((page, _)) = page else { panic!("no page has {template}") };
        // What a sample makes and does not show, the compiler finds unused.
        let made = samples.replace(&format!("-> {page} {{"), "").contains(&format!(" {page} {{"));
        assert!(made, "no sample shows {template}");
    }
    for (_, sample) in every_sample() {
        let page = sample.html.contains("<html ");
        assert_eq!(page, !sample.name.starts_with("fragment-"), "{}", sample.name);
    }
}

#[test]
fn every_page_has_one_heading_of_the_first_level() {
    for (_, page) in pages() {
        assert_eq!(page.html.matches("<h1").count(), 1, "{}", page.name);
    }
}

#[test]
fn nothing_in_a_page_needs_inline_script_or_style() {
    for (_, sample) in every_sample() {
        let html = &sample.html;
        for word in [" style=", " hx-on", "javascript:", "js:", " onclick=", " onsubmit="] {
            assert!(!html.contains(word), "{} has `{word}`", sample.name);
        }
        for script in html.split("<script").skip(1) {
            assert!(script.starts_with(" src="), "{} has an inline script", sample.name);
        }
        for trigger in html.split("hx-trigger=\"").skip(1) {
            let value = trigger.split('"').next().unwrap_or_default();
            assert!(!value.contains('['), "{} filters a trigger", sample.name);
        }
    }
}

#[test]
fn every_form_that_posts_carries_the_token() {
    for (_, sample) in every_sample() {
        for form in sample.html.split("<form").skip(1) {
            let form = form.split("</form>").next().unwrap_or_default();
            let posts = form.contains("method=\"post\"");
            assert_eq!(posts, form.contains("name=\"csrf\""), "{}: {form}", sample.name);
        }
    }
}

#[test]
fn identifiers_are_unique_in_a_page() {
    for (_, page) in pages() {
        let mut seen = BTreeSet::new();
        for piece in page.html.split(" id=\"").skip(1) {
            let id = piece.split('"').next().unwrap_or_default();
            assert!(seen.insert(id.to_owned()), "{} has two `{id}`", page.name);
        }
    }
}

#[test]
fn persian_pages_show_persian_digits() {
    let samples = samples::all(Locale::Fa, Theme::Light);
    let home = samples.iter().find(|sample| sample.name == "home").expect("home is a sample");
    for words in ["شنبه ۳۰ آبان ۱۴۰۵", "۱٬۲۸۴", "\u{2068}۵\u{2069} دقیقه پیش", "۱۹۱۲"]
    {
        assert!(home.html.contains(words), "home lacks `{words}`");
    }
}

#[test]
fn what_a_citizen_writes_is_shown_as_text() {
    let shown = samples::all(Locale::Fa, Theme::Light)
        .into_iter()
        .find(|sample| sample.name == "conversation-hostile")
        .expect("a hostile conversation is a sample");
    assert!(!shown.html.contains("<script>alert"));
    assert!(!shown.html.contains("<img src=x"));
    assert!(shown.html.contains("script&#62;alert"));
}

#[test]
fn a_name_cannot_turn_the_text_around() {
    let shown = samples::all(Locale::En, Theme::Light)
        .into_iter()
        .find(|sample| sample.name == "conversation-hostile")
        .expect("a hostile conversation is a sample");
    let names = shown.html.split("class=\"bubble-text\"").next().unwrap_or_default();
    assert!(names.contains("Robert") && !names.contains('\u{202e}'));
}

#[test]
fn fields_show_what_was_typed_and_nothing_else() {
    let samples = samples::all(Locale::En, Theme::Light);
    let html = |name| &samples.iter().find(|sample| sample.name == name).expect("a sample").html;
    assert!(html("team").contains("name=\"name\" type=\"text\" value=\"\""));
    assert!(html("team-refused").contains("name=\"name\" type=\"text\" value=\"سعید نوری\""));
    assert!(html("home-empty").contains(">0<"));
}

#[test]
fn an_erased_conversation_offers_no_answer_and_no_name() {
    let erased = samples::all(Locale::En, Theme::Light)
        .into_iter()
        .find(|sample| sample.name == "conversation-erased")
        .expect("an erased conversation is a sample");
    assert!(erased.html.contains("[erased]"));
    assert!(!erased.html.contains("<textarea"));
}

#[test]
fn a_failed_answer_says_why() {
    let failed = samples::all(Locale::En, Theme::Light)
        .into_iter()
        .find(|sample| sample.name == "conversation-blocked")
        .expect("a blocked citizen is a sample");
    for words in ["not delivered", "The citizen has blocked the bot.", "outcome unknown"] {
        assert!(failed.html.contains(words), "lacks `{words}`");
    }
}

#[test]
fn a_file_that_cannot_be_opened_says_why() {
    let files = samples::all(Locale::En, Theme::Light)
        .into_iter()
        .find(|sample| sample.name == "conversation-kinds")
        .expect("a message of every kind is a sample");
    for words in ["larger than 20 MB", "belongs to the demonstration"] {
        assert!(files.html.contains(words), "lacks `{words}`");
    }
}

#[test]
fn codes_lead_back_to_what_they_name() {
    for notice in Notice::ALL {
        assert_eq!(Notice::from_code(notice.code()), Some(notice));
    }
    for filter in Filter::ALL {
        assert_eq!(Filter::from_code(filter.code()), Some(filter));
    }
    for theme in Theme::ALL {
        assert_eq!(Theme::from_code(theme.code()), Some(theme));
    }
}

#[test]
fn the_policy_forbids_inline_scripts_and_eval() {
    let policy = content_security_policy();
    assert!(policy.contains("script-src 'self';"));
    assert!(!policy.contains("unsafe"));
    assert!(asset("app.js").starts_with("/static/app"));
}

#[test]
fn time_zones_are_called_by_their_cities_tehran_first_and_then_by_the_parts_of_the_world() {
    for (locale, tehran, tokyo) in [
        (Locale::Fa, "تهران (\u{200e}+۰۳:۳۰\u{200e})", "توکیو"),
        (Locale::En, "Tehran (\u{200e}+03:30\u{200e})", "Tokyo"),
    ] {
        let samples = samples::all(locale, Theme::Light);
        let account = samples.iter().find(|sample| sample.name == "account");
        let page = &account.expect("there is an account page").html;
        let chosen = format!("<option value=\"Asia/Tehran\" selected>{tehran}</option>");
        let here = page.find(&chosen).expect("Tehran is there, and it is chosen");
        let west = page.find("value=\"Asia/Dubai\"").expect("Dubai is");
        let east = page.find(&format!("value=\"Asia/Tokyo\">{tokyo}")).expect("Tokyo is there");
        let other = page.find("value=\"America/New_York\"").expect("New York is there");
        assert!(here < west && west < east && east < other);
        assert_eq!(page.matches("value=\"Asia/Tehran\"").count(), 1);
        assert_eq!(page.matches("<optgroup").count(), 7);
        assert!(page.contains("value=\"Etc/UTC\""));
        assert!(!page.contains("value=\"Etc/GMT"), "nobody lives in an offset");
    }
}

#[test]
fn fields_of_passwords_hide_them_and_let_managers_and_pasting_fill_them() {
    let mut seen = 0;
    for (_, sample) in pages() {
        for input in sample.html.split("<input ").skip(1) {
            let input = input.split('>').next().expect("it ends");
            let named = |name: &str| input.contains(&format!("name=\"{name}\""));
            let fields = ["password", "password_again", "new_password", "current_password"];
            if fields.iter().any(|name| named(name)) {
                seen += 1;
                assert!(input.contains("type=\"password\""), "{}: {input}", sample.name);
                let filled = input.contains("autocomplete=\"current-password\"")
                    || input.contains("autocomplete=\"new-password\"");
                assert!(filled, "{}: {input}", sample.name);
                assert!(!input.contains("readonly") && !input.contains("onpaste"), "{input}");
            }
        }
    }
    assert!(seen > 10, "{seen} of them");
    let scripts = fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/src")).expect("there");
    for script in scripts.map(|file| file.expect("it can be read").path()) {
        if script.extension().is_some_and(|end| end == "js") {
            let text = fs::read_to_string(&script).expect("it can be read");
            assert!(!text.contains("'paste'"), "{} meddles with pasting", script.display());
        }
    }
}

#[test]
fn a_search_that_was_refused_says_so_first_and_not_that_there_is_nothing() {
    for (locale, page) in pages() {
        let (name, html) = (page.name, &page.html);
        if name == "security-events-quiet" {
            assert!(html.contains("big-icon tone-good"), "a search that found nothing says so");
        }
        let refused = [
            ("audit-refused", "from"),
            ("audit-strange", "target"),
            ("audit-nobody", "who"),
            ("security-events-none", "from"),
            ("security-events-strange", "account"),
        ];
        let Some((_, field)) = refused.iter().find(|(refused, _)| *refused == name) else {
            continue;
        };
        let middle = html.split("<main").nth(1).expect("it has a middle");
        assert!(!middle.contains("class=\"blank\""), "{name} {}", locale.code());
        assert_eq!(middle.matches("data-focus").count(), 1, "{name} sums up what is wrong");
        let shown = middle.contains(&format!("id=\"e-{field}\""));
        let told = middle.contains(&format!("aria-describedby=\"e-{field}\""));
        assert!(shown && (told || *field == "target"), "{name}: whoever hears the field hears why");
        assert!(!middle.contains("nonsense"), "{name}: what is wrong is not sent again");
    }
}

#[test]
fn no_address_of_a_person_is_sent_in_that_of_the_page_of_what_is_watched() {
    for (_, page) in pages().into_iter().filter(|(_, page)| page.name.starts_with("security-")) {
        for form in page.html.split("<form").filter(|form| form.contains("name=\"account\"")) {
            let form = form.split("</form>").next().unwrap_or_default();
            assert!(form.contains("method=\"post\""), "{}: {form}", page.name);
        }
        assert!(!page.html.contains("?account=") && !page.html.contains("&account="));
    }
}

#[test]
fn every_closed_box_of_a_permission_says_why() {
    let mut closed = 0;
    for (_, page) in pages().into_iter().filter(|(_, page)| page.name.starts_with("member")) {
        for input in page.html.split("<input ").skip(1).filter_map(|rest| rest.split('>').next()) {
            if input.contains("name=\"may\"") && input.contains(" disabled") {
                closed += 1;
                assert!(input.contains("aria-describedby=\"h-fixed\""), "{}", page.name);
                assert!(page.html.contains("id=\"h-fixed\""), "{}", page.name);
            }
        }
    }
    assert!(closed > 0, "some are closed");
}
