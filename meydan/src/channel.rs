//! The channel to which checkpoints of the audit are posted, from the settings.

use std::{fs::File, io::Read, os::unix::fs::PermissionsExt, path::Path};

use anyhow::{Context, Result, bail};
use audit::post::Posting;
use meydan_settings::Settings;
use meydan_telegram::Telegram;
use secrecy::SecretString;

use crate::reach;

/// Where checkpoints are posted, if anywhere. Those of a demo are of nothing that happened, and stay here.
pub(crate) fn open(settings: &Settings, demo: bool) -> Result<Option<Posting>> {
    let Some(channel) = settings.checkpoints.channel.as_deref().filter(|_| !demo) else {
        return Ok(None);
    };
    let channel = channel.parse().context("setting `audit-channel`")?;
    let file = settings.checkpoints.channel_token_file.as_path();
    reach::secret("audit-channel-token-file", file)?;
    let token = token(file).with_context(|| {
        format!("the token of the bot that posts to audit-channel, in {}", file.display())
    })?;
    let url = settings.telegram_api_url.clone();
    let telegram = Telegram::new(url, settings.telegram_proxy.as_ref())?;
    Ok(Some(Posting { telegram, token, channel }))
}

fn token(path: &Path) -> Result<SecretString> {
    let mut file = File::open(path)?;
    if file.metadata()?.permissions().mode() & 0o077 != 0 {
        bail!("others can read it; chmod it to 600");
    }
    let mut text = String::new();
    file.read_to_string(&mut text)?;
    let token = text.trim();
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b':');
    if token.is_empty() || !token.bytes().all(plain) {
        bail!("it holds no token, as BotFather writes them");
    }
    Ok(token.to_owned().into())
}

#[cfg(test)]
mod tests {
    use std::{
        fs::{self, Permissions},
        os::unix::fs::PermissionsExt,
    };

    use super::token;

    #[test]
    fn a_token_that_others_can_read_and_what_is_no_token_stop_the_start() {
        let folder = tempfile::tempdir().expect("there is room");
        let path = folder.path().join("token");
        let put = |text: &str, mode| {
            fs::write(&path, text).expect("it is ours");
            fs::set_permissions(&path, Permissions::from_mode(mode)).expect("it is ours");
            token(&path)
        };

        assert!(token(&path).is_err(), "it is not there");
        assert!(put("123:abc\n", 0o640).is_err());
        for text in ["", "\n", "123:abc/../456:def", "123:abc 456:def"] {
            assert!(put(text, 0o600).is_err(), "{text}");
        }
        assert!(put("123:abc\n", 0o600).is_ok());
    }
}
