//! How letters leave the platform, from the settings.

use std::{fs, net::SocketAddr};

use anyhow::{Context, Result};
use identity::letters::{Mail, Post, Sink, Sms, SmsProvider, Smtp};
use meydan_cities::Cities;
use meydan_settings::Settings;
use url::Url;

/// Where letters end without a mail server, in the folder of data.
pub(crate) const SINK: &str = "letters.txt";

/// How people reach the panel that is served at `address`.
pub(crate) fn panel(settings: &Settings, address: SocketAddr) -> String {
    settings.public_url.as_ref().map_or_else(
        || format!("http://{address}"),
        |url| url.as_str().trim_end_matches('/').to_owned(),
    )
}

/// The origin at which people use passkeys: that of the public address, or, where there is none and the panel is for
/// this machine alone, `localhost`. Browsers bind passkeys to a name, and take no number for one.
pub(crate) fn passkeys(settings: &Settings, address: SocketAddr) -> Option<Url> {
    let local = || {
        let port = address.port();
        address.ip().is_loopback().then(|| Url::parse(&format!("http://localhost:{port}")).ok())
    };
    let origin = settings.public_url.clone().or_else(|| local().flatten());
    origin.filter(|origin| origin.domain().is_some())
}

/// In which city an address is, as far as the file tells that the operator named.
pub(crate) fn cities(settings: &Settings) -> Result<Cities> {
    let Some(path) = &settings.cities_file else { return Ok(Cities::default()) };
    Cities::open(path).with_context(|| format!("cities-file {} cannot be used", path.display()))
}

/// How letters leave. The people of a demo are invented, and their addresses may be somebody's: nobody gets its
/// letters.
pub(crate) fn open(
    settings: &Settings,
    address: SocketAddr,
    cities: Cities,
    demo: bool,
) -> Result<Post> {
    let sink = Sink::new(&settings.data_dir.join(SINK));
    let mail = match settings.smtp_url.as_ref().filter(|_| !demo) {
        None => Mail::Sink(sink.clone()),
        Some(url) => {
            let authorities = settings.smtp_ca_file.as_ref().map(|path| {
                fs::read(path).with_context(|| format!("{} cannot be read", path.display()))
            });
            let authorities = authorities.transpose()?;
            let from = settings.mail_from.clone();
            Mail::server(&Smtp { url: url.clone(), from, authorities })?
        }
    };
    let sms = match settings.sms_url.as_ref().filter(|_| !demo) {
        None => Sms::Sink(sink),
        Some(url) => Sms::provider(&SmsProvider {
            url: url.clone(),
            method: settings.sms_method.clone(),
            headers: settings.sms_headers.clone(),
            body: settings.sms_body.clone(),
        })?,
    };
    Ok(Post { panel: panel(settings, address), mail, sms, cities })
}
