//! What services answer, as the pages want it.

pub mod account;
pub mod audit;
pub mod bot;
pub mod campaign;
pub mod ticket;

use meydan_web::{Problem, Problems};
use prost_types::Timestamp;
use time::OffsetDateTime;

/// An instant of the wire; 1970 when it is missing, which a page shows as an obvious mistake.
#[must_use]
pub fn instant(at: Option<Timestamp>) -> OffsetDateTime {
    at.and_then(meydan_rpc::form::instant).unwrap_or(OffsetDateTime::UNIX_EPOCH)
}

/// The problems of a form, from the names and words of a service. `fields` are those of the form.
#[must_use]
pub fn problems(fields: &[&'static str], violations: &[(String, String)]) -> Problems {
    let mut problems = Problems::none();
    for (name, said) in violations {
        if let Some(field) = fields.iter().find(|field| *field == name) {
            problems.add(field, problem(name, said));
        }
    }
    problems
}

fn problem(field: &str, said: &str) -> Problem {
    let number = said
        .split(|letter: char| !letter.is_ascii_digit() && letter != ',')
        .find_map(|digits| digits.replace(',', "").parse().ok());
    match (field, number) {
        _ if said.contains("empty") => Problem::Required,
        ("password" | "new_password", _) if said.contains("bytes") => Problem::EndlessPassword,
        ("password" | "new_password", _) if said.contains("common") => Problem::CommonPassword,
        ("new_password", _) if said.contains("present") => Problem::SamePassword,
        ("password" | "new_password", _) if said.contains("names") => Problem::NamedPassword,
        (_, Some(max)) if said.contains("at most") => Problem::TooLong { max },
        (_, Some(min)) if said.contains("at least") => Problem::TooShort { min },
        ("email" | "owner_email", _) => Problem::InvalidEmail,
        ("phone", _) => Problem::InvalidPhone,
        ("slug", _) if said.contains("kept for the platform") => Problem::ReservedSlug,
        ("slug", _) => Problem::InvalidSlug,
        ("token", _) => Problem::InvalidToken,
        ("password" | "new_password", _) => Problem::GuessablePassword,
        ("current_password", _) => Problem::WrongPassword,
        ("role" | "locale" | "home_region" | "time_zone" | "status" | "permissions", _) => {
            Problem::UnknownChoice
        }
        _ => Problem::Refused,
    }
}

#[cfg(test)]
mod tests {
    use meydan_web::Problem;

    use super::problems;

    #[test]
    fn what_a_service_says_of_a_field_becomes_a_problem_of_that_field() {
        let said = [
            ("slug".to_owned(), "must be 3 to 40 small letters".to_owned()),
            ("owner_email".to_owned(), "must be an e-mail address".to_owned()),
            ("password".to_owned(), "must have at least 12 characters".to_owned()),
            ("elsewhere".to_owned(), "must not be empty".to_owned()),
        ];

        let problems = problems(&["slug", "owner_email", "password"], &said);

        assert_eq!(problems.of("slug"), Some(&Problem::InvalidSlug));
        assert_eq!(problems.of("owner_email"), Some(&Problem::InvalidEmail));
        assert_eq!(problems.of("password"), Some(&Problem::TooShort { min: 12 }));
        assert_eq!(problems.len(), 3);
    }

    #[test]
    fn a_name_that_the_platform_needs_is_not_told_to_be_malformed() {
        let said = identity_domain::slug("admin").expect_err("it is reserved").to_owned();

        let problems = problems(&["slug"], &[("slug".to_owned(), said)]);

        assert_eq!(problems.of("slug"), Some(&Problem::ReservedSlug));
    }

    #[test]
    fn a_new_password_that_is_the_present_one_is_called_that() {
        let said =
            ("new_password".to_owned(), "is the present password; choose another".to_owned());

        let problems = problems(&["new_password"], &[said]);

        assert_eq!(problems.of("new_password"), Some(&Problem::SamePassword));
    }

    #[test]
    fn each_weakness_of_a_password_has_words_of_its_own() {
        for (said, problem) in [
            ("must have at least 15 characters", Problem::TooShort { min: 15 }),
            ("must have at most 256 bytes", Problem::EndlessPassword),
            ("is one of the most common passwords; choose another", Problem::CommonPassword),
            ("is made of names that others know; choose other words", Problem::NamedPassword),
            ("is easily guessed; choose another", Problem::GuessablePassword),
        ] {
            for field in ["password", "new_password"] {
                let found = problems(&[field], &[(field.to_owned(), said.to_owned())]);
                assert_eq!(found.of(field), Some(&problem), "{said}");
            }
        }
    }
}
