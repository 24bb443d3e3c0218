//! bot-hub.
