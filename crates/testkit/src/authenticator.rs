//! Somebody's authenticator: `oathtool`, which others wrote, shows the codes. `pyotp`, which yet others wrote, reads what
//! is scanned.

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

/// What an authenticator has taken in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scanned {
    /// For whom it says that its codes are.
    pub issuer: String,
    /// For which account there.
    pub account: String,
    /// The codes that it shows, at each of the moments that were asked for.
    pub codes: Vec<String>,
}

/// Has `pyotp` read what an authenticator scans; the codes are those of `moments`, in seconds since 1970.
///
/// # Panics
///
/// When there is no Python, or it cannot read that.
#[must_use]
pub fn scan(url: &str, moments: &[i64]) -> Scanned {
    let tools = crate::servers::workspace().join(".meydan/tools");
    let tools = std::env::var_os("MEYDAN_TOOLS").map_or(tools, Into::into);
    let folder = crate::servers::workspace().join("e2e/emulators");
    let installed = Command::new("sh").arg(folder.join("install.sh")).arg("pyotp").status();
    assert!(installed.expect("there is a shell").success(), "pyotp can be installed");
    let mut scan = Command::new(std::env::var_os("PYTHON").unwrap_or_else(|| "python3".into()));
    scan.arg(folder.join("pyotp/scan.py")).arg(url).args(moments.iter().map(ToString::to_string));
    scan.env("PYTHONPATH", tools.join("pyotp")).env("PYTHONDONTWRITEBYTECODE", "1");
    let said = scan.output().expect("there is Python");
    assert!(said.status.success(), "{}", String::from_utf8_lossy(&said.stderr));
    let said = String::from_utf8(said.stdout).expect("it writes text");
    let mut lines = said.lines().map(ToOwned::to_owned);
    let mut next = || lines.next().expect("it says whose it is");
    Scanned { issuer: next(), account: next(), codes: lines.collect() }
}
