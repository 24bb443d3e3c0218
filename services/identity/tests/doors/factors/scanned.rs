//! What people scan, read by an authenticator that others wrote.

use meydan_rpc::pb::identity::ConfirmFactorRequest;
use meydan_testkit::authenticator::scan;
use time::Duration;

use super::SARA;
use crate::harness::{Identity, from};

#[tokio::test]
async fn what_is_scanned_names_the_account_and_its_codes_confirm_it_and_open_a_login() {
    let identity = Identity::start().await;
    let session = identity.owner().await;
    let begun = identity.begin(&session).await.expect("they may");

    let scanned = scan(&begun.url, &[identity.now().unix_timestamp()]);

    assert_eq!((scanned.issuer.as_str(), scanned.account.as_str()), ("Meydan", SARA));
    let [code] = scanned.codes.try_into().expect("one moment was asked for");
    let holder = identity.holder(&session).await;
    let message = ConfirmFactorRequest { factor_id: begun.factor_id, code };
    let confirmed = identity.accounts().confirm_factor(identity.dial.ask(&holder, message)).await;
    confirmed.expect("the code is right");
    identity.advance(Duration::seconds(30));
    let challenge = identity.challenge().await;
    let [code] = scan(&begun.url, &[identity.now().unix_timestamp()])
        .codes
        .try_into()
        .expect("one moment was asked for");
    let entered = identity.prove(&challenge, &code, from("192.0.2.1", "")).await;
    assert!(entered.is_ok(), "{entered:?}");
}
