//! In which city a network address is, as far as a file tells that the operator gave: for people who look whether it was
//! them. Nothing is decided by it, nothing is kept of it, and nobody else is asked.
//!
//! The file is in the `MaxMind` DB format, 2.0 (<https://maxmind.github.io/MaxMind-DB>), with cities and countries as
//! `GeoLite2` City, `GeoIP2` City and DB-IP's city files have them. It is held in memory, once for all services of a process.

use std::{collections::BTreeMap, fmt, net::IpAddr, path::Path, sync::Arc};

use maxminddb::Reader;
use serde::Deserialize;

/// The language whose names stand in for those that a file does not have.
const FALLBACK: &str = "en";

/// What a file tells; nothing without one.
#[derive(Clone, Default)]
pub struct Cities(Option<Arc<Reader<Vec<u8>>>>);

impl fmt::Debug for Cities {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() { "Cities(a file)" } else { "Cities(none)" })
    }
}

/// A file that cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("it is no database of cities: {0}")]
pub struct BadFile(#[from] maxminddb::MaxMindDbError);

/// Names by language.
type Names<'a> = BTreeMap<&'a str, &'a str>;

/// What is read of an entry.
#[derive(Deserialize)]
struct Entry<'a> {
    #[serde(borrow, default)]
    city: Part<'a>,
    #[serde(borrow, default)]
    country: Part<'a>,
}

#[derive(Default, Deserialize)]
struct Part<'a> {
    #[serde(borrow, default)]
    names: Names<'a>,
}

impl Part<'_> {
    fn name(&self, language: &str) -> Option<&str> {
        let name = self.names.get(language).or_else(|| self.names.get(FALLBACK));
        name.copied().filter(|name| !name.is_empty())
    }
}

impl Cities {
    /// Reads a file into memory.
    ///
    /// # Errors
    ///
    /// [`BadFile`]
    pub fn open(path: &Path) -> Result<Self, BadFile> {
        Ok(Self(Some(Arc::new(Reader::open_readfile(path)?))))
    }

    /// City and country of an address, in a language (`fa`, `en`) or else in English: `Tehran, Iran`. `None` without a
    /// file, for what is no address, for one that the file does not have, and where it cannot be read.
    #[must_use]
    pub fn of(&self, address: &str, language: &str) -> Option<String> {
        let address: IpAddr = address.parse().ok()?;
        let found = self.0.as_ref()?.lookup(address.to_canonical()).ok()?;
        let entry: Entry<'_> = found.decode().ok()??;
        let parts = [entry.city.name(language), entry.country.name(language)];
        let parts: Vec<_> = parts.into_iter().flatten().collect();
        let comma = if language == "fa" { "، " } else { ", " };
        (!parts.is_empty()).then(|| parts.join(comma))
    }
}
