//! Samples of the admin's pages.

use time::{Duration, OffsetDateTime};

use super::{NOW, Sample, Samples};
use crate::{
    form::{Problem, Problems},
    locale::Locale,
    notice::Notice,
    pages::{
        bot::{Bot, BotFragment, BotMode, BotPanel, BotProblem, BotState},
        campaigns::{
            CampaignFields, CampaignFormPage, CampaignPage, CampaignRow, CampaignStatus,
            CampaignsPage,
        },
    },
};

pub(super) fn samples(make: &Samples) -> Vec<Sample> {
    let mut samples = lists(make);
    samples.extend(forms(make));
    samples.extend(details(make));
    samples
}

fn row(words: [&str; 4], status: CampaignStatus, bot: Option<BotState>, days: i64) -> CampaignRow {
    let [slug, name, office, constituency] = words;
    CampaignRow {
        slug: slug.to_owned(),
        candidate_name: name.to_owned(),
        office: office.to_owned(),
        constituency: constituency.to_owned(),
        home_region: "IR-10".to_owned(),
        locale: Locale::Fa,
        status,
        bot,
        created_at: days_ago(days),
        moves: vec![CampaignStatus::Suspended, CampaignStatus::Archived],
        may_be_deleted: status != CampaignStatus::Active,
        deletion_due_at: None,
    }
}

fn days_ago(days: i64) -> OffsetDateTime {
    NOW - Duration::days(days)
}

fn campaigns() -> Vec<CampaignRow> {
    use BotState::{Connecting, Failed, Live, Revoked};
    use CampaignStatus::{Active, Archived, Draft, Suspended};
    vec![
        row(["isfahan-ahmadi", "مریم احمدی", "نمایندگی مجلس", "اصفهان"], Active, Some(Live), 9),
        row(["shiraz-rostami", "بهرام رستمی", "شورای شهر", "شیراز"], Active, Some(Revoked), 16),
        row(
            ["tabriz-alizadeh", "آیلین علیزاده", "شورای شهر", "تبریز، آذرشهر و اسکو"],
            Draft,
            Some(Connecting),
            1,
        ),
        row(["rasht-karimi", "کاوه کریمی", "نمایندگی مجلس", "رشت"], Draft, None, 0),
        row(["ahvaz-saki", "حمید ساکی", "شورای شهر", "اهواز"], Suspended, Some(Failed), 120),
        row(["yazd-dehghan", "زهرا دهقان", "نمایندگی مجلس", "یزد و اشکذر"], Archived, None, 400),
    ]
}

fn lists(make: &Samples) -> Vec<Sample> {
    let shell = make.admin("/admin/campaigns");
    let full = CampaignsPage { shell, campaigns: campaigns(), unproved: false };
    let empty = CampaignsPage { campaigns: Vec::new(), unproved: true, ..full.clone() };
    vec![
        Sample { name: "campaigns", html: full.render() },
        Sample { name: "campaigns-empty", html: empty.render() },
    ]
}

fn forms(make: &Samples) -> Vec<Sample> {
    let blank = CampaignFormPage {
        shell: make.admin("/admin/campaigns/new"),
        editing: None,
        fields: CampaignFields::default(),
        problems: Problems::none(),
        command_id: "0198c0de-0000-7000-8000-000000000001".to_owned(),
    };
    let fields = CampaignFields {
        candidate_name: "مریم احمدی".to_owned(),
        slug: "admin".to_owned(),
        office: "نمایندگی مجلس".to_owned(),
        constituency: "اصفهان".to_owned(),
        home_region: "IR-10".to_owned(),
        locale: Locale::Fa,
        owner_name: String::new(),
        owner_email: "maryam@example.ir".to_owned(),
    };
    let refused = CampaignFormPage {
        fields: fields.clone(),
        problems: Problems::none()
            .and("slug", Problem::ReservedSlug)
            .and("owner_name", Problem::Required),
        ..blank.clone()
    };
    let edit =
        CampaignFormPage { editing: Some("isfahan-ahmadi".to_owned()), fields, ..blank.clone() };
    vec![
        Sample { name: "campaign-new", html: blank.render() },
        Sample { name: "campaign-refused", html: refused.render() },
        Sample { name: "campaign-edit", html: edit.render() },
    ]
}

fn bot(state: BotState, problem: Option<BotProblem>) -> Bot {
    let known = problem != Some(BotProblem::WrongToken) && state != BotState::Connecting;
    Bot {
        state,
        problem,
        username: if known { "ahmadi_isfahan_bot".to_owned() } else { String::new() },
        name: if known { "ستاد مریم احمدی".to_owned() } else { String::new() },
        mode: known.then_some(BotMode::Webhook),
    }
}

fn panel(bot: Option<Bot>) -> BotPanel {
    BotPanel {
        slug: "isfahan-ahmadi".to_owned(),
        bot,
        token_problem: None,
        command_id: "0198c0de-0000-7000-8000-000000000002".to_owned(),
    }
}

fn details(make: &Samples) -> Vec<Sample> {
    let page = |bot| CampaignPage {
        shell: make.admin("/admin/campaigns/isfahan-ahmadi"),
        campaign: campaigns().swap_remove(0),
        panel: panel(bot),
        invitation_link: None,
        campaign_id: "0198c0de-0000-7000-8000-000000000003".to_owned(),
        invited_owners: Vec::new(),
        problems: Problems::none(),
    };
    let mut created = page(None);
    created.shell.notice = Some(Notice::CampaignCreated);
    created.invitation_link =
        Some("http://127.0.0.1:8080/welcome/Zx81kQ2m7vT0cN4b9aYpLwRe".to_owned());
    created.invited_owners = vec!["0198c0de-0000-7000-8000-000000000004".to_owned()];
    let mut wrong = page(None);
    wrong.panel.token_problem = Some(Problem::InvalidToken);
    let live = page(Some(bot(BotState::Live, None)));
    let connecting = page(Some(bot(BotState::Connecting, None)));
    let failed = page(Some(bot(BotState::Failed, Some(BotProblem::Unreachable))));
    let revoked = page(Some(bot(BotState::Revoked, Some(BotProblem::TokenRevoked))));
    let fragment = BotFragment { shell: live.shell.clone(), panel: live.panel.clone() };
    let mut stopped = page(Some(bot(BotState::Paused, None)));
    stopped.campaign = campaigns().swap_remove(4);
    stopped.problems = Problems::none().and("confirmation", Problem::WrongConfirmation);
    let mut leaving = stopped.clone();
    leaving.campaign.deletion_due_at = Some(NOW + Duration::days(30));
    leaving.problems = Problems::none();
    vec![
        Sample { name: "campaign-stopped", html: stopped.render() },
        Sample { name: "campaign-leaving", html: leaving.render() },
        Sample { name: "campaign-created", html: created.render() },
        Sample { name: "campaign-token-refused", html: wrong.render() },
        Sample { name: "campaign-live", html: live.render() },
        Sample { name: "campaign-connecting", html: connecting.render() },
        Sample { name: "campaign-unreachable", html: failed.render() },
        Sample { name: "campaign-revoked", html: revoked.render() },
        Sample { name: "fragment-bot", html: fragment.render() },
    ]
}
