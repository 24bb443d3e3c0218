//! Whoever answers in place of the Bot API and points elsewhere is not followed: the token is in the path.

use meydan_telegram::{ApiFailure, Telegram};
use meydan_testkit::detour::Detour;

#[tokio::test]
async fn whoever_points_elsewhere_is_not_followed_and_nothing_is_in_doubt() {
    let detour = Detour::start().await.expect("ports are free");
    let base = detour.url().parse().expect("it is an address");
    let telegram = Telegram::new(base, None).expect("it can be reached");
    let token = "123:abcdefghijk".to_owned().into();

    let sent = telegram.send_text(&token, 7, "سلام").await;
    let asked = telegram.get_updates(&token, 0).await;
    let file = telegram.file(&token, "voice").await;

    assert_eq!(sent, Err(ApiFailure::Unreachable), "it was certainly not sent");
    assert!(matches!(asked, Err(ApiFailure::Unreachable)));
    assert!(matches!(file, Err(ApiFailure::Unreachable)));
    assert_eq!((detour.asked(), detour.strayed()), (3, 0));
}
