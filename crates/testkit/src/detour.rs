//! A server that sends everybody elsewhere, and counts who goes: whatever carries a secret must not.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use anyhow::Result;
use axum::{Router, extract::State, http::header, response::IntoResponse};
use reqwest::StatusCode;
use tokio::{net::TcpListener, task::AbortHandle};

/// Such a server. It ends when it is dropped.
#[derive(Debug)]
pub struct Detour {
    url: String,
    strayed: Arc<AtomicUsize>,
    asked: Arc<AtomicUsize>,
    serving: AbortHandle,
}

impl Drop for Detour {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

async fn elsewhere(State((asked, url)): State<(Arc<AtomicUsize>, String)>) -> impl IntoResponse {
    asked.fetch_add(1, Ordering::Relaxed);
    // Of all redirects the one that takes method and body along.
    (StatusCode::TEMPORARY_REDIRECT, [(header::LOCATION, url)])
}

impl Detour {
    /// Starts it, and the place to which it leads, on free ports.
    ///
    /// # Errors
    ///
    /// When there are none.
    pub async fn start() -> Result<Self> {
        let (strayed, asked) = (Arc::<AtomicUsize>::default(), Arc::<AtomicUsize>::default());
        let (door, place) = (
            TcpListener::bind(("127.0.0.1", 0)).await?,
            TcpListener::bind(("127.0.0.1", 0)).await?,
        );
        let url = format!("http://{}", door.local_addr()?);
        let there = format!("http://{}/elsewhere", place.local_addr()?);
        let leading = Router::new().fallback(elsewhere).with_state((asked.clone(), there));
        let counted = strayed.clone();
        let counting = Router::new().fallback(move || {
            counted.fetch_add(1, Ordering::Relaxed);
            async { StatusCode::OK }
        });
        let serving = tokio::spawn(async move {
            let _ = tokio::join!(axum::serve(door, leading), axum::serve(place, counting));
        });
        Ok(Self { url, strayed, asked, serving: serving.abort_handle() })
    }

    /// Where it is.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// How many were sent elsewhere.
    #[must_use]
    pub fn asked(&self) -> usize {
        self.asked.load(Ordering::Relaxed)
    }

    /// How many of them went.
    #[must_use]
    pub fn strayed(&self) -> usize {
        self.strayed.load(Ordering::Relaxed)
    }
}
