//! `meydan.bot_hub.v1`: parse, ask, answer.

mod bots;
mod files;
mod hooks;

use meydan_rpc::{
    guard::{Need, Policies},
    pb::bot_hub::{bots_server::BotsServer, files_server::FilesServer, hooks_server::HooksServer},
};
use meydan_telegram::Telegram;
use tonic::service::Routes;

use crate::app::BotHub;

/// Who may call what.
pub const POLICIES: Policies = &[
    ("/meydan.bot_hub.v1.Bots/ConnectBot", Need::Fresh(&Need::AdminOr("bot:bot.connect"))),
    ("/meydan.bot_hub.v1.Bots/CheckBot", Need::AdminOr("bot:bot.connect")),
    ("/meydan.bot_hub.v1.Bots/DisconnectBot", Need::Fresh(&Need::AdminOr("bot:bot.connect"))),
    ("/meydan.bot_hub.v1.Bots/GetBot", Need::AdminOr("bot:bot.read")),
    ("/meydan.bot_hub.v1.Bots/ListBots", Need::Admin),
    ("/meydan.bot_hub.v1.Hooks/GetHook", Need::Service(&["gateway"])),
    ("/meydan.bot_hub.v1.Files/FetchFile", Need::Permission("crm:ticket.read")),
];

/// The services, ready to be guarded and served.
#[must_use]
pub fn routes(hub: BotHub, telegram: Telegram) -> Routes {
    Routes::new(BotsServer::new(bots::BotsApi(hub.clone())))
        .add_service(HooksServer::new(hooks::HooksApi(hub.clone())))
        .add_service(FilesServer::new(files::FilesApi { hub, telegram }))
}
