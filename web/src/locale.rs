//! The languages and themes of the panel.
//!
//! A locale decides texts, direction, digits and calendar together.

/// Language of a page, with its direction, digits and calendar.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Locale {
    /// Persian: right to left, Persian digits, Jalali dates.
    #[default]
    Fa,
    /// English: left to right, ASCII digits, Gregorian dates.
    En,
}

impl Locale {
    /// Every locale, the default one first.
    pub const ALL: [Self; 2] = [Self::Fa, Self::En];

    /// The code in `lang`, cookies and forms: `fa` or `en`.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Fa => "fa",
            Self::En => "en",
        }
    }

    /// The locale of a code, or `None` when there is no such locale.
    #[must_use]
    pub fn from_code(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|locale| locale.code() == code)
    }

    /// The value of `dir`: `rtl` or `ltr`.
    #[must_use]
    pub const fn direction(self) -> &'static str {
        match self {
            Self::Fa => "rtl",
            Self::En => "ltr",
        }
    }

    /// The name of the language in that language.
    #[must_use]
    pub const fn own_name(self) -> &'static str {
        match self {
            Self::Fa => "فارسی",
            Self::En => "English",
        }
    }

    /// The first locale of an `Accept-Language` header that we speak, in the header's order.
    #[must_use]
    pub fn accepted(header: &str) -> Option<Self> {
        header.split(',').find_map(|range| {
            let tag = range.split(';').next().unwrap_or_default().trim();
            Self::from_code(&tag.split('-').next().unwrap_or_default().to_ascii_lowercase())
        })
    }
}

/// Colours of a page.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Theme {
    /// As the person's device says.
    #[default]
    Auto,
    /// Dark on light.
    Light,
    /// Light on dark.
    Dark,
}

impl Theme {
    /// Every theme, the default one first.
    pub const ALL: [Self; 3] = [Self::Auto, Self::Light, Self::Dark];

    /// The code in cookies, forms and `data-bs-theme`.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Light => "light",
            Self::Dark => "dark",
        }
    }

    /// The theme of a code, or `None` when there is no such theme.
    #[must_use]
    pub fn from_code(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|theme| theme.code() == code)
    }

    pub(crate) const fn key(self) -> &'static str {
        match self {
            Self::Auto => "theme-auto",
            Self::Light => "theme-light",
            Self::Dark => "theme-dark",
        }
    }

    pub(crate) const fn icon(self) -> &'static str {
        match self {
            Self::Auto => "device-desktop",
            Self::Light => "sun",
            Self::Dark => "moon",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_browsers_first_known_language_is_taken() {
        assert_eq!(Locale::accepted("de-DE,en-GB;q=0.8,fa;q=0.5"), Some(Locale::En));
        assert_eq!(Locale::accepted("fa-IR,fa;q=0.9,en;q=0.3"), Some(Locale::Fa));
        assert_eq!(Locale::accepted("de"), None);
    }
}
