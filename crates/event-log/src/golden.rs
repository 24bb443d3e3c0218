//! Golden files: every shape in which facts were ever recorded, one a line. Tests alone read them.
//!
//! `ticket.jsonl` holds version 1 of the events of tickets, `ticket.2.jsonl` those that have a version 2, and so on.
//! Together, the files of a context are the table of what it tells others: whoever reads its facts, there or in another
//! context, must be able to read every line, by the same [`decode`] that reads the log.

use std::{fmt, fs, io, path::Path};

use cqrs_es::DomainEvent;
use serde::{
    Deserialize, Serialize,
    de::{self, value::MapDeserializer},
};
use serde_json::value::RawValue;

use crate::codec::{Event, decode};

/// A fact, as it lies in a log.
#[derive(Debug, Clone)]
pub struct Line {
    /// Name of the kind of event.
    pub event_type: String,
    /// Version of its shape.
    pub version: i16,
    /// The fact.
    pub payload: Box<RawValue>,
}

impl Line {
    fn parse(version: i16, line: &str) -> io::Result<Self> {
        #[derive(Deserialize)]
        struct Tag {
            #[serde(rename = "type")]
            event_type: String,
        }
        let Tag { event_type } = serde_json::from_str(line)?;
        Ok(Self { event_type, version, payload: RawValue::from_string(line.to_owned())? })
    }

    /// Reads it as whoever reads the log does.
    ///
    /// # Errors
    ///
    /// As [`decode`].
    pub fn decode<E: Event>(&self) -> Result<Vec<E>, serde_json::Error> {
        decode(&self.event_type, self.version, &self.payload)
    }
}

/// All lines of the golden files in a folder.
///
/// # Errors
///
/// Fails when the folder cannot be read, or holds something else.
pub fn lines(folder: &Path) -> io::Result<Vec<Line>> {
    let mut all = Vec::new();
    for file in fs::read_dir(folder)? {
        let path = file?.path();
        let name = path.file_stem().and_then(|name| name.to_str()).unwrap_or_default();
        let version = name.rsplit_once('.').map_or(Ok(1), |(_, version)| version.parse());
        let version = version.map_err(|_| io::Error::other(format!("{name} has no version")))?;
        for line in fs::read_to_string(&path)?.lines() {
            all.push(Line::parse(version, line)?);
        }
    }
    Ok(all)
}

/// What another context understands of the golden files in a folder, which are those of a context that it hears.
///
/// # Errors
///
/// Says which line it does not understand, or that the files cannot be read.
pub fn heard<E: Event>(folder: &Path) -> Result<Vec<E>, String> {
    let mut heard = Vec::new();
    for line in lines(folder).map_err(|error| format!("{}: {error}", folder.display()))? {
        let told = line.decode::<E>();
        heard.extend(
            told.map_err(|error| format!("{} {}: {error}", line.event_type, line.version))?,
        );
    }
    Ok(heard)
}

/// Holds today's events to their golden lines: `all` are written as the lines say, under the name and the version that
/// the log gives them, and read as themselves; and every kind of event that `E` knows is among them.
///
/// # Errors
///
/// Says what differs first.
pub fn pin<E>(golden: &str, all: &[E]) -> Result<(), String>
where
    E: Event + DomainEvent + Serialize,
{
    let mut names = kinds::<E>().to_vec();
    let mut golden = golden.lines();
    for event in all {
        let line = golden.next().ok_or_else(|| format!("there is no line for {event:?}"))?;
        let told = serde_json::to_string(event).map_err(|error| error.to_string())?;
        if told != line {
            return Err(format!("{line} is written as {told} now"));
        }
        let version =
            event.event_version().parse().map_err(|_| format!("{line} has no version"))?;
        let line = Line::parse(version, line).map_err(|error| format!("{line}: {error}"))?;
        if line.event_type != event.event_type() {
            return Err(format!("{told} is recorded as {}", event.event_type()));
        }
        let read = line.decode::<E>().map_err(|error| format!("{told}: {error}"))?;
        if read != std::slice::from_ref(event) {
            return Err(format!("{told} is read as {read:?}"));
        }
        names.retain(|name| *name != line.event_type);
    }
    match (names.first(), golden.next()) {
        (None, None) => Ok(()),
        (Some(name), _) => Err(format!("{name} has no golden line")),
        (None, Some(line)) => Err(format!("{line} is no event's")),
    }
}

/// The names of all kinds of event that `E` knows, as the code that serde derives tells them when it is asked for
/// another one.
fn kinds<E: Event>() -> &'static [&'static str] {
    let stranger = MapDeserializer::<_, Expected>::new([("type", "")].into_iter());
    E::deserialize(stranger).err().map_or(&[], |Expected(names)| names)
}

/// What was expected in place of an unknown name.
#[derive(Debug)]
struct Expected(&'static [&'static str]);

impl de::Error for Expected {
    fn custom<T: fmt::Display>(_: T) -> Self {
        Self(&[])
    }

    fn unknown_variant(_: &str, expected: &'static [&'static str]) -> Self {
        Self(expected)
    }
}

impl fmt::Display for Expected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "one of {:?}", self.0)
    }
}

impl std::error::Error for Expected {}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
    #[serde(tag = "type")]
    enum Door {
        #[serde(rename = "door.opened")]
        Opened,
        #[serde(rename = "door.closed")]
        Closed { by: String },
    }

    impl Event for Door {}

    impl DomainEvent for Door {
        fn event_type(&self) -> String {
            if *self == Self::Opened { "door.opened" } else { "door.closed" }.to_owned()
        }

        fn event_version(&self) -> String {
            "1".to_owned()
        }
    }

    const OPENED: &str = r#"{"type":"door.opened"}"#;
    const CLOSED: &str = r#"{"type":"door.closed","by":"Sara"}"#;

    fn closed(by: &str) -> Door {
        Door::Closed { by: by.to_owned() }
    }

    #[test]
    fn events_that_are_written_and_read_as_their_lines_are_pinned() {
        let golden = format!("{OPENED}\n{CLOSED}\n");
        assert_eq!(pin(&golden, &[Door::Opened, closed("Sara")]), Ok(()));
    }

    #[test]
    fn an_event_without_a_line_is_found_also_when_nobody_listed_it() {
        let missing = Err("door.closed has no golden line".to_owned());
        assert_eq!(pin(OPENED, &[Door::Opened]), missing);
        assert!(pin(OPENED, &[Door::Opened, closed("Sara")]).is_err());
    }

    #[test]
    fn a_line_without_an_event_and_one_of_another_shape_are_found() {
        let golden = format!("{OPENED}\n{CLOSED}\n{OPENED}\n");
        assert!(pin(&golden, &[Door::Opened, closed("Sara")]).is_err());
        assert!(pin(&golden, &[Door::Opened, closed("Navid"), Door::Opened]).is_err());
    }

    #[test]
    fn the_name_of_a_file_tells_the_version_of_its_lines() {
        let folder = std::env::temp_dir().join(uuid::Uuid::new_v4().to_string());
        fs::create_dir(&folder).expect("there is room");
        fs::write(folder.join("door.jsonl"), OPENED).expect("there is room");
        fs::write(folder.join("door.2.jsonl"), CLOSED).expect("there is room");
        let all = lines(&folder).expect("they can be read");
        fs::remove_dir_all(&folder).expect("it is ours");

        for line in all {
            let known = line.event_type == "door.opened";
            assert_eq!(line.version, if known { 1 } else { 2 });
            assert_eq!(line.decode::<Door>().is_ok(), known);
        }
    }
}
