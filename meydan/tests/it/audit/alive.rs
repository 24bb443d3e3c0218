//! The audit of a platform that goes on working meanwhile.

use crate::{
    office::{Office, Reach, TOKEN, telegram},
    operate::meydan,
};

/// Citizens who write.
const CITIZENS: i64 = 150;
/// How often the audit is looked at while their messages come in.
const LOOKS: usize = 6;

#[tokio::test]
async fn while_citizens_write_nothing_is_taken_for_tampering() {
    let telegram = telegram().await;
    let pace = [
        ("MEYDAN_AUDIT_CHECKPOINT_ENTRIES", "3".to_owned()),
        ("MEYDAN_AUDIT_CHECKPOINT_SECONDS", "1".to_owned()),
    ];
    let office = Office::open_with(&telegram.url(), Reach::Polling, &pace).await;
    for citizen in 1..=CITIZENS {
        telegram.say(TOKEN, citizen, "راز").expect("a citizen writes");
    }

    for _ in 0..LOOKS {
        let told = meydan(&office.ground, &["audit", "verify"]).await;
        told.expect("nobody changed anything");
    }

    let nobody = ["audit", "verify", "--campaign", "00000000-0000-0000-0000-000000000001"];
    let told = meydan(&office.ground, &nobody).await.expect_err("there is none");
    assert!(told.contains("there is no tree of a campaign"), "{told}");
    let nobody = ["audit", "verify", "--campaign", "shiraz"];
    let told = meydan(&office.ground, &nobody).await.expect_err("there is none");
    assert!(told.contains("there is no campaign shiraz"), "{told}");
    office.meydan.stop().await;
}
