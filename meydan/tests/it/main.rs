//! Journeys through the real program: a process of its own, a real PostgreSQL and NATS, a Telegram that keeps
//! to Telegram's rules, and people who use the panel through HTTP.

mod admins;
mod answers;
mod attack;
mod audit;
mod behind;
mod bots;
mod canary;
mod conversation;
mod crash;
mod damage;
mod emulators;
mod erase;
mod hub;
mod keys_back;
mod limits;
mod methods;
mod metrics;
mod networks;
mod office;
mod open_page;
mod operate;
mod oversight;
mod preferences;
mod programs;
mod proving;
mod rebuild;
mod replicas;
mod revocation;
mod starting;
mod strangers;
mod tenants;
mod trace;
mod updates;
mod welcome;
