//! Somebody's authenticator: `oathtool`, which others wrote, shows the codes.

use std::process::Command;

use time::OffsetDateTime;

/// The code that an authenticator with `secret` (base 32) shows at a moment.
///
/// # Panics
///
/// When there is no `oathtool`, or it does not take the secret.
#[must_use]
pub fn code(secret: &str, at: OffsetDateTime) -> String {
    let now = format!("--now=@{}", at.unix_timestamp());
    let shown = Command::new("oathtool").args(["--totp", "--base32", &now, secret]).output();
    let shown = shown.expect("oathtool is installed (make test does)");
    assert!(shown.status.success(), "{}", String::from_utf8_lossy(&shown.stderr));
    String::from_utf8(shown.stdout).expect("digits").trim().to_owned()
}
