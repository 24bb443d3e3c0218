//! Parameters of a call, however they came: in the address, as a form, as JSON
//! or as parts with files. Telegram takes them all for the same.

use std::collections::HashMap;

use axum::{
    Form,
    body::to_bytes,
    extract::{FromRequest, Multipart, Query, Request},
    http::header::CONTENT_TYPE,
};
use serde_json::{Map, Value};

/// Bytes that one call may have.
const BODY_LIMIT: usize = 60 * 1024 * 1024;

/// Parameters by name. Files stand in it as `attach://` followed by the name.
#[derive(Debug, Clone, Default)]
pub(super) struct Parameters {
    values: Map<String, Value>,
}

impl Parameters {
    /// Reads a call's address and body, or says what is wrong with them.
    pub(super) async fn read(request: Request) -> Result<Self, String> {
        let mut found = Self::default();
        let query = Query::<HashMap<String, String>>::try_from_uri(request.uri());
        found.add(query.map(|Query(pairs)| pairs).unwrap_or_default());
        let header = request.headers().get(CONTENT_TYPE);
        let kind = header.and_then(|kind| kind.to_str().ok()).unwrap_or_default().to_owned();
        if kind.starts_with("multipart/form-data") {
            found.add_parts(request).await?;
        } else if kind.starts_with("application/x-www-form-urlencoded") {
            let form = Form::<HashMap<String, String>>::from_request(request, &()).await;
            found.add(form.map_err(|e| e.to_string())?.0);
        } else {
            let body =
                to_bytes(request.into_body(), BODY_LIMIT).await.map_err(|e| e.to_string())?;
            found.add_json(&body)?;
        }
        Ok(found)
    }

    fn add(&mut self, pairs: HashMap<String, String>) {
        self.values.extend(pairs.into_iter().map(|(name, value)| (name, Value::String(value))));
    }

    fn add_json(&mut self, body: &[u8]) -> Result<(), String> {
        if body.is_empty() {
            return Ok(());
        }
        match serde_json::from_slice(body) {
            Ok(Value::Object(map)) => {
                self.values.extend(map);
                Ok(())
            }
            _ => Err("the body is not a JSON object".to_owned()),
        }
    }

    async fn add_parts(&mut self, request: Request) -> Result<(), String> {
        let mut parts = Multipart::from_request(request, &()).await.map_err(|e| e.to_string())?;
        while let Some(part) = parts.next_field().await.map_err(|e| e.to_string())? {
            let name = part.name().unwrap_or_default().to_owned();
            let value = match part.file_name().map(str::to_owned) {
                Some(file) => {
                    part.bytes().await.map_err(|e| e.to_string())?;
                    format!("attach://{file}")
                }
                None => part.text().await.map_err(|e| e.to_string())?,
            };
            self.values.insert(name, Value::String(value));
        }
        Ok(())
    }

    /// A text.
    pub(super) fn text(&self, name: &str) -> Option<&str> {
        self.values.get(name).and_then(Value::as_str)
    }

    /// A whole number, also when it was sent as text.
    pub(super) fn integer(&self, name: &str) -> Option<i64> {
        match self.values.get(name)? {
            Value::String(text) => text.trim().parse().ok(),
            other => other.as_i64(),
        }
    }

    /// A truth, also when it was sent as text.
    pub(super) fn flag(&self, name: &str) -> bool {
        match self.values.get(name) {
            Some(Value::String(text)) => text.eq_ignore_ascii_case("true") || text == "1",
            Some(other) => other.as_bool().unwrap_or(false),
            None => false,
        }
    }

    /// An object or array, also when it was sent as text.
    pub(super) fn json(&self, name: &str) -> Option<Value> {
        match self.values.get(name)? {
            Value::String(text) => serde_json::from_str(text).ok(),
            Value::Null => None,
            other => Some(other.clone()),
        }
    }

    /// All of them.
    pub(super) fn all(&self) -> Value {
        Value::Object(self.values.clone())
    }
}
