//! What people say, who they are and where: the JSON files of `meydan/demo`, compiled in.

use std::collections::BTreeMap;

use serde::Deserialize;

/// Everything that the script draws from.
#[derive(Debug)]
pub(super) struct Library {
    pub(super) campaigns: Vec<CampaignPlan>,
    pub(super) names: Names,
    pub(super) conversations: Vec<Conversation>,
}

impl Library {
    pub(super) fn load() -> Self {
        const VALID: &str = "the demonstration's files are checked by a test";
        Self {
            campaigns: serde_json::from_str(include_str!("../../../demo/campaigns.json"))
                .expect(VALID),
            names: serde_json::from_str(include_str!("../../../demo/names.json")).expect(VALID),
            conversations: serde_json::from_str(include_str!("../../../demo/conversations.json"))
                .expect(VALID),
        }
    }
}

/// A campaign, and the places that its citizens speak of.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct CampaignPlan {
    pub(super) slug: String,
    pub(super) candidate_name: String,
    /// What the team calls the candidate.
    pub(super) candidate: String,
    pub(super) office: String,
    pub(super) constituency: String,
    pub(super) home_region: String,
    pub(super) citizens: usize,
    pub(super) tickets: usize,
    /// Whom the team names when somebody will call.
    pub(super) coordinator: String,
    pub(super) members: Vec<MemberPlan>,
    /// Languages with their shares in a hundred.
    pub(super) languages: Vec<(String, i64)>,
    pub(super) sources: Vec<String>,
    pub(super) latitude: f64,
    pub(super) longitude: f64,
    /// Lists of places by the name of their placeholder.
    pub(super) places: BTreeMap<String, Vec<String>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct MemberPlan {
    pub(super) name: String,
    pub(super) email: String,
    pub(super) role: String,
}

/// First and family names.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Names {
    pub(super) women: Vec<String>,
    pub(super) men: Vec<String>,
    pub(super) family: Vec<String>,
    pub(super) latin_women: Vec<String>,
    pub(super) latin_men: Vec<String>,
    pub(super) latin_family: Vec<String>,
    pub(super) nicknames: Vec<String>,
    pub(super) handles: Vec<String>,
    /// First name, family name and gender by language.
    pub(super) foreign: BTreeMap<String, Vec<(String, Option<String>, Gender)>>,
    pub(super) greetings: Vec<String>,
    pub(super) closings: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Gender {
    Woman,
    Man,
}

/// A conversation as it was written, with placeholders.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Conversation {
    #[cfg_attr(not(test), expect(dead_code, reason = "names it to readers and to tests"))]
    pub(super) id: String,
    /// The only campaign that it fits.
    pub(super) campaign: Option<String>,
    /// Persian when absent.
    pub(super) language: Option<String>,
    /// Who may write it; anybody when absent.
    pub(super) writer: Option<Gender>,
    /// So particular that a campaign may have it only once.
    #[serde(default)]
    pub(super) once: bool,
    /// Its end is not one that a ticket is resolved with.
    #[serde(default)]
    pub(super) unfinished: bool,
    pub(super) turns: Vec<Turn>,
}

impl Conversation {
    /// The turns after which the campaign waits for somebody.
    pub(super) fn waits(&self) -> impl Iterator<Item = usize> {
        let before_end = self.turns.iter().position(|turn| matches!(turn, Turn::Resolve));
        let turns = &self.turns[..before_end.unwrap_or(self.turns.len())];
        (turns.iter().enumerate())
            .filter(|(_, turn)| matches!(turn, Turn::Answer { waits: true, .. }))
            .map(|(index, _)| index)
    }
}

#[derive(Debug, Deserialize)]
#[serde(tag = "by", rename_all = "snake_case", deny_unknown_fields)]
pub(super) enum Turn {
    Citizen {
        #[serde(default)]
        text: Option<String>,
        #[serde(default)]
        content: Content,
        /// A day or more after what came before.
        #[serde(default)]
        later: bool,
    },
    Answer {
        text: String,
        /// The campaign waits for the citizen, or for an authority.
        #[serde(default)]
        waits: bool,
        /// A day or more after what came before.
        #[serde(default)]
        later: bool,
    },
    /// The citizen changes the message before.
    Edit { text: String },
    /// A member resolves the ticket, though the citizen will come back.
    Resolve,
}

#[derive(Debug, Default, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub(super) enum Content {
    #[default]
    Text,
    Photo,
    Album {
        photos: u8,
    },
    Voice {
        seconds: u32,
    },
    Video {
        seconds: u32,
    },
    Document {
        name: String,
        mime: String,
    },
    Location,
    Contact,
    Sticker {
        emoji: String,
    },
}
